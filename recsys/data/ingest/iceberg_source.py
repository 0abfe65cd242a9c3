"""IcebergSource: the rows of an Apache Iceberg table, as its newest snapshot has them."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import pyarrow as pa
import pyarrow.fs as pa_fs

from recsys.config import FileFormat, ItemsConfig, LogFiles
from recsys.data.ingest.column_types import check_types, with_coded_ids
from recsys.data.ingest.hashed_reads import HashedReads
from recsys.data.ingest.input_files import InputFile
from recsys.data.ingest.source import Batches, Columns, RawBatch
from recsys.errors import ConfigError, DataError
from recsys.extras import install
from recsys.progress import Progress, silent
from recsys.remote.file_systems import iceberg_options, object_store
from recsys.remote.remote_path import AZURE, RemotePath

FORMAT = "iceberg"
"""The `format` of files that are one table."""

_METADATA = ".metadata.json"
_VERSION = re.compile(r"v?(\d+)\b.*")
_BATCH_BYTES = 40 * 2**20
_BYTES_PER_VALUE = 16


@dataclass(frozen=True)
class IcebergSource:
    """The table in the folder `path`, or that of the metadata file `path`, at its newest snapshot; counted from 1.

    Of a folder, the metadata file with the highest number is looked up once. Deleted rows are not read. `section`:
    of the configuration, for messages. `columns`: what the fingerprint is of. Its methods raise DataError if there is
    no such table or it cannot be read; ConfigError if `pyiceberg` is not installed.
    """

    path: InputFile
    columns: Columns
    section: str = "log"
    _reads: HashedReads = field(default_factory=HashedReads, compare=False)

    @staticmethod
    def of(section: LogFiles | ItemsConfig, paths: tuple[InputFile, ...], columns: Columns) -> "IcebergSource":
        """The table that a section names. Raises ConfigError if it names more than one."""
        if len(paths) != 1:
            raise ConfigError(
                f'{columns.section}.format = "iceberg": expected one folder, the table; got {len(paths)}'
            )
        return IcebergSource(paths[0], columns, columns.section)

    @property
    def description(self) -> str:
        """The table and its snapshot."""
        return f"{self.path} ({self._snapshot})"

    @property
    def names(self) -> tuple[str, ...]:
        """The name of the table's folder."""
        return (self.path.name,)

    @property
    def _snapshot(self) -> str:
        newest = self._table.metadata.current_snapshot_id
        return "no snapshot" if newest is None else f"snapshot {newest}"

    @cached_property
    def _table(self) -> Any:
        iceberg = _package(self.section)
        options = iceberg_options(self.path) if isinstance(self.path, RemotePath) else {}
        with self._errors():
            io = iceberg.io.pyarrow.PyArrowFileIO(options)  # the table's own properties may not say how to connect
            found = _metadata_file(self.path)
            metadata = iceberg.serializers.FromInputFile.table_metadata(io.new_input(found))
            return iceberg.table.StaticTable(
                ("table", found), metadata, found, io, iceberg.catalog.noop.NoopCatalog("none")
            )

    @cached_property
    def _schema(self) -> pa.Schema:
        with self._errors():
            return pa.schema(self._table.schema().as_arrow())

    @cached_property
    def _files(self) -> list[Any]:
        with self._errors():
            return list(self._table.scan().plan_files())

    def fingerprint(self) -> str:
        """sha256, in hexadecimal, of the rows in any order; that of the last complete read, if there was one."""
        return self._reads.fingerprint(lambda: self.batches(self.columns))

    def estimate_rows(self) -> int:
        """As its files count them; deleted ones included."""
        return sum(each.file.record_count for each in self._files)

    def size_in_memory(self) -> int:
        """By the number of rows."""
        return self.estimate_rows() * len(self.columns.names) * _BYTES_PER_VALUE

    def block_bytes_in_memory(self) -> float:
        """Of the largest file, because its rows come together."""
        rows = max((each.file.record_count for each in self._files), default=0)
        return max(_BATCH_BYTES, rows * len(self.columns.names) * _BYTES_PER_VALUE)

    def marks(self) -> Mapping[str, str]:
        """The newest snapshot."""
        return {str(self.path): IcebergSource(self.path, self.columns, self.section)._snapshot}

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
        """Batches with rows, file by file: pyiceberg holds the rows of all files that it is given."""
        with self._errors():
            scan = self._table.scan(selected_fields=tuple(names))
            reads = _package(self.section).io.pyarrow.ArrowScan(
                scan.table_metadata, scan.io, scan.projection(), scan.row_filter, scan.case_sensitive
            )
            for file in self._files:
                for batch in reads.to_record_batches([file]):
                    if len(batch):
                        yield batch

    def _parsed(self, names: Mapping[str, str], batch: pa.RecordBatch, first: int) -> RawBatch:
        plain = _with_types(batch, self._schema)
        places = {key: plain.schema.get_field_index(name) for key, name in names.items()}
        return with_coded_ids(RawBatch.numbered(self.description, plain, places, first=first))

    def _places(self, columns: Columns) -> dict[str, int]:
        places = columns.places(self.description, self._schema.names)
        check_types(self.description, self._schema, places)
        return places

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Errors of the package as ours, without secrets."""
        known = (pa.ArrowException, OSError, ValueError, LookupError, TypeError, NotImplementedError)
        try:
            yield
        except (*known, _package(self.section).exceptions.ResolveError) as error:
            said = " ".join(str(error).split())[:300]
            said = self.path.hide(said) if isinstance(self.path, RemotePath) else said
            raise DataError(f"{self.path}: cannot be read as an Iceberg table: {said}") from None


def _metadata_file(path: InputFile) -> str:
    """The newest metadata file of a table. Raises OSError, ValueError if there is no single one."""
    system: pa_fs.FileSystem = pa_fs.LocalFileSystem()
    folder = place = str(path)
    if isinstance(path, RemotePath):
        system, folder = object_store(path)
        login = f"{path.target.login}@" if path.target.kind == AZURE else ""
        place = f"{path.target.kind}://{login}{path.target.host}/{path.key}"
    if place.endswith(_METADATA):
        return place
    found = system.get_file_info(pa_fs.FileSelector(f"{folder}/metadata"))
    names = [each.base_name for each in found if each.base_name.endswith(_METADATA)]
    return f"{place}/metadata/{_newest(names)}"


def _newest(names: list[str]) -> str:
    numbers = {name: int(match[1]) for name in names if (match := _VERSION.fullmatch(name))}
    newest = sorted(name for name, number in numbers.items() if number == max(numbers.values()))
    if len(newest) != 1:
        told = f"{newest[0]} and {newest[1]} have the same number; name one of them" if newest else "there is none"
        raise ValueError(f"expected a newest file metadata/NUMBER...{_METADATA}: {told}")
    return newest[0]


def _with_types(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The batch with the types of the table, because files that were written before a change have others."""
    return batch.cast(pa.schema([schema.field(name) for name in batch.schema.names]))


def _package(section: str) -> Any:
    try:
        import pyiceberg.catalog.noop  # noqa: PLC0415  (of the extra `lake`)
        import pyiceberg.exceptions  # noqa: PLC0415
        import pyiceberg.io.pyarrow  # noqa: PLC0415
        import pyiceberg.serializers  # noqa: PLC0415
        import pyiceberg.table  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError(
            f'{section}.format = "iceberg": needs pyiceberg, which is not installed; {install("lake")}'
        ) from error
    return pyiceberg


def is_iceberg(layout: FileFormat) -> bool:
    """Whether the files of a section are one Iceberg table."""
    return layout.format == FORMAT
