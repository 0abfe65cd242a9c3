"""Parquet files as batches of raw rows, with the number of each row."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from recsys.data.ingest.column_types import check_types
from recsys.data.ingest.source import ITEM, USER, Batches, Columns, Parse, RawBatch
from recsys.data.ingest.text_blocks import Advance
from recsys.errors import DataError

BLOCK_ROWS = 1 << 19


def parquet_blocks(path: Path, columns: Columns, *, advance: Advance, block_rows: int = BLOCK_ROWS) -> Batches:
    """The rows of a file, counted from 1; only `columns` are read, up to `block_rows` rows at a time.

    Raises DataError if the file lacks a column or has one that cannot be read, or is not a complete Parquet file.
    """
    try:
        schema = pq.read_schema(path)
        places = columns.places(str(path), schema.names)
        check_types(str(path), schema, places)
        found = {key: schema.names[place] for key, place in places.items()}
        # Repeated strings are read dictionary-coded, as the file stores them, which saves encoding them again.
        coded = [name for key, name in found.items() if key in (USER, ITEM) and _is_text(schema.field(name).type)]
        with pq.ParquetFile(path, read_dictionary=coded) as file:
            batches = file.iter_batches(block_rows, columns=sorted(set(found.values())))
            yield from _numbered(batches, path, found, n_rows=file.metadata.num_rows, advance=advance)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as Parquet: {error}") from error


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind))


def _numbered(
    batches: Iterator[pa.RecordBatch], path: Path, names: dict[str, str], *, n_rows: int, advance: Advance
) -> Iterator[Parse]:
    size, done = path.stat().st_size, 0
    for batch in batches:
        places = {key: batch.schema.get_field_index(name) for key, name in names.items()}
        yield partial(RawBatch.numbered, str(path), batch, places, first=done + 1)
        done += len(batch)
        advance(size * done / n_rows)
