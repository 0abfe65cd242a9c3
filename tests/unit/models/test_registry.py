import re
import sys
from pathlib import Path

import pytest

from recsys.config import EvaluateConfig
from recsys.errors import ConfigError, ModelError
from recsys.models.registry import BASELINES, check_baselines, check_fits, fit_baseline

PAGE = Path(__file__).parents[3] / "docs" / "baselines.md"


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_is_known_by_its_name(name, groups):
    if name == "item2vec":
        pytest.importorskip("gensim", reason="the extra `baselines` is not installed")
    assert fit_baseline(name, groups).name == name


def test_every_baseline_is_described_and_nothing_else():
    assert re.findall(r"^## `(\w+)`", PAGE.read_text(encoding="utf-8"), re.MULTILINE) == list(BASELINES)


def test_an_unknown_baseline_is_refused_with_the_nearest_and_all_known_ones(groups):
    expected = (
        r"evaluate\.baselines: 'rp3beat' is unknown, did you mean 'rp3beta'\?; expected any of popular, .* ease"
    )
    with pytest.raises(ConfigError, match=expected):
        fit_baseline("rp3beat", groups)
    with pytest.raises(ConfigError, match=expected):
        check_baselines(EvaluateConfig(baselines=("popular", "rp3beat")))
    with pytest.raises(ConfigError, match="'zzz' is unknown; expected any of popular"):
        check_baselines(EvaluateConfig(baselines=("zzz",)))


def test_settings_are_checked_without_a_fit(monkeypatch):
    everything = EvaluateConfig(baselines=tuple(name for name in BASELINES if name != "item2vec"))
    check_baselines(everything)
    check_baselines(EvaluateConfig(baselines=()))
    with pytest.raises(ConfigError, match="'popular' is named 2 times"):
        check_baselines(EvaluateConfig(baselines=("popular", "ease", "popular")))
    with pytest.raises(ConfigError, match=r"'bpr' knows nobody but .* \"held_out_users\""):
        check_baselines(everything.model_copy(update={"split": "held_out_users"}))
    monkeypatch.setitem(sys.modules, "gensim", None)
    with pytest.raises(ConfigError, match="'item2vec' needs gensim"):
        check_baselines(EvaluateConfig(baselines=("item2vec",)))


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
    for name in BASELINES:
        if name not in ("popular", "popular_weighted", "item2vec"):
            fit_baseline(name, groups, progress=lambda stage, done, total: told.append((stage, done == total)))
    stages = {stage for stage, finished in told if finished}
    assert stages == {"item k-NN", "BM25 item k-NN", "RP3beta", "ease", "bpr", "spectral start"}
