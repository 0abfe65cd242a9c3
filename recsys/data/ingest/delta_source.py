"""DeltaSource: the rows of a Delta Lake table, as its newest version has them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from recsys.config import FileFormat, ItemsConfig, LogFiles
from recsys.data.ingest.column_types import check_types, with_coded_ids
from recsys.data.ingest.hashed_reads import HashedReads
from recsys.data.ingest.input_files import InputFile
from recsys.data.ingest.source import Batches, Columns, RawBatch
from recsys.errors import ConfigError, DataError
from recsys.extras import install
from recsys.progress import Progress, silent
from recsys.remote.file_systems import table_options
from recsys.remote.remote_path import RemotePath

FORMAT = "delta"
"""The `format` of files that are one table."""

_BATCH_BYTES = 40 * 2**20
_BYTES_PER_VALUE = 16


@dataclass(frozen=True)
class DeltaSource:
    """The table in the folder `path`, at the version that is the newest when it is first looked at; counted from 1.

    Rows that were deleted or replaced are not read. `section`: of the configuration, for messages. `columns`: what
    the fingerprint is of. Its methods raise DataError if there is no such table or it cannot be read; ConfigError if
    `deltalake` is not installed.
    """

    path: InputFile
    columns: Columns
    section: str = "log"
    _reads: HashedReads = field(default_factory=HashedReads, compare=False)

    @staticmethod
    def of(section: LogFiles | ItemsConfig, paths: tuple[InputFile, ...], columns: Columns) -> "DeltaSource":
        """The table that a section names. Raises ConfigError if it names more than one folder."""
        if len(paths) != 1:
            raise ConfigError(f'{columns.section}.format = "delta": expected one folder, the table; got {len(paths)}')
        return DeltaSource(paths[0], columns, columns.section)

    @property
    def description(self) -> str:
        """The table and its version."""
        return f"{self.path} (version {self._table.version()})"

    @property
    def names(self) -> tuple[str, ...]:
        """The name of the table's folder."""
        return (self.path.name,)

    @cached_property
    def _table(self) -> Any:
        delta = _package(self.section)
        with self._errors():
            if isinstance(self.path, Path):
                return delta.DeltaTable(str(self.path))
            target = self.path.target
            host = f"{target.login}@{target.host}" if target.kind == "abfs" else target.host
            return delta.DeltaTable(
                f"{target.kind}://{host}/{self.path.key}", storage_options=table_options(self.path)
            )

    @cached_property
    def _schema(self) -> pa.Schema:
        with self._errors():
            return pa.schema(self._table.schema().to_arrow())

    def fingerprint(self) -> str:
        """sha256, in hexadecimal, of the rows in any order; that of the last complete read, if there was one."""
        return self._reads.fingerprint(lambda: self.batches(self.columns))

    def estimate_rows(self) -> int:
        """Exact if the table's log counts rows, as writers usually do."""
        with self._errors():
            return int(self._table.count())

    def size_in_memory(self) -> int:
        """By the number of rows."""
        return self.estimate_rows() * len(self.columns.names) * _BYTES_PER_VALUE

    def block_bytes_in_memory(self) -> float:
        """Of a batch, with its copies."""
        return _BATCH_BYTES

    def marks(self) -> Mapping[str, str]:
        """The newest version."""
        newest = DeltaSource(self.path, self.columns, self.section)
        return {str(self.path): str(newest._table.version())}

    def check(self, columns: Columns) -> None:
        """Look at the columns. Raises as `batches`."""
        self._places(columns)

    def batches(self, columns: Columns, *, progress: Progress = silent) -> Batches:
        """Its rows; `progress` counts rows. Raises DataError if a column is missing or cannot be read."""
        places = self._places(columns)
        names = {key: self._schema.names[place] for key, place in places.items()}
        yield from self._reads.batches(
            self._rows(sorted(set(names.values()))),
            partial(self._parsed, names),
            expected=self.estimate_rows(),
            progress=progress,
            remember=columns == self.columns,
        )

    def _rows(self, names: list[str]) -> Iterator[pa.RecordBatch]:
        """Batches with rows, in the order of the files; of a table with deletion vectors in any order."""
        with self._errors():
            features = set(self._table.protocol().reader_features or ())
            if isinstance(self.path, Path) and not features & {"deletionVectors", "columnMapping"}:
                batches = self._table.to_pyarrow_dataset().to_batches(columns=names)
            else:
                batches = _recordbatches(self._table.scan(columns=names))
            for batch in batches:
                if len(batch):
                    yield batch

    def _parsed(self, names: Mapping[str, str], batch: pa.RecordBatch, first: int) -> RawBatch:
        places = {key: batch.schema.get_field_index(name) for key, name in names.items()}
        return with_coded_ids(RawBatch.numbered(self.description, _without_views(batch), places, first=first))

    def _places(self, columns: Columns) -> dict[str, int]:
        places = columns.places(self.description, self._schema.names)
        check_types(self.description, self._schema, places)
        return places

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Errors of the package as ours, without secrets."""
        try:
            yield
        except (pa.ArrowException, OSError, _package(self.section).exceptions.DeltaError) as error:
            said = " ".join(str(error).split())[:300]
            said = self.path.hide(said) if isinstance(self.path, RemotePath) else said
            raise DataError(f"{self.path}: cannot be read as a Delta table: {said}") from None


def _recordbatches(reader: Any) -> Iterator[pa.RecordBatch]:
    return iter(pa.RecordBatchReader.from_stream(reader))


def _without_views(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Texts that the engine sends as views become plain ones."""
    for at, column in enumerate(batch.schema):
        if pa.types.is_string_view(column.type):
            batch = batch.set_column(at, column.name, batch.column(at).cast(pa.string()))
    return batch


def _package(section: str) -> Any:
    try:
        import deltalake  # noqa: PLC0415  (of the extra `lake`)
        import deltalake.exceptions  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError(
            f'{section}.format = "delta": needs deltalake, which is not installed; {install("lake")}'
        ) from error
    return deltalake


def is_delta(layout: FileFormat) -> bool:
    """Whether the files of a section are one Delta table."""
    return layout.format == FORMAT
