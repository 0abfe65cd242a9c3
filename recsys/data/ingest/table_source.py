"""TableSource: an Arrow table as a log, and with it the data frames of polars and other libraries."""

from dataclasses import dataclass
from functools import partial

import pandas as pd
import pyarrow as pa

from recsys.data.ingest.column_types import check_types
from recsys.data.ingest.frame_source import FrameSource
from recsys.data.ingest.source import Batches, Columns, RawBatch, Source
from recsys.errors import DataError
from recsys.progress import Progress, silent

_BLOCK_ROWS = 1 << 19


def source_of(data: object) -> Source:
    """The source of a table in memory.

    `data`: a pandas DataFrame, a pyarrow Table or RecordBatch, or any object with `__arrow_c_stream__` (the Arrow
    PyCapsule interface), such as a polars DataFrame.
    Raises DataError for anything else.
    """
    if isinstance(data, pd.DataFrame):
        return FrameSource(data)
    if isinstance(data, pa.RecordBatch):
        return TableSource(pa.Table.from_batches([data]))
    if isinstance(data, pa.Table):
        return TableSource(data)
    if hasattr(data, "__arrow_c_stream__"):
        return TableSource(pa.table(data))
    raise DataError(
        f"the data frame: got {type(data).__name__}; expected a pandas, polars or Arrow table, or files (FileSource)"
    )


@dataclass(frozen=True, eq=False)
class TableSource:
    """The rows of `table`, counted from 1, up to `block_rows` per batch."""

    table: pa.Table
    block_rows: int = _BLOCK_ROWS

    @property
    def description(self) -> str:
        """Its name in messages."""
        return "the table"

    def fingerprint(self) -> str:
        """As that of a pandas frame of the same columns."""
        return FrameSource(self.table.to_pandas(types_mapper=pd.ArrowDtype)).fingerprint()

    def estimate_rows(self) -> int:
        """The number of rows, exactly."""
        return int(self.table.num_rows)

    def batches(self, columns: Columns, *, progress: Progress = silent) -> Batches:
        """Its rows; `progress` counts rows.

        Raises DataError if a column is missing or of a type that cannot be read.
        """
        places = columns.places(self.description, self.table.column_names)
        check_types(self.description, self.table.schema, places)
        chosen = {key: self.table.column_names[place] for key, place in places.items()}
        used = self.table.select(sorted(set(chosen.values())))
        for start in range(0, used.num_rows, self.block_rows):
            part = used.slice(start, self.block_rows).combine_chunks().to_batches()[0]
            at = {key: part.schema.get_field_index(name) for key, name in chosen.items()}
            yield partial(RawBatch.numbered, self.description, part, at, first=start + 1)
            progress("read", start + len(part), used.num_rows)
