import numpy as np
import pytest

from recsys.content.cold_start import nearest
from recsys.content.cold_start.nearest import ContentNeighbours, nearest_by_content, vectors_of_space
from recsys.content.space import ContentSource, ContentSpace
from recsys.retrieval.exact import normalised


def _space(n: int, *, seed: int = 1) -> ContentSpace:
    rng = np.random.default_rng(seed)
    parts = [normalised(rng.standard_normal((n, d)).astype(np.float32)) for d in (6, 4)]
    parts[1][::7] = 0
    return ContentSpace(
        tuple(
            ContentSource(f"s{at}", "tfidf", (), part, weight)
            for at, (part, weight) in enumerate(zip(parts, (1.0, 0.5), strict=True))
        )
    )


@pytest.mark.parametrize("rows", [7, 1000])
def test_blocks_give_what_all_products_give(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    space = _space(60)
    monkeypatch.setattr(nearest, "_ROWS_AT_ONCE", rows)
    targets, among = (
        np.arange(0, 60, 3, dtype=np.int32),
        np.setdiff1d(np.arange(60), np.arange(0, 60, 3)).astype(np.int32),
    )
    found = nearest_by_content(vectors_of_space(space), targets, among, k=5)
    cosines = space.vectors[targets].astype(np.float64) @ space.vectors[among].astype(np.float64).T
    order = np.argsort(-cosines, axis=1)[:, :5]
    np.testing.assert_array_equal(found.indices, among[order])
    np.testing.assert_allclose(found.cosines, np.maximum(np.take_along_axis(cosines, order, 1), 0), atol=1e-6)


def test_fewer_items_than_asked_for_leave_places_empty() -> None:
    found = nearest_by_content(vectors_of_space(_space(5)), np.array([0], np.int32), np.array([2, 3], np.int32), k=4)
    assert found.cosines[0, 2:].tolist() == [0, 0]
    assert found.means(4, 1.0, 5)[0].nnz <= 2


def test_the_weights_of_a_mean_are_powers_of_the_cosine_that_sum_to_one() -> None:
    near = ContentNeighbours(np.array([[4, 1, 0]], np.int32), np.array([[0.5, 0.25, 0.0]], np.float32))
    means = near.means(3, 2.0, 6)
    assert means.toarray()[0].tolist() == pytest.approx([0, 0.2, 0, 0, 0.8, 0])
    assert near.means(1, 2.0, 6).toarray()[0].tolist() == [0, 0, 0, 0, 1, 0]
    assert near.means(3, 0.0, 6).toarray()[0].tolist() == [0, 0.5, 0, 0, 0.5, 0]  # a cosine of zero is no neighbour


def test_an_item_like_no_other_has_no_neighbours() -> None:
    near = ContentNeighbours(np.zeros((1, 2), np.int32), np.zeros((1, 2), np.float32))
    assert near.means(2, 4.0, 3).nnz == 0
