"""File copies: the files of a log one after the other, those that lie elsewhere as copies that are made ahead."""

import logging
from collections.abc import Iterator, MutableMapping, Sequence
from functools import partial
from pathlib import Path

from recsys.data.ingest.input_files import InputFile, size_of
from recsys.map_ordered import map_ordered
from recsys.remote import RemotePath
from recsys.remote.opening import local_copy
from recsys.remote.transfer import copies_folder

logger = logging.getLogger(__name__)

_THREADS = 4
"""Small files that are copied at once."""

_LARGE_BYTES = 128 << 20
"""Files larger than this are copied one at a time, so that few are on the disk at once."""


def readable_files(files: Sequence[InputFile], digests: MutableMapping[InputFile, str]) -> Iterator[InputFile]:
    """`files` in turn; one that lies elsewhere has a copy on this machine until the next one is taken.

    So a transfer is complete and checked before the first row is read. `digests` gets sha256, in hexadecimal,
    of those files. Raises DataError if one cannot be copied.
    """
    if all(isinstance(file, Path) for file in files):
        yield from files
        return
    few = max(map(size_of, files)) > _LARGE_BYTES
    with copies_folder() as folder:
        copied = map_ordered(
            partial(_copied, folder), enumerate(files), threads=1 if few else _THREADS, ahead=0 if few else 1
        )
        for file, digest in copied:
            if digest is not None:
                digests[file] = digest
            yield file
            if not isinstance(file, Path) and file.copy is not None and file.copy.parent == folder:
                file.copy.unlink()


def _copied(folder: Path, numbered: tuple[int, InputFile]) -> tuple[InputFile, str | None]:
    number, file = numbered
    if not isinstance(file, RemotePath):
        return file, None
    copy = local_copy(file, folder / str(number))
    if file.state is not None and (file.state.size, file.state.modified) != (copy.state.size, copy.state.modified):
        logger.warning("%s: changed after it was found; what is there now is read", file)
    return file.with_state(copy.state).with_copy(copy.path), copy.sha256
