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


def test_it_factorises_the_weighed_counts(groups, model):
    start = spectral_start(groups.csr, CONFIG.factors, seed=CONFIG.seed)
    fit = fit_als(fit_confidence(groups.csr, CONFIG).apply(groups.csr), CONFIG, start=start)
    np.testing.assert_array_equal(model.embeddings.users, fit.users)
    np.testing.assert_array_equal(model.embeddings.items, fit.items)
    assert model.losses == fit.losses
    assert len(model.losses) == 3


def test_it_may_set_out_from_random_vectors(groups):
    config = CONFIG.model_copy(update={"start": "random"})
    fit = fit_als(fit_confidence(groups.csr, config).apply(groups.csr), config)
    np.testing.assert_array_equal(train_als(groups, config).embeddings.users, fit.users)


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
    with pytest.raises(ArtifactError, match=r"model\.json: expected"):
        AlsModel.load(tmp_path)


def test_files_are_readable_elsewhere(tmp_path, model):
    model.save(tmp_path)
    assert json.loads((tmp_path / "model.json").read_text()) == {
        "algorithm": "als",
        "regularization": 0.5,
        "losses": list(model.losses),
    }


def test_a_matrix_without_entries_is_refused(matrix):
    with pytest.raises(DataError, match="no entries"):
        train_als(matrix(np.zeros((2, 3))), CONFIG)


def test_on_iteration_sees_the_model_that_a_shorter_fit_would_return(groups):
    seen = {}

    def look(done, model):
        seen[done] = (model.embeddings.users.copy(), model.embeddings.scoring_items, model.fold_in(groups.csr[:3]))

    train_als(groups, CONFIG, on_iteration=look)
    assert list(seen) == [1, 2, 3]
    shorter = train_als(groups, CONFIG.model_copy(update={"iterations": 2}))
    np.testing.assert_array_equal(seen[2][0], shorter.embeddings.users)
    np.testing.assert_array_equal(seen[2][1], shorter.embeddings.scoring_items)
    np.testing.assert_allclose(seen[2][2], shorter.fold_in(groups.csr[:3]), rtol=1e-6)
