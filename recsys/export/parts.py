"""Lists as a folder of part files, which many processes write: one link, moved by a rename, names the folder."""

import errno
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recsys.errors import ConfigError, ExportError
from recsys.storage import storage_errors

_NO_LINKS = (errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)


@contextmanager
def replacing_parts(path: Path, version: str) -> Iterator[Path]:
    """A new, empty folder for the part files of `version`, beside `path`.

    If the block ends well, `path` becomes a link to the folder, instead of what it was before: a file, or the link
    of an earlier export, whose folder is removed. If it does not, or the process is killed, `path` stays as it was;
    the next export to `path` removes what a killed one left. A name of a part file is never used twice, so that no
    reader gets parts of two exports. Raises ExportError, StorageError, and ConfigError if `path` is another folder.
    """
    check_replaceable(path)
    remove_unlinked(path)
    folder = path.with_name(f".{path.name}.{version}-{secrets.token_hex(4)}")
    try:
        with storage_errors(path, doing="while the lists were written"):
            folder.mkdir()
            link = _link_to(folder, path)
            yield folder
            for unfinished in folder.glob(".*"):  # of a writer that was killed, whose part was written again
                unfinished.unlink(missing_ok=True)
            link.replace(path)
    finally:
        remove_unlinked(path)


def check_replaceable(path: Path) -> None:
    """Raise ConfigError if `path` is a folder that no export made."""
    if path.is_dir() and not path.is_symlink():
        raise ConfigError(f"{path}: is a folder that no export made; it is not replaced: name another place")


def remove_unlinked(path: Path) -> None:
    """Remove the folders of exports to `path` that it does not name, and links that were never moved."""
    current = path.readlink().name if path.is_symlink() else None
    for left in path.parent.glob(f".{path.name}.v*-*"):
        if left.is_symlink():
            left.unlink(missing_ok=True)
        elif left.name != current:
            shutil.rmtree(left, ignore_errors=True)


def _link_to(folder: Path, path: Path) -> Path:
    """The link that will replace `path`, made before any work, because some file systems have no links."""
    link = folder.with_name(f"{folder.name}.link")  # of this export alone: it can never move to another's folder
    try:
        link.symlink_to(folder.name, target_is_directory=True)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        raise ExportError(
            f"{path}: the file system of {path.parent} has no symbolic links, which let new lists replace old ones at"
            " once; name a folder on another one, an object store or a database (docs/spark.md)"
        ) from error
    return link
