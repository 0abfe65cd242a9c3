"""export: every user's list as one file, written as it is computed."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet

from recsys.engine import Engine
from recsys.errors import ConfigError
from recsys.progress import Progress
from recsys.retrieval.topk import TopK

SCHEMA = pa.schema(
    [
        ("user_id", pa.string()),
        ("item_id", pa.string()),
        ("rank", pa.int32()),
        ("score", pa.float32()),
        ("model_version", pa.string()),
    ]
)
"""One row a recommendation; ranks start at 1."""

_BATCH = 1_024


class _Writer(Protocol):
    def write_table(self, table: Any) -> None: ...


def export(engine: Engine, out: Path, *, k: int, progress: Progress, filter: str | None = None) -> int:
    """Write every user's k best unseen items to `out` (.parquet, .csv or .jsonl). Returns the rows written.

    `filter`: a condition on the items' attributes. Memory is bounded by a few batches of users; `out` appears whole
    or not at all. Raises FilterError, and ConfigError for another ending, or where the folder does not exist.
    """
    if out.suffix not in _WRITERS:
        raise ConfigError(f"--out {out}: got the ending {out.suffix!r}, expected one of {', '.join(_WRITERS)}")
    if not out.parent.is_dir():
        raise ConfigError(f"--out {out}: the folder {out.parent} does not exist")
    with _replacing(out) as partial, _WRITERS[out.suffix](partial) as writer:
        rows = done = 0
        for user_ids, top in engine.iter_all(k, batch=_BATCH, filter=filter):
            table = _table(engine, user_ids, top)
            writer.write_table(table)
            rows, done = rows + table.num_rows, done + len(top)
            progress("export", done, len(engine.user_ids))
    return rows


@contextmanager
def _replacing(out: Path) -> Iterator[Path]:
    """A file beside `out` to write, which takes its place in the end; where that is not reached, nothing is left."""
    partial = out.with_name(f".{out.name}.partial")
    try:
        yield partial
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)


def _table(engine: Engine, user_ids: Any, top: TopK) -> Any:
    counts, filled = top.counts, top.filled
    rank = np.broadcast_to(np.arange(1, top.k + 1, dtype=np.int32), top.indices.shape)
    columns = [
        pa.array(user_ids, pa.string()).take(pa.array(np.repeat(np.arange(len(top)), counts))),
        engine.item_ids.ids.take(pa.array(top.indices[filled])),
        pa.array(rank[filled]),
        pa.array(top.scores[filled]),
        pa.repeat(engine.version, int(counts.sum())),
    ]
    return pa.table(columns, schema=SCHEMA)


class _JsonLines:
    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")

    def __enter__(self) -> "_JsonLines":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write_table(self, table: Any) -> None:
        table.to_pandas().to_json(self._file, orient="records", lines=True, double_precision=9)


def _parquet(path: Path) -> AbstractContextManager[_Writer]:
    writer: AbstractContextManager[_Writer] = pa_parquet.ParquetWriter(
        path, SCHEMA, compression="zstd", use_dictionary=[name for name in SCHEMA.names if name != "score"]
    )
    return writer


def _csv(path: Path) -> AbstractContextManager[_Writer]:
    writer: AbstractContextManager[_Writer] = pa_csv.CSVWriter(path, SCHEMA)
    return writer


_WRITERS = {".parquet": _parquet, ".csv": _csv, ".jsonl": _JsonLines}
