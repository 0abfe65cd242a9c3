import re
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from recsys.config import EvaluateConfig
from recsys.errors import ArtifactError, ConfigError, ModelError
from recsys.models.factors.als import AlsConfig
from recsys.models.factors.item2vec import Item2vecConfig, unavailable
from recsys.models.registry import (
    ALGORITHMS,
    EASE_ITEMS,
    baselines_of,
    check_algorithms,
    check_fits,
    fit_baseline,
    fit_model,
    load_model,
    model_config,
    publishable,
)

PAGE = Path(__file__).parents[3] / "docs" / "baselines.md"


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_baseline_is_known_by_its_name(name, groups):
    if name == "item2vec" and unavailable():
        pytest.skip("the extra `baselines` is not installed")
    assert fit_baseline(name, groups).name == name


def test_every_baseline_is_described_and_nothing_else():
    assert re.findall(r"^## `(\w+)`", PAGE.read_text(encoding="utf-8"), re.MULTILINE) == list(ALGORITHMS)


def test_an_unknown_baseline_is_refused_with_the_nearest_and_all_known_ones(groups):
    expected = (
        r"evaluate\.baselines: 'rp3beat' is unknown, did you mean 'rp3beta'\?; expected any of popular, .* item2vec"
    )
    with pytest.raises(ConfigError, match=expected):
        fit_baseline("rp3beat", groups)
    with pytest.raises(ConfigError, match=expected):
        check_algorithms(AlsConfig(), EvaluateConfig(baselines=("popular", "rp3beat")))
    with pytest.raises(ConfigError, match="'zzz' is unknown; expected any of popular"):
        check_algorithms(AlsConfig(), EvaluateConfig(baselines=("zzz",)))


@pytest.mark.parametrize(
    ("named", "n_items", "expected"),
    [
        ("auto", EASE_ITEMS, ("popular", "item_knn", "ease")),
        ("auto", EASE_ITEMS + 1, ("popular", "item_knn")),
        (["popular", "svd"], 10, ("popular", "svd")),
        ([], 10, ()),
    ],
)
def test_ease_is_a_baseline_by_default_if_the_catalogue_is_small(named, n_items, expected):
    assert baselines_of(EvaluateConfig(baselines=named), n_items) == expected


def test_settings_are_checked_without_a_fit(monkeypatch):
    everything = EvaluateConfig(baselines=tuple(name for name in ALGORITHMS if name not in ("item2vec", "als")))
    check_algorithms(AlsConfig(), everything)
    check_algorithms(AlsConfig(), EvaluateConfig(baselines=()))
    with pytest.raises(ConfigError, match="'popular' is named 2 times"):
        check_algorithms(AlsConfig(), EvaluateConfig(baselines=("popular", "ease", "popular")))
    check_algorithms(AlsConfig(), everything.model_copy(update={"split": "held_out_users"}))
    with pytest.raises(ConfigError, match=r"evaluate\.baselines: 'als' is the model itself"):
        check_algorithms(AlsConfig(), EvaluateConfig(baselines=("popular", "als")))
    monkeypatch.setitem(sys.modules, "gensim", None)
    with pytest.raises(ConfigError, match=r"evaluate\.baselines: 'item2vec' needs gensim"):
        check_algorithms(AlsConfig(), EvaluateConfig(baselines=("item2vec",)))
    with pytest.raises(ConfigError, match=r"model\.algorithm: 'item2vec' needs gensim"):
        check_algorithms(Item2vecConfig(), EvaluateConfig())


def test_a_refusal_says_where_the_model_was_asked_for(monkeypatch, groups):
    monkeypatch.setattr("recsys.models.neighbours.ease.available_bytes", lambda: 100.0)
    with pytest.raises(ModelError, match=r"evaluate\.baselines: ease: 30 items need"):
        fit_baseline("ease", groups)
    with pytest.raises(ModelError, match=r"evaluate\.baselines: ease: 30 items need"):
        check_fits(["popular", "ease"], lambda: groups)


def test_a_matrix_is_made_for_the_check_only_where_a_baseline_has_a_limit(groups):
    made = []
    check_fits(["popular", "rp3beta"], lambda: made.append("train") or groups)
    assert not made
    check_fits(["popular", "ease"], lambda: made.append("train") or groups)
    assert made == ["train"]


def test_long_fits_say_how_far_they_are(groups):
    told = []
    for name in ALGORITHMS:
        if name not in ("popular", "popular_weighted", "item2vec"):
            fit_baseline(name, groups, progress=lambda stage, done, total: told.append((stage, done == total)))
    stages = {stage for stage, finished in told if finished}
    assert stages == {
        "item k-NN",
        "BM25 item k-NN",
        "RP3beta",
        "ease",
        "als",
        "bpr",
        "spectral start",
        "users",
        "neighbours",
        "glove, pairs",
        "glove",
    }


def test_a_section_is_that_of_the_algorithm_it_names():
    assert model_config({}).algorithm == "als"
    for name, algorithm in publishable().items():
        section = model_config({"algorithm": name, "factors": 3})
        assert (type(section), section.algorithm, section.factors) == (algorithm.config, name, 3)
    with pytest.raises(ValidationError, match=r"expected any of als, .* item2vec, glove; did you mean 'svd'\?"):
        model_config({"algorithm": "svdd"})
    with pytest.raises(ValidationError, match="it can only be a baseline"):
        model_config({"algorithm": "ease"})


def test_a_model_that_cannot_start_from_vectors_says_so(groups):
    svd = fit_model(groups, model_config({"algorithm": "svd"}))
    with pytest.raises(ModelError, match="svd: cannot start from the vectors of an earlier fit"):
        fit_model(groups, model_config({"algorithm": "svd"}), start=svd.embeddings)


def test_a_model_without_iterations_is_looked_at_once(groups):
    seen = []
    model = fit_model(
        groups, model_config({"algorithm": "svd", "neighbours": 0}), on_iteration=lambda *look: seen.append(look)
    )
    assert seen == [(1, model)]


@pytest.mark.parametrize(
    ("text", "message"),
    [('{"algorithm": "lstm"}', "unknown algorithm 'lstm'; expected one of als, bpr"), ("[]", "name")],
)
def test_a_folder_of_an_unknown_algorithm_is_refused(tmp_path, text, message):
    (tmp_path / "model.json").write_text(text)
    with pytest.raises(ArtifactError, match=message):
        load_model(tmp_path)
