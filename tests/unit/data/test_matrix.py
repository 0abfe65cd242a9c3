"""InteractionMatrix and canonical CSR."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.data.id_map import IdMap
from recsys.data.matrix import InteractionMatrix, check_canonical, csr_from_pairs, load_csr, save_csr
from recsys.errors import ArtifactError, DataError

TABLE = np.array([[1, 0, 2], [0, 0, 0.5]], np.float32)


def map_of(ids):
    return IdMap.of(list(ids))[0]


@pytest.fixture
def matrix():
    return InteractionMatrix(map_of("uv"), map_of("abc"), sp.csr_matrix(TABLE))


def test_shape_is_that_of_the_maps(matrix):
    assert (matrix.n_users, matrix.n_items) == (2, 3)
    with pytest.raises(DataError, match=r"\(2, 3\), expected \(2, 2\)"):
        InteractionMatrix(map_of("uv"), map_of("ab"), matrix.csr)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4), st.sampled_from([0.5, 1, 2])), min_size=0, max_size=30)
)
@settings(max_examples=50, deadline=None)
def test_pairs_become_canonical_csr(triples):
    dense = np.zeros((4, 5), np.float32)
    for row, col, weight in triples:
        dense[row, col] += weight
    row, col, weight = (list(part) for part in zip(*triples, strict=True)) if triples else ([], [], [])
    csr = csr_from_pairs(np.array(row, np.int32), np.array(col, np.int32), np.array(weight, np.float32), (4, 5))
    check_canonical(csr)
    np.testing.assert_array_equal(csr.toarray(), dense)


def raw(data, indices, indptr, dtype=np.float32, places=np.int32):
    csr = sp.csr_matrix((2, 3), dtype=dtype)
    csr.data, csr.indices, csr.indptr = np.array(data, dtype), np.array(indices, places), np.array(indptr, places)
    return csr


@pytest.mark.parametrize(
    ("csr", "complaint"),
    [
        (raw([1, 2], [0, 2], [0, 2, 2], dtype=np.float64), "float64"),
        (raw([1, 2], [0, 2], [0, 2, 2], places=np.int64), "int64"),
        (raw([1, 2], [2, 0], [0, 2, 2]), "unsorted or repeated"),
        (raw([1, 2], [1, 1], [0, 2, 2]), "unsorted or repeated"),
        (raw([1, 2], [0, 3], [0, 2, 2]), "indices"),
        (raw([1, 2], [-1, 2], [0, 2, 2]), "indices"),
        (raw([1, 2], [0, 2], [0, 2, 1]), "ind"),
        (raw([1, 0], [0, 2], [0, 2, 2]), "finite and above zero"),
        (raw([1, -1], [0, 2], [0, 2, 2]), "finite and above zero"),
        (raw([1, np.nan], [0, 2], [0, 2, 2]), "finite and above zero"),
        (raw([1, np.inf], [0, 2], [0, 2, 2]), "finite and above zero"),
    ],
)
def test_what_is_not_canonical_is_refused(csr, complaint):
    with pytest.raises(DataError, match=complaint):
        check_canonical(csr)


def test_an_empty_matrix_is_canonical():
    check_canonical(sp.csr_matrix((0, 0), dtype=np.float32))
    check_canonical(sp.csr_matrix((2, 3), dtype=np.float32))


def test_over_other_items(matrix):
    other = matrix.over_items(map_of("0acz"))
    check_canonical(other)
    np.testing.assert_array_equal(other.toarray(), [[0, 1, 2, 0], [0, 0, 0.5, 0]])
    np.testing.assert_array_equal(matrix.over_items(map_of("bz")).toarray(), np.zeros((2, 2)))


def test_save_and_load(tmp_path, matrix):
    matrix.save(tmp_path / "matrix")
    loaded = InteractionMatrix.load(tmp_path / "matrix")
    assert loaded.users.ids.equals(matrix.users.ids)
    assert loaded.items.ids.equals(matrix.items.ids)
    np.testing.assert_array_equal(loaded.csr.toarray(), TABLE)
    assert loaded.csr.dtype == np.float32


def test_load_csr_of_another_shape_is_refused(tmp_path):
    save_csr(sp.csr_matrix(TABLE), tmp_path / "x")
    with pytest.raises(ArtifactError, match=r"\(5, 3\) CSR matrix"):
        load_csr(tmp_path / "x", (5, 3))


@pytest.mark.parametrize("part", ["indptr", "indices", "data"])
@pytest.mark.parametrize("damage", ["missing", "truncated", "shorter", "out of range"])
def test_damage_is_an_artifact_error(tmp_path, matrix, part, damage):
    matrix.save(tmp_path)
    path = tmp_path / f"matrix.{part}.npy"
    array = np.load(path)
    if damage == "missing":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:-2])
    elif damage == "shorter":
        np.save(path, array[:-1])
    else:
        np.save(path, np.full_like(array, -7))
    with pytest.raises(ArtifactError):
        InteractionMatrix.load(tmp_path)


def test_items_without_entries_are_empty_columns_in_the_order_of_the_ids(matrix):
    more, _ = IdMap.of([*matrix.items.ids.to_pylist(), "", "zz"])
    wider = matrix.with_items(more)
    assert wider.items.ids.equals(more.ids)
    assert wider.item_degree[[0, -1]].tolist() == [0, 0]
    np.testing.assert_array_equal(wider.csr.toarray()[:, 1:-1], matrix.csr.toarray())
    np.testing.assert_array_equal(wider.item_degree[1:-1], matrix.item_degree)
    assert matrix.with_items(matrix.items) is matrix
