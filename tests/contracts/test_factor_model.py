"""What holds for every FactorModel, whatever learned it."""

import json

import numpy as np
import pytest
import scipy.sparse as sp

from recsys.data.emphasis import session_emphasis
from recsys.data.matrix import InteractionMatrix
from recsys.errors import ArtifactError, ModelError
from recsys.models.registry import fit_model, load_model, model_config, publishable

NAMES = list(publishable())


@pytest.fixture(scope="module", params=NAMES)
def model(request, fitted):
    return fitted(request.param)


@pytest.fixture(scope="module")
def with_gaps(matrix):
    """The log of the contracts without the entries of two users and three items."""
    dense = matrix.csr.toarray()
    dense[[3, 40]], dense[:, [0, 5, 700]] = 0, 0
    return InteractionMatrix(matrix.users, matrix.items, sp.csr_matrix(dense))


@pytest.fixture(scope="module", params=NAMES)
def gapped(request, with_gaps, fitted):
    config = model_config({"algorithm": request.param, "factors": 4})
    fitted(request.param)  # skips what is not installed
    update = {key: 2 for key in ("iterations", "epochs") if key in type(config).model_fields}
    return fit_model(with_gaps, config.model_copy(update=update))


def test_vectors_are_of_the_users_and_items_of_training(model, matrix):
    assert len(model.embeddings.users) == matrix.n_users
    assert len(model.embeddings.items) == matrix.n_items
    np.testing.assert_array_equal(model.item_degree, (matrix.csr > 0).sum(axis=0).A1)
    assert model.item_degree.dtype == np.float32


def test_a_user_or_an_item_without_entries_has_the_zero_vector(gapped):
    items, users = gapped.embeddings.items, gapped.embeddings.users
    assert np.flatnonzero(~items.any(axis=1)).tolist()[:3] == [0, 5, 700]
    assert np.flatnonzero(~users.any(axis=1)).tolist() == [3, 40]
    assert gapped.item_degree[[0, 5, 700]].tolist() == [0, 0, 0]


def test_items_without_entries_add_nothing_to_a_history(gapped, with_gaps):
    known = with_gaps.csr[30]
    more = sp.lil_matrix(known)
    more[0, [0, 700]] = 1
    alone, beside = gapped.fold_in(known), gapped.fold_in(more.tocsr())
    scores = (each @ gapped.embeddings.scoring_items.T for each in (alone, beside))
    first, second = (each[0] / np.linalg.norm(each) for each in scores)
    assert first @ second > 0.99
    assert not gapped.fold_in(_one(700, with_gaps.n_items)).any()


def _one(item, n_items):
    """The history of a single item."""
    return sp.csr_matrix((np.ones(1, np.float32), ([0], [int(item)])), shape=(1, n_items))


def _scores(model, history, targets, emphasis=None):
    """By the vectors, and by the neighbours that every model learns by default."""
    products = model.embeddings.scoring_items[targets].astype(np.float64) @ model.fold_in(history, emphasis)[0]
    return products + model.neighbours.added(history, emphasis).toarray()[0, targets]


def test_an_empty_history_is_the_zero_vector_and_no_history_no_vector(model, matrix):
    empty = sp.csr_matrix((2, matrix.n_items), dtype=np.float32)
    assert not model.fold_in(empty).any()
    assert model.fold_in(matrix.csr[:0]).shape == (0, model.embeddings.factors)


def test_a_trained_row_folded_in_ranks_as_training_did(model, matrix):
    """The rows of training, asked as strangers, find most of what the trained vectors put first."""
    rows = np.arange(20, 58)
    items = model.embeddings.scoring_items
    trained, folded = model.embeddings.users[rows] @ items.T, model.fold_in(matrix.csr[rows]) @ items.T
    first, second = (np.argpartition(-scores, 50, axis=1)[:, :50] for scores in (trained, folded))
    shared = [len(np.intersect1d(one, two)) / 50 for one, two in zip(first, second, strict=True)]
    assert np.mean(shared) > 0.6


def test_trained_vectors_are_those_of_the_embeddings(model, matrix):
    rows = np.array([4, 30, 51], np.int32)
    np.testing.assert_array_equal(model.trained_vectors(rows, matrix.csr[rows]), model.embeddings.users[rows])


def test_company_does_not_change_a_folded_in_vector(model, matrix):
    together = model.fold_in(matrix.csr)
    for row in range(0, matrix.n_users, 9):
        np.testing.assert_allclose(model.fold_in(matrix.csr[row])[0], together[row], rtol=1e-4, atol=1e-6)


def test_contributions_add_up_to_the_score(model, matrix):
    targets = np.array([2, 0, 899, 17], np.int32)
    for row in (0, 25, 45):
        history = matrix.csr[row]
        parts = model.contributions(history, targets)
        scores = _scores(model, history, targets)
        assert parts.shape == (4, history.nnz)
        np.testing.assert_allclose(parts.sum(axis=1), scores, atol=1e-4 * np.abs(parts).sum(axis=1).max() + 1e-7)
    with pytest.raises(ModelError, match="2 histories, expected one"):
        model.contributions(matrix.csr[:2], targets)


def test_emphasis_turns_the_vector_to_an_item_and_contributions_still_add_up(model, matrix):
    history, targets = matrix.csr[[5, 33]], np.array([2, 0, 899, 17], np.int32)
    times = np.linspace(0.5, 1.5, history.nnz).astype(np.float32)
    both = model.fold_in(history, times)
    assert not np.allclose(both, model.fold_in(history))
    ones = np.ones(history.nnz, np.float32)
    np.testing.assert_array_equal(model.fold_in(history, ones), model.fold_in(history))
    first = history.indptr[1]
    alone = model.fold_in(history[0], times[:first])
    np.testing.assert_allclose(alone[0], both[0], rtol=1e-4, atol=1e-6)
    parts = model.contributions(history[0], targets, emphasis=times[:first])
    scores = _scores(model, history[0], targets, times[:first])
    np.testing.assert_allclose(parts.sum(axis=1), scores, atol=1e-4 * np.abs(parts).sum(axis=1).max() + 1e-7)
    item = history.indices[:1]
    towards = model.fold_in(history[0], session_emphasis(history[0].indices, item, 1000))[0]
    whole, single = model.fold_in(history[0])[0], model.fold_in(_one(item[0], matrix.n_items))[0]
    cosines = [vector @ single / np.linalg.norm(vector) / np.linalg.norm(single) for vector in (whole, towards)]
    assert cosines[1] > cosines[0]


def test_another_basis_changes_no_score(model, matrix):
    d = model.embeddings.factors
    rotation = np.linalg.qr(np.random.default_rng(4).standard_normal((d, d)))[0].astype(np.float32)
    turned, history = model.rotated(rotation), matrix.csr[[5, 33, 50]]
    for before, after in (
        (model.embeddings.users, turned.embeddings.users),
        (model.fold_in(history), turned.fold_in(history)),
    ):
        scores = before @ model.embeddings.scoring_items.T
        np.testing.assert_allclose(
            after @ turned.embeddings.scoring_items.T, scores, atol=1e-4 * np.abs(scores).max()
        )
    targets = np.array([1, 80], np.int32)
    parts = model.contributions(history[1], targets)
    np.testing.assert_allclose(turned.contributions(history[1], targets), parts, atol=1e-4 * np.abs(parts).max())
    assert not np.allclose(turned.embeddings.items, model.embeddings.items)


def test_it_survives_its_files(model, matrix, tmp_path):
    model.save(tmp_path / "model")
    again = load_model(tmp_path / "model")
    assert type(again) is type(model)
    assert (again.algorithm, again.losses) == (model.algorithm, model.losses)
    for name in ("users", "items", "item_scale"):
        array = getattr(again.embeddings, name)
        np.testing.assert_array_equal(array, getattr(model.embeddings, name))
        assert isinstance(array.base, np.memmap)
    np.testing.assert_array_equal(again.item_degree, model.item_degree)
    np.testing.assert_array_equal(again.fold_in(matrix.csr), model.fold_in(matrix.csr))
    targets = np.array([3, 5], np.int32)
    np.testing.assert_array_equal(
        again.contributions(matrix.csr[9], targets), model.contributions(matrix.csr[9], targets)
    )


def test_every_missing_or_damaged_file_is_refused(model, tmp_path):
    model.save(tmp_path)
    for path in sorted(tmp_path.iterdir()):
        content = path.read_bytes()
        path.unlink()
        with pytest.raises(ArtifactError, match=str(tmp_path)):
            load_model(tmp_path)
        path.write_bytes(content[: len(content) // 2])
        with pytest.raises(ArtifactError, match=str(tmp_path)):
            load_model(tmp_path)
        path.write_bytes(content)
    assert json.loads((tmp_path / "model.json").read_text())["algorithm"] == model.algorithm
    load_model(tmp_path)


def test_other_embeddings_take_the_place_of_its_own(model, matrix):
    items = model.embeddings.items.copy()
    items[7] = items[8]
    changed = model.with_embeddings(
        type(model.embeddings)(model.embeddings.users, items, model.embeddings.item_scale)
    )
    np.testing.assert_array_equal(changed.embeddings.items[7], items[8])
    assert changed.item_degree is model.item_degree or (changed.item_degree == model.item_degree).all()
    assert changed.fold_in(matrix.csr[:5]).shape == (5, model.embeddings.factors)


def test_inputs_are_left_alone(model, matrix):
    history = matrix.csr[[4, 20]]
    before = history.copy()
    model.fold_in(history)
    model.contributions(history[1], np.array([1], np.int32))
    assert (history != before).nnz == 0
    for array in (model.embeddings.users, model.embeddings.items, model.item_degree):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_the_same_log_and_settings_give_the_same_bits(model, matrix):
    config = model_config({"algorithm": model.algorithm, "factors": 4})
    update = {key: 2 for key in ("iterations", "epochs") if key in type(config).model_fields}
    first, second = (fit_model(matrix, config.model_copy(update=update)).embeddings for _ in range(2))
    np.testing.assert_array_equal(first.users, second.users)
    np.testing.assert_array_equal(first.items, second.items)
