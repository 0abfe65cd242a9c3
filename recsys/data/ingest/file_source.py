"""FileSource: the files of a log, of any format, plain or compressed."""

import hashlib
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import accumulate
from pathlib import Path, PurePath

from recsys.config import FileFormat, ItemsConfig, LogFiles
from recsys.data.ingest.csv_blocks import csv_blocks
from recsys.data.ingest.expansion import ExpansionLimit
from recsys.data.ingest.file_copies import readable_files
from recsys.data.ingest.file_finding import FoundFiles, find_files
from recsys.data.ingest.file_formats import format_of
from recsys.data.ingest.file_parts import FilePart, GroupsPart, TextPart
from recsys.data.ingest.file_samples import is_blank, parquet_rows, text_rows
from recsys.data.ingest.input_files import InputFile, location_of, sha256_of, size_of, state_of
from recsys.data.ingest.jsonl_blocks import jsonl_blocks
from recsys.data.ingest.parquet_blocks import BLOCK_ROWS, parquet_blocks
from recsys.data.ingest.partitions import PartitionColumns, above_partitions, joined_times, partitions_of
from recsys.data.ingest.source import Batches, Columns
from recsys.data.ingest.text_blocks import BLOCK_BYTES, Advance
from recsys.errors import ConfigError, DataError
from recsys.map_ordered import map_ordered
from recsys.progress import Progress, silent

logger = logging.getLogger(__name__)

_AS_NAMED = FileFormat()

_HEADER_BYTES = 1 << 16
_NAMED = 3
_LOOKING_THREADS = 16
"""Files elsewhere that are looked into at once."""

_JSON = ("jsonl", "json")

_PLAIN = (".csv", ".tsv", ".jsonl", ".ndjson", ".json")
# A block of text, the columns pyarrow makes of it, its ids coded and its times parsed: measured.
_BLOCK_COPIES = 3.5
_BLOCK_ROWS_BYTES = 40 * 2**20
"""A block of Parquet: 2**19 rows of five columns, coded."""


@dataclass(frozen=True)
class FileSource:
    """Files in sorted order, as one log.

    `paths`: files, folders and patterns (`find_files`). `layout`: how they are written. `section`: the section of the
    configuration that says so, for messages that name its keys. `block_bytes`: size of the blocks that text files are
    read in. Columns that are in the names of folders (`date=2024-01-01/`) are read like those in the files.
    Its methods raise DataError for files that are missing, damaged or of no known format.
    """

    paths: tuple[InputFile, ...]
    layout: FileFormat = _AS_NAMED
    section: str = "log"
    block_bytes: int = BLOCK_BYTES

    @staticmethod
    def of(log: LogFiles) -> "FileSource":
        """The files that a log's configuration names."""
        return FileSource(log.paths, log)

    @staticmethod
    def of_items(items: ItemsConfig) -> "FileSource":
        """The files that a catalogue's configuration names."""
        return FileSource(items.path, items, "items")

    @property
    def files(self) -> tuple[InputFile, ...]:
        """The files, in the order of their paths."""
        return self._found.files

    @cached_property
    def _found(self) -> FoundFiles:
        """The files, found once."""
        return find_files(self.paths)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the paths, which are the same on every machine."""
        return tuple(path.name for path in self.paths)

    @property
    def n_repeated(self) -> int:
        """How many more files were found that are one of `files`."""
        return self._found.n_repeated

    @cached_property
    def without_rows(self) -> list[InputFile]:
        """The files that had no rows when they were last read."""
        return []

    @property
    def description(self) -> str:
        """The first file, and how many more there are."""
        more = len(self.files) - 1
        return f"{self.files[0]} and {more} more" if more else str(self.files[0])

    def fingerprint(self) -> str:
        """sha256, in hexadecimal, over the name, size and content of every file.

        Names are relative to the deepest folder that holds all files, so that a log may move as a whole, but have
        every folder of a partition.
        """
        base = above_partitions(PurePath(os.path.commonpath([location_of(file).parent for file in self.files])))
        total = hashlib.sha256()
        for file, digest in self.digests.items():
            total.update(f"{location_of(file).relative_to(base).as_posix()}\0{size_of(file)}\0{digest}\n".encode())
        return total.hexdigest()

    @cached_property
    def digests(self) -> dict[InputFile, str]:
        """sha256 of every file, in hexadecimal; each file is read once, one elsewhere not again after `batches`."""
        return {file: self._copied_digests.get(file) or sha256_of(file) for file in self.files}

    @cached_property
    def _copied_digests(self) -> dict[InputFile, str]:
        """sha256 of the files that lie elsewhere, as far as they have been copied."""
        return {}

    def know_digests(self, digests: Mapping[InputFile, str]) -> None:
        """Take over sha256, in hexadecimal, of files that were read elsewhere."""
        self._copied_digests.update(digests)

    def tell_found(self) -> None:
        """Log what is odd about the files that were found."""
        for note in self._found.notes:
            logger.warning("%s", note)

    def tell_empty(self, empty: Sequence[InputFile]) -> None:
        """Log, and remember, the files without rows."""
        self.without_rows[:] = empty
        if empty:
            logger.warning("%s", _empty(empty, len(self.files)))

    def estimate_rows(self) -> int:
        """Rows in the files, refused ones included.

        Exact for Parquet, by its metadata. Of up to eight text files the first 16 MiB (uncompressed) are read; the
        rest of them, and the other files, are assumed to have as many rows per byte on disk. A line end within
        quotes counts as a row.
        """
        filled = [file for file in self.files if size_of(file)]
        kinds = [self.format_of(file) for file in filled]
        parquet = [file for file, kind in zip(filled, kinds, strict=True) if kind == "parquet"]
        text = [file for file, kind in zip(filled, kinds, strict=True) if kind != "parquet"]
        return sum(map(parquet_rows, parquet)) + text_rows(text, self._has_header)

    def batches(self, columns: Columns, *, progress: Progress = silent) -> Batches:
        """The rows of all files; `progress` counts bytes on disk.

        Files without rows, that changed while they were read, or that hold the same are logged as warnings.
        """
        self.tell_found()
        sizes, in_folders = [size_of(file) for file in self.files], PartitionColumns()
        starts, empty = [0, *accumulate(sizes)], list[InputFile]()
        self.without_rows.clear()
        files = readable_files(self.files, self._copied_digests)
        for file, size, before in zip(files, sizes, starts, strict=False):
            n_batches, report = 0, partial(_report, progress, before, starts[-1])
            for parse in self.batches_of(file, columns, report, in_folders):
                n_batches += 1
                yield parse
            if not n_batches:
                empty.append(file)
            if size_of(file) != size:
                logger.warning("%s: had %d bytes and has %d after it was read", file, size, size_of(file))
        self.tell_empty(empty)

    def size_in_memory(self) -> int:
        """Bytes of the files."""
        return sum(map(size_of, self.files))

    def block_bytes_in_memory(self) -> float:
        """About as many bytes as the largest block has, with what pyarrow and the checks make of it."""
        return max((self._block_of(file) for file in self.files if size_of(file)), default=0.0)

    def _block_of(self, file: InputFile) -> float:
        """A small file is one small block; a compressed file is about five times as large unpacked."""
        size = size_of(file) * (1 if file.suffix in _PLAIN else 5)
        is_parquet = format_of(file, self.layout.format, section=self.section) == "parquet"
        return min(_BLOCK_ROWS_BYTES, size) if is_parquet else _BLOCK_COPIES * min(self.block_bytes, size)

    def marks(self) -> Mapping[str, str]:
        """Size and time of change of each file, in nanoseconds since 1970, by its path."""
        states = {file: state_of(file) for file in self.files}
        return {str(file): f"{state.size}/{state.modified}{state.version}" for file, state in states.items()}

    def check(self, columns: Columns) -> None:
        """Look at the start of every file. Raises DataError if one lacks a column or cannot be read."""
        filled = [file for file in self.files if size_of(file)]
        look = partial(self._look_into, columns, replace(self, block_bytes=_HEADER_BYTES))
        elsewhere = any(not isinstance(file, Path) for file in filled)
        for _ in map_ordered(look, filled, threads=_LOOKING_THREADS) if elsewhere else map(look, filled):
            pass

    def _look_into(self, columns: Columns, brief: "FileSource", file: InputFile) -> None:
        try:
            brief._start(file, columns)
        except DataError:  # a key of JSON objects may be further down in the block that is read
            self._start(file, columns)

    def _start(self, path: InputFile, columns: Columns) -> None:
        """Open a file and find its columns, without parsing more than one row."""
        next(iter(self.batches_of(path, columns, _no_progress, PartitionColumns(), 1)), None)

    def format_of(self, path: InputFile) -> str:
        """csv, tsv, jsonl, json or parquet. Raises ConfigError if `columns` is set and is not for it."""
        kind = format_of(path, self.layout.format, section=self.section)
        if self.layout.columns and kind not in ("csv", "tsv"):
            raise ConfigError(
                f"{self.section}.columns: is for csv and tsv files; {path} has names of its own ({kind})"
            )
        return kind

    def _has_header(self, path: InputFile) -> bool:
        return self.format_of(path) in ("csv", "tsv") and not self.layout.columns

    def batches_of(
        self,
        path: InputFile,
        columns: Columns,
        advance: Advance,
        in_folders: PartitionColumns,
        block_rows: int = BLOCK_ROWS,
        part: FilePart | None = None,
    ) -> Batches:
        """The rows of one file, or of a part of it.

        `in_folders`: tells once of columns that the names of folders contradict.
        """
        # The format of a file of no bytes does not matter: it may be a marker (`day.done`).
        if not size_of(path) or is_blank(path, kind := self.format_of(path)):
            return iter(())
        in_path = partitions_of(path)
        columns = replace(columns, in_path={**in_path, **joined_times(in_path, columns.names.values())})
        if kind == "parquet":
            limit, groups = (
                ExpansionLimit.of(self.layout, self.section),
                part if isinstance(part, GroupsPart) else None,
            )
            batches = parquet_blocks(path, columns, advance=advance, block_rows=block_rows, limit=limit, part=groups)
            return in_folders.added(batches, columns, path)
        read = jsonl_blocks if kind in _JSON else partial(csv_blocks, kind=kind)
        text = part if isinstance(part, TextPart) else None
        batches = read(path, columns, self.layout, advance=advance, block_bytes=self.block_bytes, part=text)
        return in_folders.added(batches, columns, path)


def _no_progress(position: float) -> None:
    """Progress that is not shown."""


def _report(progress: Progress, before: int, total: int, position: float) -> None:
    progress("read", before + position, total)


def _empty(files: Sequence[InputFile], n_files: int) -> str:
    if n_files == 1:
        return f"{files[0]}: the file holds no rows"
    shown = ", ".join(map(str, files[:_NAMED])) + (", ..." if len(files) > _NAMED else "")
    return f"{len(files)} of {n_files} files hold no rows: {shown}"
