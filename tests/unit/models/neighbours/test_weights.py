import numpy as np
import pytest
import scipy.sparse as sp

from recsys.errors import ArtifactError, ModelError
from recsys.models.neighbours.weights import NeighbourWeights

# Item 0 adds 1 to item 1 and 2 to item 2; item 1 adds 4 to item 2; item 3 adds nothing.
WEIGHTS = [[0, 1, 2, 0], [0, 0, 4, 0], [0.5, 0, 0, 0], [0, 0, 0, 0]]


@pytest.fixture
def neighbours(csr):
    return NeighbourWeights(csr(WEIGHTS), 0.5)


def test_a_history_adds_the_sum_of_its_items(neighbours, csr):
    added = neighbours.added(csr([[1, 0, 0, 0], [3, 9, 0, 1], [0, 0, 0, 0], [0, 0, 0, 2]]))
    assert added.has_canonical_format and added.dtype == np.float32
    np.testing.assert_array_equal(added.toarray(), [[0, 0.5, 1, 0], [0, 0.5, 3, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    np.testing.assert_array_equal(neighbours.with_strength(2).added(csr([[1, 0, 0, 0]])).toarray(), [[0, 2, 4, 0]])


def test_other_rows_change_no_bit():
    rng = np.random.default_rng(2)
    weights = sp.random(200, 200, 0.3, format="csr", dtype=np.float32, rng=rng)
    weights.setdiag(0)
    weights.eliminate_zeros()
    neighbours = NeighbourWeights(sp.csr_matrix(weights), 0.37)
    histories = sp.random(60, 200, 0.2, format="csr", dtype=np.float32, rng=rng)
    histories.sort_indices()
    together = neighbours.added(histories)
    for row in range(0, 60, 7):
        np.testing.assert_array_equal(neighbours.added(histories[row]).toarray(), together[row].toarray())


def test_a_small_part_of_many_items_changes_no_bit():
    """A few histories among many items and all of them take different paths."""
    rng = np.random.default_rng(3)
    rows, columns = rng.integers(0, 50, 600), rng.integers(0, 40_000, 600)
    weights = sp.csr_matrix((rng.random(600, np.float32), (rows, columns + 50)), shape=(40_100, 40_100))
    neighbours = NeighbourWeights(weights, 0.37)
    items = np.concatenate([np.sort(rng.choice(50, 20, replace=False)) for _ in range(100)]).astype(np.int32)
    histories = sp.csr_matrix((np.ones(2_000, np.float32), items, np.arange(0, 2_001, 20)), shape=(100, 40_100))
    emphasis = rng.uniform(0.5, 3, 2_000).astype(np.float32)
    together = neighbours.added(histories, emphasis)
    for row in range(0, 100, 9):
        alone = neighbours.added(histories[row], emphasis[20 * row : 20 * row + 20])
        assert alone.has_canonical_format and alone.dtype == np.float32 and alone.indices.dtype == np.int32
        np.testing.assert_array_equal(alone.indices, together[row].indices)
        np.testing.assert_array_equal(alone.data, together[row].data)
    assert neighbours.added(sp.csr_matrix((2, 40_100), dtype=np.float32)).nnz == 0
    assert neighbours.added(histories[:0]).shape == (0, 40_100)


def test_contributions_sum_to_what_is_added(neighbours, csr):
    history, targets = csr([[2, 1, 0, 1]]), np.array([2, 1, 0], np.int32)
    parts = neighbours.contributions(history, targets)
    np.testing.assert_array_equal(parts, [[1, 2, 0], [0.5, 0, 0], [0, 0, 0]])
    np.testing.assert_array_equal(parts.sum(axis=1), neighbours.added(history).toarray()[0, targets])
    assert neighbours.contributions(csr([[0, 0, 0, 0]]), targets).shape == (3, 0)


def test_emphasis_multiplies_what_an_item_adds(neighbours, csr):
    history, targets = csr([[2, 1, 0, 1], [0, 0, 3, 0]]), np.array([2, 1, 0], np.int32)
    times = np.array([3, 0.5, 1, 2], np.float32)
    added = neighbours.added(history, times)
    np.testing.assert_array_equal(added.toarray(), [[0, 1.5, 4, 0], [0.5, 0, 0, 0]])
    parts = neighbours.contributions(history[0], targets, emphasis=times[:3])
    np.testing.assert_array_equal(parts, [[3, 1, 0], [1.5, 0, 0], [0, 0, 0]])
    np.testing.assert_array_equal(
        neighbours.added(history, np.ones(4, np.float32)).toarray(), neighbours.added(history).toarray()
    )


def test_what_does_not_fit_is_refused(neighbours, csr):
    with pytest.raises(ModelError, match="over 3 items, expected 4"):
        neighbours.added(csr([[1, 0, 0]]))
    with pytest.raises(ModelError, match="2 histories, expected one"):
        neighbours.contributions(csr([[1, 0, 0, 0]] * 2), np.zeros(1, np.int32))
    for strength in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ModelError, match="strength"):
            neighbours.with_strength(strength)
    with pytest.raises(ModelError, match="square"):
        NeighbourWeights(csr([[0, 1]]), 1.0)


def test_files(neighbours, tmp_path):
    assert NeighbourWeights.load(tmp_path, 4, None) is None
    neighbours.save(tmp_path)
    again = NeighbourWeights.load(tmp_path, 4, 0.5)
    assert again.strength == 0.5 and (again.weights != neighbours.weights).nnz == 0
    with pytest.raises(ArtifactError, match="neighbours"):
        NeighbourWeights.load(tmp_path, 5, 0.5)
    with pytest.raises(ArtifactError, match="strength -1"):
        NeighbourWeights.load(tmp_path, 4, -1.0)
