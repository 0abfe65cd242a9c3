import json

import numpy as np
import pytest

from recsys.data.confidence import fit_confidence
from recsys.errors import ArtifactError, DataError, ModelError
from recsys.models.factors.als import AlsConfig, fit_als
from recsys.models.factors.als_model import AlsModel, train_als
from recsys.models.factors.embeddings import popularity_scale
from recsys.models.factors.fold_in import fold_in
from recsys.models.factors.spectral import spectral_start

CONFIG = AlsConfig(factors=4, regularization=0.5, iterations=3, threads=1, log_loss=True, popularity_exponent=0.2)


@pytest.fixture(scope="module")
def model(groups):
    return train_als(groups, CONFIG)


def _exact(csr, model):
    """The slow reference: the whole diagonal of confidences, row by row (Hu, Koren, Volinsky 2008, equation 4)."""
    items = model.embeddings.items.astype(np.float64)
    stored = model.weighting.apply(csr).toarray().astype(np.float64)
    regularization = model.regularization * np.eye(items.shape[1])
    return np.array(
        [
            np.linalg.solve((items.T * np.where(row > 0, row, 1)) @ items + regularization, items.T @ row)
            for row in stored
        ]
    )


@pytest.mark.parametrize("start", ["spectral", "random", "warm"])
@pytest.mark.parametrize("weighting", ["degree", "log", "bm25", "plain"])
def test_it_ends_with_the_exact_users_which_are_those_that_are_folded_in(groups, model, weighting, start):
    cold = "spectral" if start == "warm" else start
    config = CONFIG.model_copy(update={"weighting": weighting, "start": cold, "iterations": 1, "factors": 10})
    first = train_als(groups, config).embeddings if start == "warm" else None
    fitted = train_als(groups, config, start=first)
    users = fitted.embeddings.users
    np.testing.assert_allclose(users, _exact(groups.csr, fitted), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(fitted.fold_in(groups.csr), users)
    for row in range(0, 40, 7):
        np.testing.assert_array_equal(fitted.fold_in(groups.csr[row])[0], users[row])


def test_its_items_are_those_of_the_solver(groups, model):
    start = spectral_start(groups.csr, CONFIG.factors, seed=CONFIG.seed)
    fit = fit_als(fit_confidence(groups.csr, CONFIG).apply(groups.csr), CONFIG, start=start)
    np.testing.assert_array_equal(model.embeddings.items, fit.items)
    assert np.abs(model.embeddings.users - fit.users).max() > 1e-3, "the solver's users were exact already"
    assert model.losses == fit.losses
    assert len(model.losses) == 3


def test_it_may_set_out_from_random_vectors(groups):
    config = CONFIG.model_copy(update={"start": "random"})
    fit = fit_als(fit_confidence(groups.csr, config).apply(groups.csr), config)
    np.testing.assert_array_equal(train_als(groups, config).embeddings.items, fit.items)


def test_rotated_users_are_folded_in_to_but_for_rounding(groups, model):
    rotation = np.linalg.qr(np.random.default_rng(4).standard_normal((4, 4)))[0].astype(np.float32)
    turned = model.rotated(rotation)
    users = turned.embeddings.users
    np.testing.assert_allclose(turned.fold_in(groups.csr), users, atol=1e-5 * np.abs(users).max())


def test_progress_ends_with_the_users(groups):
    told = []
    train_als(groups, CONFIG, progress=lambda *step: told.append(step))
    assert told[-2:] == [("als", 3, 3), ("users", 40, 40)]


def test_users_without_a_unique_solution_end_the_fit(groups):
    with pytest.raises(ModelError, match="regularization must be above zero"):
        train_als(groups, CONFIG.model_copy(update={"regularization": 0.0, "factors": 31, "start": "random"}))


def test_items_are_scored_times_a_power_of_their_users(groups, model):
    degree = np.diff(groups.csr.tocsc().indptr)
    scale = model.embeddings.item_scale
    np.testing.assert_allclose(scale / scale[0], (degree / degree[0]) ** 0.2, rtol=1e-5)
    assert scale.mean() == pytest.approx(1)


@pytest.mark.parametrize("exponent", [-1.0, 0.0, 0.5])
def test_items_that_nobody_used_keep_a_finite_scale(exponent):
    scale = popularity_scale(np.array([0, 1, 4], np.float32), exponent)
    np.testing.assert_allclose(scale, np.array([1, 1, 4.0**exponent]) * 3 / (2 + 4.0**exponent), rtol=1e-6)
    assert scale.dtype == np.float32


def test_a_start_is_used_and_left_alone(groups, model):
    before = model.embeddings.users.copy()
    again = train_als(groups, CONFIG.model_copy(update={"seed": 9}), start=model.embeddings)
    assert again.losses[0] < model.losses[-1]
    np.testing.assert_array_equal(model.embeddings.users, before)
    with pytest.raises(ModelError, match="start users"):
        train_als(groups, CONFIG.model_copy(update={"factors": 5}), start=model.embeddings)


def test_it_folds_in_over_unscaled_items(groups, model):
    expected = fold_in(groups.csr, model.embeddings.items, weighting=model.weighting, regularization=0.5)
    np.testing.assert_allclose(model.fold_in(groups.csr), expected, rtol=1e-6)


def test_a_model_survives_its_files(tmp_path, groups, model):
    model.save(tmp_path / "model")
    again = AlsModel.load(tmp_path / "model")
    for name in ("users", "items", "item_scale"):
        np.testing.assert_array_equal(getattr(again.embeddings, name), getattr(model.embeddings, name))
    assert again.losses == model.losses
    assert again.regularization == 0.5
    np.testing.assert_array_equal(again.fold_in(groups.csr), model.fold_in(groups.csr))


ALS = '"algorithm": "als"'


@pytest.mark.parametrize(
    "text", [None, "", "[]", "{}", f'{{{ALS}, "regularization": null, "losses": []}}', f'{{{ALS}, "losses": []}}']
)
def test_a_damaged_model_is_refused(tmp_path, model, text):
    model.save(tmp_path)
    path = tmp_path / "model.json"
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(ArtifactError, match=r"model\.json: (is missing; )?expected"):
        AlsModel.load(tmp_path)


def test_files_are_readable_elsewhere(tmp_path, model):
    model.save(tmp_path)
    assert json.loads((tmp_path / "model.json").read_text()) == {
        "algorithm": "als",
        "regularization": 0.5,
        "regularization_exponent": 0.0,
        "unobserved_weight": 1.0,
        "losses": list(model.losses),
    }


def test_a_matrix_without_entries_is_refused(matrix):
    with pytest.raises(DataError, match="no entries"):
        train_als(matrix(np.zeros((2, 3))), CONFIG)


def test_on_iteration_sees_the_model_that_a_shorter_fit_would_return(groups):
    seen = {}

    rows = np.arange(5, 35, 3, dtype=np.int32)

    def look(done, model):
        users = model.trained_vectors(rows, groups.csr[rows])
        seen[done] = (users, model.embeddings.scoring_items, model.fold_in(groups.csr[:3]))

    train_als(groups, CONFIG, on_iteration=look)
    assert list(seen) == [1, 2, 3]
    for done, (users, scoring_items, folded) in seen.items():
        shorter = train_als(groups, CONFIG.model_copy(update={"iterations": done}))
        np.testing.assert_array_equal(users, shorter.embeddings.users[rows])
        np.testing.assert_array_equal(scoring_items, shorter.embeddings.scoring_items)
        np.testing.assert_array_equal(folded, shorter.fold_in(groups.csr[:3]))
