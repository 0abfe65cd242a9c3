import numpy as np
import pytest

from recsys.models.neighbours.nearest import nearest_items, product_blocks, shares

BLOCK = "recsys.models.neighbours.nearest._SIMILARITIES_PER_BLOCK"


@pytest.fixture
def pair(csr):
    """Whole numbers, so that sums are exact and many are equal: float32 (30, 12) and (12, 30)."""
    rng = np.random.default_rng(2)
    left, right = (rng.integers(-2, 3, shape) * (rng.random(shape) < 0.5) for shape in ((30, 12), (12, 30)))
    return csr(left), csr(right)


def _slow(left, right, neighbours):
    product = (left @ right).toarray()
    kept = np.zeros_like(product)
    for item, row in enumerate(product):
        nearest = [at for at in np.argsort(-row, kind="stable") if at != item and row[at] > 0][:neighbours]
        kept[item, nearest] = row[nearest]
    return kept


@pytest.mark.parametrize("neighbours", [1, 4, 29, 100])
@pytest.mark.parametrize("block", [10**6, 200, 1])
def test_the_largest_of_each_row_without_itself_ties_by_lower_column(monkeypatch, pair, neighbours, block):
    monkeypatch.setattr(BLOCK, block)
    found = nearest_items(*pair, neighbours)
    np.testing.assert_array_equal(found.toarray(), _slow(*pair, neighbours))
    assert found.data.min() > 0


def test_blocks_put_together_are_the_product(monkeypatch, pair):
    monkeypatch.setattr(BLOCK, 30 * 7)
    starts, blocks = zip(*product_blocks(*pair), strict=True)
    assert starts == (0, 7, 14, 21, 28)
    np.testing.assert_array_equal(np.vstack(blocks), (pair[0] @ pair[1]).toarray())


def test_shares_are_of_the_rows_sum_and_nothing_has_none(csr):
    result = shares(csr([[1, 3, 0], [0, 0, 0], [0, 0, 5]]))
    np.testing.assert_array_equal(result.toarray(), [[0.25, 0.75, 0], [0, 0, 0], [0, 0, 1]])


def test_progress_reaches_the_number_of_items(monkeypatch, pair):
    monkeypatch.setattr(BLOCK, 30 * 20)
    told = []
    nearest_items(*pair, 3, stage="here", progress=lambda *step: told.append(step))
    assert told == [("here", 20, 30), ("here", 30, 30)]
