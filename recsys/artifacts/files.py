"""Durable writes, content hashes, and folders that hold plain files only."""

import hashlib
import logging
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath

from recsys.errors import ArtifactError
from recsys.map_ordered import map_ordered
from recsys.plain_files import map_plain, open_plain

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FileDigest:
    """The expected content of a file: `sha256` in hexadecimal, `size` in bytes."""

    sha256: str
    size: int

    @staticmethod
    def of(content: bytes | memoryview) -> "FileDigest":
        """The digest of bytes in memory."""
        return FileDigest(hashlib.sha256(content).hexdigest(), len(content))


def digest_file(path: Path) -> FileDigest:
    """Read a file once, in blocks. Raises OSError, also if `path` is a link or no plain file."""
    with open_plain(path) as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return FileDigest(sha256, file.tell())


def list_files(folder: Path) -> list[str]:
    """Names of all files below `folder`, relative to it, with forward slashes, sorted.

    Raises ArtifactError for anything that is neither a plain file nor a folder: links, pipes, devices.
    """
    return sorted(path.relative_to(folder).as_posix() for path in _walk(folder))


def _walk(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        mode = path.lstat().st_mode
        if stat.S_ISDIR(mode):
            yield from _walk(path)
        elif stat.S_ISREG(mode):
            yield path
        else:
            raise ArtifactError(f"{path}: is a link or a special file; expected plain files and folders only")


def check_names(folder: Path, expected: set[str], *, may_lack: frozenset[str] = frozenset()) -> None:
    """Raise ArtifactError unless `folder` holds exactly the files `expected`; those of `may_lack` may be missing."""
    found = set(list_files(folder))
    if missing := sorted(expected - found - may_lack):
        raise ArtifactError(f"{folder / missing[0]}: is missing; the manifest lists it")
    if unknown := sorted(found - expected):
        raise ArtifactError(f"{folder / unknown[0]}: is not listed in the manifest; a version never gains files")


def verify_files(
    folder: Path, expected: Mapping[str, FileDigest], *, keep: frozenset[str] = frozenset()
) -> dict[str, memoryview]:
    """Compare every file's size and hash with `expected`, and return the verified bytes of those in `keep`.

    The bytes are the mapped file itself, which stays the same if another file takes its name; processes that map it
    share its memory. Files are hashed in parallel, one per core, the largest first.
    Raises ArtifactError naming the first file that differs, what was expected and what was found.
    """
    for name, wanted in expected.items():
        check_size(folder / name, wanted.size)
    largest_first = sorted(expected, key=lambda name: -expected[name].size)
    cores = len(os.sched_getaffinity(0))
    contents = map_ordered(
        lambda name: _verified(folder / name, expected[name]), largest_first, threads=cores, ahead=len(largest_first)
    )
    return {name: content for name, content in zip(largest_first, contents, strict=True) if name in keep}


def _verified(path: Path, expected: FileDigest) -> memoryview:
    content = map_plain(path)
    check_digest(path, FileDigest.of(content), expected)
    return content


def check_size(path: Path, expected: int) -> None:
    """Raise ArtifactError unless the file has `expected` bytes; saves hashing one that was cut short."""
    found = path.lstat().st_size
    if found != expected:
        raise ArtifactError(f"{path}: {found} bytes, expected {expected}")


def check_digest(path: Path, found: FileDigest, expected: FileDigest) -> None:
    """Raise ArtifactError unless the two are equal."""
    if found != expected:
        raise ArtifactError(
            f"{path}: its content changed; sha256 {found.sha256} ({found.size} bytes), "
            f"expected {expected.sha256} ({expected.size} bytes)"
        )


def write_durably(path: Path, content: bytes) -> None:
    """Write a new file and wait until its bytes are on the disk. What has its name goes first, whatever it is."""
    path.unlink(missing_ok=True)
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def replace_durably(path: Path, content: bytes) -> None:
    """Replace the file `path` by `content` in one rename: readers see the whole old or the whole new file.

    An OSError leaves the old file, unless it came from the last step, the fsync of the folder: read the file to know.
    """
    temporary = path.with_name(f".{path.name}.new")
    try:
        write_durably(temporary, content)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync(path.parent)


def sync(path: Path) -> None:
    """Wait until a file's bytes, or a folder's entries, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """`sync` every file and folder below `folder`, and `folder` itself, innermost first."""
    for path in folder.iterdir():
        if path.is_dir():
            sync_tree(path)
        else:
            sync(path)
    sync(folder)


def make_durable_folder(folder: Path) -> None:
    """Make `folder` and what is missing above it, for the owner alone, so that they survive a power cut."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)
        sync(path.parent)


def protect(folder: Path, *, like: Path) -> None:
    """Make the files below `folder` read-only, and folders and files readable for those who may read `like`."""
    shared = stat.S_IMODE(like.stat().st_mode) & 0o055
    for name in list_files(folder):
        (folder / PurePath(name)).chmod(0o400 | shared & 0o044)
    for path in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        path.chmod(0o700 | shared)


def warn_if_world_writable(folder: Path) -> None:
    """Log a warning if anybody may write into `folder`: whoever can, decides what serves."""
    try:
        mode = folder.stat().st_mode
    except OSError:
        return
    if mode & stat.S_IWOTH:
        logger.warning("%s: everybody may write into it, and so decide what serves; chmod o-w it", folder)
