"""Logs for the tests of Spark's parts."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys.data.id_map import IdMap
from recsys.data.interactions import Interactions
from recsys.data.matrix import Csr
from recsys.spark.row_blocks import BlocksShape, StoredBlocks, split_rows


@pytest.fixture(scope="session")
def random_log() -> Callable[..., Interactions]:
    """random_log(seed=0, n_users=60, n_items=25, n=600, times=True): events in a random order; not of all users."""

    def make(
        seed: int = 0, n_users: int = 60, n_items: int = 25, n: int = 600, *, times: bool = True
    ) -> Interactions:
        rng = np.random.default_rng(seed)
        names = [f"u{at:04d}" for at in range(n_users)], [f"i{at:03d}" for at in range(n_items)]
        users, items = (IdMap.of(pa.array(ids))[0] for ids in names)
        active = rng.permutation(n_users)[: n_users * 9 // 10]
        return Interactions(
            users=users,
            items=items,
            user_idx=active[(rng.random(n) ** 2 * len(active)).astype(int)].astype(np.int32),
            item_idx=(rng.random(n) ** 2 * n_items).astype(np.int32),
            value=rng.integers(1, 6, n).astype(np.float32),
            timestamp=1_600_000_000 + rng.integers(0, 40 * 86_400, n) if times else None,
            event=rng.integers(0, 2, n).astype(np.int8),
            event_names=("buy", "view"),
        )

    return make


@pytest.fixture(scope="session")
def store_blocks() -> Callable[..., StoredBlocks]:
    """store_blocks(matrix, folder, block_entries): a matrix of this process, stored as Spark stores it."""

    def store(matrix: Csr, folder: Path, block_entries: int) -> StoredBlocks:
        blocks = list(split_rows(matrix, block_entries))
        stored = StoredBlocks(folder, BlocksShape(*matrix.shape, matrix.nnz, len(blocks)))
        stored.table.mkdir(parents=True)
        for block in blocks:
            pq.write_table(
                pa.Table.from_batches([block.to_batch()]), stored.table / f"part-{block.number:05d}.parquet"
            )
        stored.write_shape()
        return stored

    return store
