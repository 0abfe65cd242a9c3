import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.retrieval.exclusion import drop_excluded, fetch_groups


def test_a_heavy_query_does_not_widen_the_others(excluded):
    exclude = excluded([[], [0], [1, 2], [0, 1, 2], list(range(100)), [5]], 200)
    groups = [(queries.tolist(), width) for queries, width in fetch_groups(6, 10, exclude)]
    assert groups == [([0], 10), ([1, 5], 11), ([2, 3], 13), ([4], 110)]


def test_without_exclusions_all_queries_are_together():
    assert [(queries.tolist(), width) for queries, width in fetch_groups(3, 10, None)] == [([0, 1, 2], 10)]
    assert list(fetch_groups(0, 10, None)) == []


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_the_first_k_that_are_allowed_are_kept(data, answers, excluded):
    n, n_items = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 12))
    k, width = data.draw(st.integers(1, 14)), data.draw(st.integers(1, n_items))
    rows = [data.draw(st.permutations(range(n_items)))[:width] for _ in range(n)]
    left_out = [data.draw(st.lists(st.integers(0, n_items - 1), unique=True)) for _ in range(n)]
    scores = np.tile(-np.arange(width, dtype=np.float32), (n, 1))
    top = drop_excluded(np.array(rows, np.int32), scores, k, exclude=excluded(left_out, n_items))
    expected = [
        [(item, -float(at)) for at, item in enumerate(row) if item not in out][:k]
        for row, out in zip(rows, left_out, strict=True)
    ]
    assert answers(top) == expected
    assert top.k == k
