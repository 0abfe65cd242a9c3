"""tune on the command line: what it reads, writes and shows, and Ctrl-C."""

import csv
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.commands.options import require_extra
from pipelines.commands.tune import trials_file, tune, tuned_file
from recsys.errors import ConfigError
from recsys.pipeline_config import PipelineConfig, load_config
from recsys.tuning.budget import SearchBudget
from recsys.tuning.outcome import Outcome
from recsys.tuning.settings import applied


@pytest.fixture(scope="module")
def shop_copy(tmp_path_factory: pytest.TempPathFactory, finished: Any) -> Path:
    """The shop on which the whole job has run, in a folder of its own."""
    folder = tmp_path_factory.mktemp("searched") / "shop"
    shutil.copytree(finished[0].workspace.parent, folder)
    return folder / "pipeline.toml"


@pytest.fixture(scope="module")
def searched(shop_copy: Path) -> tuple[PipelineConfig, Outcome]:
    """A finished search; only to be read."""
    config = load_config(shop_copy)
    return config, tune(shop_copy, config, SearchBudget(trials=6, factors_low=4), given={})


def test_the_toml_that_was_written_says_what_was_found(searched: tuple[PipelineConfig, Outcome]) -> None:
    config, outcome = searched
    assert outcome.settings
    assert load_config(tuned_file(config)) == applied(config, outcome.settings)
    head = tuned_file(config).read_text().split("\n\n")[0]
    assert "ndcg@20" in head
    assert "interval" in head
    assert "4 at 4 factors, 2 at 8 factors" in head


def test_the_table_has_one_row_per_trial(searched: tuple[PipelineConfig, Outcome]) -> None:
    config, outcome = searched
    with trials_file(config).open() as file:
        assert len(list(csv.DictReader(file))) == len(outcome.trials)


def test_the_users_own_file_is_left_alone(searched: tuple[PipelineConfig, Outcome], shop_copy: Path) -> None:
    assert "tuned" not in shop_copy.read_text()


def test_it_shows_trials_and_what_each_group_contributes(
    recsys: Any, shop_copy: Path, searched: tuple[PipelineConfig, Outcome]
) -> None:
    """The search is continued, which has nothing left to do."""
    _, outcome = searched
    shown = recsys("tune", shop_copy, "--trials", 6, "--factors-low", 4).stdout
    assert f"{outcome.winner.mean:.4f}" in shown
    assert all(row.group in shown for row in outcome.ablation)
    assert f"next:   recsys run {shop_copy.parent / 'work/tune/tuned.toml'}" in shown


def test_coverage_can_be_searched_for_too(recsys: Any, shop_copy: Path, searched: Any) -> None:
    narrow = ["--set", "model.popularity_exponent=0.6", "--trials", 1, "--coverage-weight"]
    shown = recsys("tune", shop_copy, *narrow, 2).stdout
    assert re.search(r"^factors +trial +ndcg@20 +coverage@20", shown, re.MULTILINE)
    assert "settings were compared by ndcg@20 + 2 * coverage@20: " in shown
    assert "compared by ndcg@20 + 2 * coverage@20" in tuned_file(load_config(shop_copy)).read_text().split("\n\n")[0]
    assert recsys("tune", shop_copy, *narrow, -1).returncode == 2


def test_other_settings_are_another_search(shop_copy: Path, searched: Any) -> None:
    given = {"model.alpha": 7.0}
    other = tune(shop_copy, load_config(shop_copy, overrides=given), SearchBudget(trials=1), given=given)
    assert [trial.settings["model"]["alpha"] for trial in other.trials] == [7.0]
    assert "alpha = 7.0" in tuned_file(load_config(shop_copy)).read_text()


def test_event_weights_and_half_life_are_written_too(shop: Path) -> None:
    given = {"prepare.half_life_days": 60.0}
    config = load_config(shop, overrides=given)
    outcome = tune(shop, config, SearchBudget(trials=3, tune_events=True), given=given)
    assert load_config(tuned_file(config)) == applied(config, outcome.settings)


def test_another_algorithm_is_tuned_and_its_section_written(shop: Path) -> None:
    text = shop.read_text()
    shop.write_text(
        text[: text.index("[model]")] + '[model]\nalgorithm = "svd"\nauto = false\nfactors = 10   # few\n'
    )
    config = load_config(shop)
    outcome = tune(shop, config, SearchBudget(trials=3), given={}, write=True)
    assert outcome.settings
    assert load_config(shop) == load_config(tuned_file(config)) == applied(config, outcome.settings)
    assert "# few" in shop.read_text()


def test_json_is_one_document_and_write_changes_the_file(recsys: Any, shop: Path) -> None:
    shop.write_text(shop.read_text().replace("alpha = 3.0", "alpha = 300.0  # a guess"))
    result = recsys("tune", shop, "--trials", 1, "--write", "--json")
    assert result.returncode == 0, result.stderr
    reply = json.loads(result.stdout)
    assert reply["winner"]["mean"] > reply["start"]["mean"]
    assert reply["written"] == str(shop)
    assert load_config(shop).model == load_config(Path(reply["tuned"])).model
    assert "# a guess" in shop.read_text()


def test_too_little_time_is_2(recsys: Any, shop: Path) -> None:
    result = recsys("tune", shop, "--timeout", 0)
    assert (result.returncode, result.stdout) == (2, "")
    assert "--timeout: got 0 seconds, which were over" in result.stderr


def test_a_metric_that_is_not_computed_is_refused_before_anything_is_read(shop: Path) -> None:
    config = load_config(shop, overrides={"publish.metric": "ndcg@7"})
    with pytest.raises(ConfigError, match=r"publish\.metric"):
        tune(shop, config, SearchBudget(), given={})
    assert not config.workspace.exists()


def test_a_missing_extra_says_what_to_install() -> None:
    with pytest.raises(ConfigError, match=r"no_such_module .* locks/tune\.lock"):
        require_extra("tune", "optuna", "no_such_module")


def test_ctrl_c_keeps_the_best_so_far(shop: Path) -> None:
    command = [sys.executable, "-m", "pipelines", "tune", str(shop), "--timeout", "600", "--json"]
    work = shop.parent / "work" / "tune"
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            wait_for(lambda: any(work.glob("*/8-1.npy")))
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 0, err
    reply = json.loads(out)
    assert reply["interrupted"]
    assert reply["n_trials"]["8"] >= 2
    assert (work / "tuned.toml").exists()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
