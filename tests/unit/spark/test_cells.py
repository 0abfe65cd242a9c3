"""Cells: arrays as binary values, shared and not copied, and let go with their table."""

import weakref

import numpy as np
import pyarrow as pa
import pytest

from recsys.spark.cells import cell_in, cell_of, cells_in, row_of
from recsys.spark.stored_vectors import vectors_batch, with_gram

VECTORS = np.arange(12, dtype=np.float32).reshape(4, 3)


def test_a_cell_is_the_array_itself() -> None:
    cell = cell_of(VECTORS)
    found = np.frombuffer(cell_in(cell, 0), np.float32)
    assert np.array_equal(found, VECTORS.ravel())
    assert np.shares_memory(found, VECTORS)


def test_rows_of_a_strided_array_follow_each_other() -> None:
    assert np.frombuffer(cell_in(cell_of(VECTORS[:, 1]), 0), np.float32).tolist() == [1, 4, 7, 10]


@pytest.mark.parametrize("at", [0, 1, 2, 3])
def test_values_of_chunks_and_slices(at: int) -> None:
    values = [b"one", b"", b"three", b"four"]
    column = pa.chunked_array([pa.array([b"zero", *values[:1]])[1:], pa.array([], pa.binary()), pa.array(values[1:])])
    assert cell_in(column, at).to_pybytes() == values[at]
    assert [cell.to_pybytes() for cell in cells_in(column)] == values


def test_a_row_that_is_not_there() -> None:
    with pytest.raises(IndexError):
        cell_in(cell_of(VECTORS), 1)


def test_a_row_has_numbers_and_cells_in_the_order_of_its_schema() -> None:
    schema = pa.schema([("block", pa.int32()), ("vectors", pa.binary()), ("first", pa.int64())])
    row = row_of(schema, 3, VECTORS, 1 << 40)
    assert row.schema == schema
    assert row.to_pylist() == [{"block": 3, "vectors": VECTORS.tobytes(), "first": 1 << 40}]
    with pytest.raises(ValueError, match="zip"):
        row_of(schema, 3, VECTORS)


def test_an_empty_array() -> None:
    assert cell_in(cell_of(np.zeros((0, 3), np.float32)), 0).size == 0


def test_vectors_are_let_go_with_their_batch() -> None:
    """pyarrow kept what it was given as a memoryview: a worker held all that it had ever written."""
    for write in (vectors_batch, with_gram):
        vectors = VECTORS.copy()
        held = weakref.ref(vectors)
        batch = write(0, 0, vectors)
        del vectors
        assert held() is not None
        del batch
        assert held() is None
