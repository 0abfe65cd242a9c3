"""Everybody's list as tables, and their way to a target."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from recsys.data.arrays import Indices
from recsys.export.target import Target
from recsys.progress import Progress

if TYPE_CHECKING:  # targets alone are quick to import
    from recsys.engine import Engine
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
"""One row per recommendation; ranks start at 1."""

ENCODED = pa.schema(
    [(each.name, pa.dictionary(pa.int32(), each.type) if each.type == pa.string() else each.type) for each in SCHEMA]
)
"""The same, each text once per batch."""

LISTED_AT_ONCE = 1_024
"""Users whose lists are computed and written together."""


def export_lists(
    engine: "Engine",
    target: Target,
    *,
    k: int,
    progress: Progress,
    filter: str | None = None,
    exclude_seen: bool | None = None,
) -> int:
    """Write every user's k best items to `target`. Returns the rows written.

    `filter`: a condition on the items' attributes. `exclude_seen`: None for what the version was evaluated with.
    Memory is bounded by a few batches of users. Raises FilterError, and what `Target.open` raises.
    """
    n_users, rows, done = engine.n_listed, 0, 0
    with target.open(engine.version) as writer:
        for user_ids, top in engine.iter_all(k, batch=LISTED_AT_ONCE, filter=filter, exclude_seen=exclude_seen):
            lists = list_rows(engine, user_ids, top)
            writer.write(lists)
            rows, done = rows + lists.num_rows, done + len(top)
            progress("export", done, n_users)
    return rows


def list_rows(engine: "Engine", user_ids: Sequence[str], top: "TopK") -> pa.Table:
    """The lists of some users, as `Engine.iter_all` yields them, as rows of ENCODED.

    Only the items of these lists are in their dictionary, however many there are.
    """
    counts, filled = top.counts, top.filled
    rank = np.broadcast_to(np.arange(1, top.k + 1, dtype=np.int32), top.indices.shape)
    listed = top.indices[filled]
    used = np.zeros(len(engine.item_ids), np.bool_)
    used[listed] = True
    number = np.cumsum(used, dtype=np.int32) - np.int32(1)
    columns = [
        _encoded(np.repeat(np.arange(len(top), dtype=np.int32), counts), pa.array(user_ids, pa.string())),
        _encoded(number[listed], engine.item_ids.ids.take(pa.array(np.flatnonzero(used)))),
        pa.array(rank[filled]),
        pa.array(top.scores[filled]),
        _encoded(np.zeros(len(listed), np.int32), pa.array([engine.version])),
    ]
    return pa.table(columns, schema=ENCODED)


def _encoded(number: Indices, texts: pa.Array) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(number), texts)
