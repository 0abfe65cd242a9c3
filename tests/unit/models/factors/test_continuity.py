from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.data.id_map import IdMap
from recsys.data.matrix import InteractionMatrix
from recsys.errors import ModelError
from recsys.models.factors.als import AlsConfig
from recsys.models.factors.continuity import (
    EarlierEmbeddings,
    aligned,
    carried_over,
    mean_item_cosine,
    share_of_entries,
    shared_rows,
    training_recall,
)
from recsys.models.factors.embeddings import Embeddings
from recsys.models.factors.linear import LinearFactorModel
from recsys.models.registry import fit_model

CONFIG = AlsConfig(factors=4, alpha=2.0, regularization=0.5, iterations=8, threads=1)


def ids(*names):
    return IdMap(pa.array(names))


def embeddings(users, items):
    users, items = (np.array(rows, np.float32) for rows in (users, items))
    return Embeddings(users, items, np.ones(len(items), np.float32))


def model_of(embeddings):
    degree = np.ones(len(embeddings.items), np.float32)
    return LinearFactorModel("svd", embeddings, degree, embeddings.items, "presence")


def matrix(users, items, dense):
    return InteractionMatrix(users, items, sp.csr_matrix(np.array(dense, np.float32)))


def random_fit(seed, n_items=12, d=4):
    rng = np.random.default_rng(seed)
    names = [f"i{at:02}" for at in range(n_items)]
    rows = [rng.standard_normal((n, d), dtype=np.float32) for n in (3, n_items)]
    return EarlierEmbeddings(ids("a", "b", "c"), ids(*names), embeddings(*rows))


@pytest.fixture
def earlier():
    return EarlierEmbeddings(
        ids("ann", "bob", "cy"), ids("x", "z"), embeddings([[1, 2], [3, 4], [5, 6]], [[7, 8], [9, 10]])
    )


def test_vectors_are_carried_over_by_id(earlier):
    now = matrix(ids("bob", "cy", "dee"), ids("w", "x", "y", "z"), np.ones((3, 4)))
    start = carried_over(earlier, now)
    np.testing.assert_array_equal(start.users, [[3, 4], [5, 6], [0, 0]])
    np.testing.assert_array_equal(start.items, [[0, 0], [7, 8], [0, 0], [9, 10]])


def test_shared_rows_are_those_of_the_same_ids():
    before, now = shared_rows(ids("a", "c", "d"), ids("b", "c", "d", "e"))
    assert before.tolist() == [1, 2]
    assert now.tolist() == [1, 2]


def test_entries_count_as_shared_by_their_items(earlier):
    now = matrix(ids("bob", "dee"), ids("w", "x"), [[1, 5], [0, 1]])
    assert share_of_entries(earlier.items, now) == pytest.approx(2 / 3)


def test_cosines_are_of_shared_items_with_a_direction(earlier):
    now = embeddings([[0, 0]], [[1, 0], [8, -7], [0, 0]])
    assert mean_item_cosine(now, ids("w", "x", "z"), earlier) == pytest.approx(0, abs=1e-6)
    assert mean_item_cosine(now, ids("x", "y", "q"), earlier) == pytest.approx(7 / np.hypot(7, 8))
    assert mean_item_cosine(now, ids("p", "q", "z"), earlier) is None


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_alignment_undoes_a_rotation(seed):
    before = random_fit(seed)
    rotation = np.linalg.qr(np.random.default_rng(seed).standard_normal((4, 4)))[0].astype(np.float32)
    vectors = before.embeddings
    turned = replace(vectors, users=vectors.users @ rotation, items=np.ascontiguousarray(vectors.items @ rotation))
    back = aligned(model_of(turned), before.items, before).embeddings
    np.testing.assert_allclose(back.items, vectors.items, atol=1e-4)
    np.testing.assert_allclose(back.users, vectors.users, atol=1e-4)


@settings(max_examples=25)
@given(st.integers(0, 1000))
def test_alignment_changes_no_score_and_is_the_best(seed):
    before, now = random_fit(seed), random_fit(seed + 5000)
    turned = aligned(model_of(now.embeddings), now.items, before).embeddings
    scores = now.embeddings.users @ now.embeddings.scoring_items.T
    np.testing.assert_allclose(turned.users @ turned.scoring_items.T, scores, atol=1e-4)
    best = mean_item_cosine(turned, now.items, before)
    for other in range(5):
        rotation = np.linalg.qr(np.random.default_rng([seed, other]).standard_normal((4, 4)))[0].astype(np.float32)
        rival = replace(turned, items=np.ascontiguousarray(now.embeddings.items @ rotation))
        assert mean_item_cosine(rival, now.items, before) <= best + 1e-5


def test_training_recall_is_of_everybodys_own_items():
    csr = sp.csr_matrix(np.array([[1, 1, 0], [0, 1, 0], [0, 0, 0]], np.float32))
    vectors = embeddings([[1, 0], [1, 0], [1, 1]], [[3, 0], [2, 0], [1, 0]])
    assert training_recall(vectors, csr, k=2) == 1
    assert training_recall(vectors, csr, k=1) == pytest.approx(0.5)


def test_training_recall_looks_at_a_sample():
    csr = sp.csr_matrix(np.eye(4, dtype=np.float32))
    vectors = embeddings(np.eye(4) * [1, -1, 1, -1], np.eye(4))
    assert training_recall(vectors, csr, k=1, users=2) == 1


@pytest.fixture(scope="module")
def nights(groups):
    """Yesterday's fit without u0000, u0020, i0000 and i0015; tonight's log: everything but u0001 and i0001."""
    users, items = np.arange(40, dtype=np.int32), np.arange(30, dtype=np.int32)
    before = _part(groups, users[users % 20 != 0], items[items % 15 != 0])
    model = fit_model(before, CONFIG)
    return EarlierEmbeddings(before.users, before.items, model.embeddings), _part(
        groups, users[users != 1], items[items != 1]
    )


def _part(whole, users, items):
    return InteractionMatrix(whole.users.take(users), whole.items.take(items), whole.csr[users][:, items])


def test_one_iteration_finds_the_place_of_new_users_and_items(nights):
    earlier, now = nights
    fewer = CONFIG.model_copy(update={"iterations": 1})
    vectors = fit_model(now, fewer, start=carried_over(earlier, now)).embeddings
    scores = vectors.users @ vectors.items.T
    second_items = np.array([name >= "i0015" for name in now.items.ids.to_pylist()])
    second_users = np.array([name >= "u0020" for name in now.users.ids.to_pylist()])
    of_user, of_item = scores[now.users.position("u0020")], scores[:, now.items.position("i0015")]
    assert of_user[second_items].mean() > 5 * abs(of_user[~second_items].mean())
    assert of_item[second_users].mean() > 5 * abs(of_item[~second_users].mean())


def test_going_on_keeps_the_space_and_starting_anew_does_not(nights):
    earlier, now = nights
    warm = fit_model(now, CONFIG.model_copy(update={"iterations": 1}), start=carried_over(earlier, now))
    anew = fit_model(now, CONFIG.model_copy(update={"seed": 2, "start": "random"}))
    assert mean_item_cosine(warm.embeddings, now.items, earlier) > 0.95
    assert mean_item_cosine(anew.embeddings, now.items, earlier) < 0.8


def test_it_is_the_same_again(nights):
    earlier, now = nights
    first, again = (fit_model(now, CONFIG, start=carried_over(earlier, now)) for _ in range(2))
    np.testing.assert_array_equal(first.embeddings.items, again.embeddings.items)
    one, two = (aligned(each, now.items, earlier) for each in (first, again))
    np.testing.assert_array_equal(one.embeddings.users, two.embeddings.users)


def test_fits_of_another_dimension_are_not_aligned(earlier):
    now = random_fit(3)
    with pytest.raises(ModelError, match="4 dimensions now, 2 before"):
        aligned(model_of(now.embeddings), now.items, earlier)
