"""Row blocks: what is cut, written and read by Spark is the same matrix."""

import weakref
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse as sp

from recsys.data.matrix import Csr
from recsys.errors import ArtifactError, DataError
from recsys.spark.row_blocks import (
    BlocksShape,
    RowBlock,
    StoredBlocks,
    blocks_of,
    concatenated,
    cut_rows,
    split_rows,
)


def a_matrix(n_rows: int = 50, n_columns: int = 20) -> Csr:
    found = sp.random(n_rows, n_columns, density=0.2, format="csr", dtype=np.float32, rng=np.random.default_rng(3))
    found.indices, found.indptr = found.indices.astype(np.int32), found.indptr.astype(np.int32)
    found.sort_indices()
    return Csr(found)


def same(one: Csr, other: Csr) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in ("indptr", "indices", "data"))


@pytest.mark.parametrize("block_entries", [1, 7, 30, 10_000])
def test_blocks_hold_the_matrix_in_any_order(block_entries: int) -> None:
    matrix = a_matrix()
    batches = [block.to_batch() for block in split_rows(matrix, block_entries)][::-1]
    found = [block for batch in batches for block in blocks_of(batch, matrix.shape[1])]
    assert same(concatenated(found), matrix)
    assert all(block.rows.nnz <= block_entries or block.rows.shape[0] == 1 for block in found)


def test_every_row_is_in_one_block_even_empty_ones() -> None:
    lengths = np.array([0, 0, 5, 9, 0, 2, 0], np.int32)
    assert cut_rows(lengths, 5).tolist() == [0, 3, 4, 7]


def test_spark_gives_back_the_blocks_that_were_written(spark, tmp_path: Path) -> None:
    matrix = a_matrix()
    table = pa.Table.from_batches([block.to_batch() for block in split_rows(matrix, 40)])
    stored = StoredBlocks(tmp_path, BlocksShape(*matrix.shape, matrix.nnz, table.num_rows))
    spark.createDataFrame(table).repartition(3).write.parquet(str(stored.table))
    stored.write_shape()
    read = StoredBlocks.load(tmp_path)
    assert read.shape == stored.shape
    assert same(concatenated(blocks_of(read.read(spark).toArrow(), matrix.shape[1])), matrix)


def test_a_table_without_its_shape_is_not_whole(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="no whole matrix in blocks"):
        StoredBlocks.load(tmp_path)


def test_a_block_that_is_too_large_for_a_cell_is_refused() -> None:
    with pytest.raises(DataError, match=r"rows 8 to 57 have .* compute\.block_entries"):
        RowBlock(0, 8, a_matrix()).to_batch(most_entries=3)


def test_a_block_is_let_go_with_its_batch() -> None:
    block = next(split_rows(a_matrix(), 10**6))
    held = [weakref.ref(array) for array in (block.rows.data, block.rows.indices)]
    batch = block.to_batch()
    del block
    assert all(each() is not None for each in held)
    del batch
    assert all(each() is None for each in held)
