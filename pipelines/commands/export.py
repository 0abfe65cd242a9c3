"""export: every user's list as one file, written as it is computed."""

import json
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet

from recsys.engine import Engine
from recsys.errors import ConfigError
from recsys.progress import Progress
from recsys.retrieval.topk import TopK
from recsys.storage import storage_errors

SCHEMA = pa.schema(
    [
        ("user_id", pa.string()),
        ("item_id", pa.string()),
        ("rank", pa.int32()),
        ("score", pa.float32()),
        ("model_version", pa.string()),
    ]
)
"""One row per recommendation; ranks start at 1."""

_BATCH = 1_024


class _Writer(Protocol):
    def write_table(self, table: pa.Table) -> None: ...


def export(engine: Engine, out: Path, *, k: int, progress: Progress, filter: str | None = None) -> int:
    """Write every user's k best unseen items to `out` (.parquet, .csv or .jsonl). Returns the rows written.

    `filter`: a condition on the items' attributes. Memory is bounded by a few batches of users; `out` appears whole
    or not at all. Raises FilterError, and ConfigError for another ending or if the folder does not exist.
    """
    if out.suffix not in _WRITERS:
        raise ConfigError(f"--out {out}: got the ending {out.suffix!r}, expected one of {', '.join(_WRITERS)}")
    if not out.parent.is_dir():
        raise ConfigError(f"--out {out}: the folder {out.parent} does not exist")
    n_users = len(engine.user_ids) + len(engine.folded_user_ids)
    with (
        storage_errors(out, doing="while the lists were written"),
        _replacing(out) as partial,
        _WRITERS[out.suffix](partial) as writer,
    ):
        rows = done = 0
        for user_ids, top in engine.iter_all(k, batch=_BATCH, filter=filter):
            table = _table(engine, user_ids, top)
            writer.write_table(table)
            rows, done = rows + table.num_rows, done + len(top)
            progress("export", done, n_users)
    return rows


@contextmanager
def _replacing(out: Path) -> Iterator[Path]:
    """A file beside `out` to write into; it replaces `out` if the block ends well, and is removed if not."""
    partial = out.with_name(f".{out.name}.partial")
    try:
        yield partial
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)


def _table(engine: Engine, user_ids: Sequence[str], top: TopK) -> pa.Table:
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
    """One JSON object per line; a score is the shortest text that gives the same float32 back."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")

    def __enter__(self) -> "_JsonLines":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write_table(self, table: pa.Table) -> None:
        fields = []
        for before, name in zip("{" + "," * (table.num_columns - 1), table.column_names, strict=True):
            fields += [f'{before}"{name}":', _json_texts(table[name].combine_chunks())]
        lines = pc.binary_join_element_wise(*fields, "}\n", "")
        self._file.write("".join(lines.to_pylist()).encode())


def _json_texts(values: pa.Array) -> pa.Array:
    """Each value as JSON writes it."""
    if not pa.types.is_string(values.type):
        return values.cast(pa.string())  # Arrow writes the shortest text of a float32
    distinct = values.dictionary_encode()
    return pa.array(map(json.dumps, distinct.dictionary.to_pylist()), pa.string()).take(distinct.indices)


def _parquet(path: Path) -> AbstractContextManager[_Writer]:
    writer: AbstractContextManager[_Writer] = pa_parquet.ParquetWriter(
        path, SCHEMA, compression="zstd", use_dictionary=[name for name in SCHEMA.names if name != "score"]
    )
    return writer


def _csv(path: Path) -> AbstractContextManager[_Writer]:
    writer: AbstractContextManager[_Writer] = pa_csv.CSVWriter(path, SCHEMA)
    return writer


_WRITERS = {".parquet": _parquet, ".csv": _csv, ".jsonl": _JsonLines}
