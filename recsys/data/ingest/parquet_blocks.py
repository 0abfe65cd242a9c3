"""Parquet files as batches of raw rows, with the number of each row."""

from collections.abc import Iterator, Sequence
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recsys.data.ingest.column_types import check_types
from recsys.data.ingest.expansion import NO_LIMIT, ExpansionLimit
from recsys.data.ingest.file_parts import GroupsPart
from recsys.data.ingest.input_files import InputFile, open_file, size_of
from recsys.data.ingest.source import ITEM, USER, Batches, Columns, Parse, RawBatch
from recsys.data.ingest.text_blocks import Advance
from recsys.errors import DataError

BLOCK_ROWS = 1 << 19

_DECODED_BYTES = 64 << 20
"""Bytes of text in a batch, about; more are read as several batches."""

_NUMBER_BYTES = 8

_MOST_JOINED = 256
"""Batches that are joined to one."""


def parquet_blocks(
    path: InputFile,
    columns: Columns,
    *,
    advance: Advance,
    block_rows: int = BLOCK_ROWS,
    limit: ExpansionLimit = NO_LIMIT,
    part: GroupsPart | None = None,
) -> Batches:
    """The rows of a file, counted from 1; only `columns` are read, up to `block_rows` rows at a time.

    `part`: the rows of that part alone.

    Raises DataError if the file lacks a column or has one that cannot be read, is not a complete Parquet file, or
    becomes more than `limit`.
    """
    try:
        with open_file(path) as source:
            schema = pq.read_schema(source)
        places = columns.places(str(path), schema.names)
        check_types(str(path), schema, places)
        found = {key: schema.names[place] for key, place in places.items()}
        # Repeated strings are read dictionary-coded, as the file stores them, which saves encoding them again, and
        # shows what they will take before they take it.
        coded = [name for name in found.values() if _is_text(schema.field(name).type)]
        with open_file(path) as source, pq.ParquetFile(source, read_dictionary=coded) as file:
            size = size_of(path)
            limit.check(path, _declared_bytes(file.metadata, len(set(found.values()))), size)
            groups = range(file.num_row_groups) if part is None else range(part.start, part.stop)
            names = sorted(set(found.values()))
            batches = _joined(file.iter_batches(block_rows, row_groups=list(groups), columns=names), block_rows)
            texts = [name for key, name in found.items() if key not in (USER, ITEM) and name in coded]
            decoded = _decoded(batches, texts, path=path, size=size, limit=limit)
            before = 0 if part is None else part.rows_before
            n_rows = file.metadata.num_rows if part is None else _rows_in(file.metadata, groups)
            yield from _numbered(decoded, path, found, n_rows=n_rows, before=before, advance=advance)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as Parquet: {error}") from error


def _rows_in(footer: pq.FileMetaData, groups: range) -> int:
    return sum(int(footer.row_group(at).num_rows) for at in groups)


def _joined(batches: Iterator[pa.RecordBatch], most_rows: int) -> Iterator[pa.RecordBatch]:
    """The batches, those of small row groups joined, because each costs a millisecond whatever it holds."""
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        if sum(map(len, waiting)) + len(batch) > most_rows or len(waiting) == _MOST_JOINED:
            yield from _as_one(waiting)
            waiting = []
        waiting.append(batch)
    yield from _as_one(waiting)


def _as_one(batches: list[pa.RecordBatch]) -> list[pa.RecordBatch]:
    if len(batches) < 2:
        return batches
    found: list[pa.RecordBatch] = pa.Table.from_batches(batches).unify_dictionaries().combine_chunks().to_batches()
    return found


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind))


def _declared_bytes(footer: pq.FileMetaData, n_columns: int) -> int:
    """What the file becomes at least, as the footer says: its pages, or a number per row of the columns to read.

    Sizes of single columns are not asked for: pyarrow 26 ends the process if what stands beside them is damaged.
    """
    pages = sum(int(footer.row_group(at).total_byte_size) for at in range(footer.num_row_groups))
    return max(pages, int(footer.num_rows) * _NUMBER_BYTES * n_columns)


def _decoded(
    batches: Iterator[pa.RecordBatch], texts: Sequence[str], *, path: InputFile, size: int, limit: ExpansionLimit
) -> Iterator[pa.RecordBatch]:
    """The batches with plain columns of `texts`, cut so that none has many more than _DECODED_BYTES bytes of text."""
    total = 0
    for batch in batches:
        n_bytes = sum(_text_bytes(batch.column(name)) for name in texts)
        limit.check(path, total := total + n_bytes, size)
        n_parts = -(-n_bytes // _DECODED_BYTES) or 1
        rows = -(-len(batch) // n_parts) or 1
        for start in range(0, len(batch), rows):
            yield _plain(batch.slice(start, rows), texts)


def _text_bytes(column: pa.Array) -> int:
    """Bytes of the values of a column that is dictionary-coded."""
    if not pa.types.is_dictionary(column.type):
        return 0
    return int(pc.sum(pc.binary_length(column.dictionary).take(column.indices).cast(pa.int64())).as_py() or 0)


def _plain(batch: pa.RecordBatch, texts: Sequence[str]) -> pa.RecordBatch:
    for name in texts:
        at = batch.schema.get_field_index(name)
        column = batch.column(at)
        if pa.types.is_dictionary(column.type):
            batch = batch.set_column(at, name, column.dictionary_decode())
    return batch


def _numbered(
    batches: Iterator[pa.RecordBatch],
    path: InputFile,
    names: dict[str, str],
    *,
    n_rows: int,
    before: int,
    advance: Advance,
) -> Iterator[Parse]:
    size, done = size_of(path), 0
    for batch in batches:
        places = {key: batch.schema.get_field_index(name) for key, name in names.items()}
        yield partial(RawBatch.numbered, str(path), batch, places, first=before + done + 1)
        done += len(batch)
        advance(size * min(1.0, done / max(n_rows, 1)))
    if done != n_rows:
        raise DataError(f"{path}: its row groups hold {done:,} rows and its footer counts {n_rows:,}; it is damaged")
