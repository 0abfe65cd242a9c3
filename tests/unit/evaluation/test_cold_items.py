import numpy as np
import pyarrow as pa
import pytest

from recsys.config import EvaluateConfig
from recsys.data.id_map import IdMap
from recsys.data.matrix import InteractionMatrix, csr_from_pairs
from recsys.data.splits.hidden_items import HiddenItems, hide_items
from recsys.evaluation.cold_items import of_content, of_popularity, random_order, score_cold_items
from recsys.evaluation.metrics import ACCURACY

N_USERS, N_ITEMS, N_GROUPS = 60, 40, 4


@pytest.fixture
def hidden() -> HiddenItems:
    """Users take items of their own group alone."""
    rng = np.random.default_rng(0)
    own = np.arange(N_USERS)[:, None] % N_GROUPS == np.arange(N_ITEMS) % N_GROUPS
    dense = own & (rng.random((N_USERS, N_ITEMS)) < 0.7)
    row, col = (each.astype(np.int32) for each in np.nonzero(dense))
    csr = csr_from_pairs(row, col, np.ones(len(row), np.float32), dense.shape)
    users, _ = IdMap.of(pa.array([f"u{at:02}" for at in range(N_USERS)]))
    items, _ = IdMap.of(pa.array([f"i{at:02}" for at in range(N_ITEMS)]))
    return hide_items(InteractionMatrix(users, items, csr), 0.3, seed=1)


def _groups() -> np.ndarray:
    vectors = np.zeros((N_ITEMS, N_GROUPS), np.float32)
    vectors[np.arange(N_ITEMS), np.arange(N_ITEMS) % N_GROUPS] = 1
    return vectors


def test_content_that_tells_the_group_finds_the_hidden_items(hidden: HiddenItems) -> None:
    contestants = {"content": of_content(_groups())}
    among_hidden, among_all = score_cold_items(contestants, hidden, (10,), EvaluateConfig(bootstrap=50))
    assert among_hidden["content"]["recall@10"].mean == pytest.approx(1.0)
    assert among_hidden["random"]["recall@10"].mean < 0.95
    assert 0 < among_all["content"]["recall@10"].mean <= 1


def test_an_item_that_may_not_be_listed_is_not(hidden: HiddenItems) -> None:
    popularity = np.ones(N_ITEMS)
    popularity[hidden.items] = 0
    contestants = {"others": of_popularity("others", popularity)}
    among_hidden, among_all = score_cold_items(contestants, hidden, (5,), EvaluateConfig(bootstrap=50))
    assert among_hidden["others"]["recall@5"].mean == 0
    assert among_all["others"]["recall@5"].mean == 0


def test_the_expectation_of_a_random_order_is_the_mean_over_many_orders() -> None:
    rng = np.random.default_rng(0)
    n_relevant, n_items, cutoffs = np.array([3, 7]), np.array([20, 9]), (5, 10)
    expected = random_order(n_relevant, n_items, cutoffs)
    for user in range(2):
        relevant = np.arange(n_items[user]) < n_relevant[user]
        orders = np.stack([rng.permutation(relevant) for _ in range(20_000)])
        hits = np.zeros((len(orders), 10), bool)
        hits[:, : min(10, n_items[user])] = orders[:, :10]
        for name in ("recall", "ndcg"):
            drawn = ACCURACY[name](hits, np.full(len(orders), n_relevant[user]), cutoffs).mean(axis=0)
            assert expected[f"{name}@5"][user] == pytest.approx(drawn[0], abs=0.01)
            assert expected[f"{name}@10"][user] == pytest.approx(drawn[1], abs=0.01)
