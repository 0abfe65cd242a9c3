"""Parquet files as blocks of raw rows, every row with its number."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recsys.data.ingest.raw_rows import ITEM, USER, Blocks, Parse, RawRows, Wanted
from recsys.data.ingest.text_blocks import Advance
from recsys.errors import DataError

_BLOCK_ROWS = 1 << 19


def parquet_blocks(path: Path, wanted: Wanted, *, advance: Advance) -> Blocks:
    """The rows of a file, counted from 1; only the wanted columns are read.

    Raises DataError where it lacks a column, or is no whole Parquet file.
    """
    try:
        names = pq.read_schema(path).names
        columns = {key: names[place] for key, place in wanted.places(str(path), names).items()}
        # Repeated strings come dictionary-coded from the file as they are, which saves coding them again.
        coded = [name for key, name in columns.items() if key in (USER, ITEM)]
        with pq.ParquetFile(path, read_dictionary=coded) as file:
            yield from _blocks(file, path, columns, advance=advance)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: cannot be read as Parquet: {error}") from error


def _blocks(file: Any, path: Path, names: Mapping[str, str], *, advance: Advance) -> Iterator[Parse]:
    size, n_rows, done = path.stat().st_size, file.metadata.num_rows, 0
    for batch in file.iter_batches(_BLOCK_ROWS, columns=sorted(set(names.values()))):
        columns = {key: batch.column(name) for key, name in names.items()}
        lines = np.arange(done + 1, done + 1 + len(batch), dtype=np.int64)
        yield partial(RawRows, str(path), columns, lines)
        done += len(batch)
        advance(size * done / n_rows)
