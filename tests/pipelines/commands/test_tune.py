"""tune: what it finds, where it looks, and that it can be stopped and taken up again."""

import csv
import itertools
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines.commands.extras import require_extra
from pipelines.commands.tune import trials_file, tune, tuned_file
from recsys.errors import ConfigError, DataError
from recsys.pipeline_config import PipelineConfig, load_config
from recsys.tuning.outcome import Outcome, flat
from recsys.tuning.settings import applied
from recsys.tuning.stages import Effort

EFFORT = Effort(trials=6, factors_low=4)


def search(path: Path, effort: Effort = EFFORT, **options: Any) -> Outcome:
    given = options.pop("given", {})
    return tune(path, load_config(path, overrides=given), effort, given=given, **options)


@pytest.fixture(scope="module")
def shop_copy(tmp_path_factory: pytest.TempPathFactory, finished: Any) -> Path:
    """The shop on which the whole job has run, in a folder of its own."""
    folder = tmp_path_factory.mktemp("searched") / "shop"
    subprocess.run(["cp", "-r", finished[0].workspace.parent, folder], check=True)
    return folder / "pipeline.toml"


@pytest.fixture(scope="module")
def searched(shop_copy: Path) -> tuple[PipelineConfig, Outcome]:
    """A finished search; only to be read."""
    outcome = search(shop_copy)
    return load_config(shop_copy), outcome


class TestWhatIsFound:
    def test_where_nothing_is_better_there_is_no_gain_to_tell(self, searched: tuple[PipelineConfig, Outcome]) -> None:
        _, outcome = searched
        sentences = replace(outcome, settings={}).sentences()
        assert sentences[0].startswith("nothing better than the settings it began with")
        assert [sentence.partition(":")[0] for sentence in sentences[1:]] == ["trials"]
        assert any("gain" in sentence for sentence in replace(outcome, settings={"model": {}}).sentences())

    def test_it_is_never_worse_than_where_it_began(self, searched: tuple[PipelineConfig, Outcome]) -> None:
        _, outcome = searched
        assert outcome.winner.mean >= outcome.start.mean
        assert outcome.gain.mean == pytest.approx(outcome.winner.mean - outcome.start.mean)
        assert outcome.gain.low is not None
        assert outcome.gain.low <= outcome.gain.mean

    def test_both_dimensions_begin_with_the_settings_one_has(self, searched: tuple[PipelineConfig, Outcome]) -> None:
        config, outcome = searched
        assert outcome.n_trials == {4: 4, 8: 2}
        for factors in (4, 8):
            first = next(trial for trial in outcome.trials if trial.factors == factors)
            assert first.settings["model"]["alpha"] == config.model.alpha
            assert first.settings["model"]["regularization"] == config.model.regularization
            assert first.settings["model"]["weighting"] == config.model.weighting

    def test_the_toml_that_was_written_says_what_was_found(self, searched: tuple[PipelineConfig, Outcome]) -> None:
        config, outcome = searched
        assert outcome.settings
        assert load_config(tuned_file(config)) == applied(config, outcome.settings)
        head = tuned_file(config).read_text().split("\n\n")[0]
        assert "ndcg@20" in head
        assert "interval" in head
        assert "4 at 4 factors, 2 at 8 factors" in head

    def test_every_trial_is_in_the_table(self, searched: tuple[PipelineConfig, Outcome]) -> None:
        config, outcome = searched
        with trials_file(config).open() as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == len(outcome.trials)
        assert float(rows[0]["ndcg@20"]) == pytest.approx(outcome.trials[0].score, abs=1e-6)
        assert float(rows[0]["model.alpha"]) == 3.0

    def test_what_each_bought_is_the_winner_less_what_is_left_without(
        self, searched: tuple[PipelineConfig, Outcome]
    ) -> None:
        _, outcome = searched
        assert outcome.bought
        for row in outcome.bought:
            assert row.gain is not None
            assert row.gain.mean == pytest.approx(outcome.winner.mean - row.without)

    def test_the_users_own_file_is_left_alone(
        self, searched: tuple[PipelineConfig, Outcome], shop_copy: Path
    ) -> None:
        assert "tuned" not in shop_copy.read_text()


class TestTheHoldout:
    def test_it_is_not_looked_at(self, searched: tuple[PipelineConfig, Outcome], shop_copy: Path) -> None:
        _, outcome = searched
        folder = shop_copy.parents[1] / "other holdout"
        subprocess.run(["cp", "-r", shop_copy.parent, folder], check=True)
        assert scramble_after_the_cut(folder / "events", days=28) > 100
        other = search(folder / "pipeline.toml")
        assert [trial.settings for trial in other.trials] == [trial.settings for trial in outcome.trials]
        assert [trial.score for trial in other.trials] == [trial.score for trial in outcome.trials]
        assert (other.winner, other.gain, other.bought) == (outcome.winner, outcome.gain, outcome.bought)

    def test_the_train_side_is_looked_at(self, searched: tuple[PipelineConfig, Outcome], shop_copy: Path) -> None:
        _, outcome = searched
        folder = shop_copy.parents[1] / "other train side"
        subprocess.run(["cp", "-r", shop_copy.parent, folder], check=True)
        scramble_after_the_cut(folder / "events", days=35)
        assert search(folder / "pipeline.toml", Effort(trials=1)).start != outcome.start


def scramble_after_the_cut(folder: Path, *, days: int) -> int:
    """Another item in every row of the last days, but for the very last; returns how many rows that were."""
    lines = {path: path.read_bytes().split(b"\n") for path in sorted(folder.glob("*.csv"))}
    times = [moment for line in itertools.chain(*lines.values()) if (moment := time_of(line)) is not None]
    newest, changed = max(times), 0
    for path, rows in lines.items():
        for at, line in enumerate(rows):
            moment = time_of(line)
            if moment is not None and newest - timedelta(days=days) <= moment < newest:
                user, _, *rest = line.split(b",")
                rows[at] = b",".join([user, b"b%06d" % (changed % 40), *rest])
                changed += 1
        path.write_bytes(b"\n".join(rows))
    return changed


def time_of(line: bytes) -> datetime | None:
    fields = line.split(b",")
    if len(fields) != 5 or not fields[0].startswith(b"u0") or not fields[1].startswith(b"b"):
        return None
    try:
        return datetime.strptime(fields[2].decode(), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


class TestAgain:
    def test_the_same_effort_finds_the_same_without_a_fit(
        self, searched: tuple[PipelineConfig, Outcome], shop_copy: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _, outcome = searched
        monkeypatch.setattr("recsys.tuning.trials.explore", None)
        said: list[str] = []
        again = search(shop_copy, announce=said.append)
        assert said == []
        assert (again.trials, again.winner, again.gain) == (outcome.trials, outcome.winner, outcome.gain)

    def test_more_trials_go_on_from_the_earlier_ones(
        self, searched: tuple[PipelineConfig, Outcome], shop_copy: Path
    ) -> None:
        _, outcome = searched
        folder = shop_copy.parents[1] / "resumed"
        subprocess.run(["cp", "-r", shop_copy.parent, folder], check=True)
        more = search(folder / "pipeline.toml", Effort(trials=9, factors_low=4))
        assert more.n_trials == {4: 6, 8: 3}
        assert set(trial_keys(outcome)) < set(trial_keys(more))
        assert len({(trial.factors, str(trial.point)) for trial in more.trials}) == 9  # nothing is drawn twice
        assert more.winner.mean >= outcome.winner.mean

    def test_other_settings_are_another_search(self, shop_copy: Path, searched: Any) -> None:
        other = search(shop_copy, Effort(trials=1), given={"model.alpha": 7.0})
        assert [trial.settings["model"]["alpha"] for trial in other.trials] == [7.0]
        assert "alpha = 7.0" in tuned_file(load_config(shop_copy)).read_text()


def trial_keys(outcome: Outcome) -> list[tuple[int, int, float | None]]:
    return [(trial.factors, trial.number, trial.score) for trial in outcome.trials]


class TestEvents:
    def test_weights_and_half_life_are_searched_on_demand(self, shop: Path) -> None:
        given = {"prepare.half_life_days": 60.0}
        outcome = search(shop, Effort(trials=5, events=True), given=given)
        drawn = [flat(trial.settings) for trial in outcome.trials]
        assert drawn[0]["prepare.half_life_days"] == 60.0
        assert len({keys["prepare.half_life_days"] for keys in drawn}) > 1
        assert drawn[0]["log.event_weights.view"] == 1.0
        assert len({keys["log.event_weights.view"] for keys in drawn}) > 1
        assert {keys["log.event_weights.cart"] for keys in drawn} == {3.0}  # the others are weighed against it
        config = load_config(shop, overrides=given)
        assert load_config(tuned_file(config)) == applied(config, outcome.settings)

    def test_a_log_without_kinds_and_times_has_none_to_search(self, shop: Path) -> None:
        for line in ('timestamp = "timestamp"\n', 'event = "event"\n'):
            shop.write_text(shop.read_text().replace(line, ""))
        text = shop.read_text().replace("[log.event_weights]\nview = 1.0\ncart = 3.0\npurchase = 5.0\n", "")
        shop.write_text(text.replace("[evaluate]\n", '[evaluate]\nsplit = "last_n"\n'))
        with pytest.raises(ConfigError, match="neither kinds of events"):
            search(shop, Effort(trials=1, events=True))


class TestLimits:
    def test_the_time_is_kept(self, shop: Path) -> None:
        outcome = search(shop, Effort(seconds=0.8))
        assert outcome.trials
        assert outcome.seconds < 3

    def test_a_metric_that_is_not_computed_is_refused_at_once(self, shop: Path) -> None:
        with pytest.raises(ConfigError, match=r"publish\.metric"):
            search(shop, given={"publish.metric": "ndcg@7"})

    def test_a_train_side_that_cannot_be_cut_again_says_so(self, shop: Path) -> None:
        with pytest.raises(DataError, match="the train side cannot be cut once more"):
            search(shop, given={"evaluate.holdout": "200d"})

    def test_a_missing_extra_says_what_to_install(self) -> None:
        with pytest.raises(ConfigError, match=r"no_such_module .* pip install -e '\.\[tune\]'"):
            require_extra("tune", "optuna", "no_such_module")


class TestTheCommand:
    def test_json_is_one_document_and_write_changes_the_file(self, recsys: Any, shop: Path) -> None:
        shop.write_text(shop.read_text().replace("alpha = 3.0", "alpha = 300.0  # a guess"))
        result = recsys("tune", shop, "--trials", 1, "--write", "--json")
        assert result.returncode == 0, result.stderr
        reply = json.loads(result.stdout)
        assert reply["winner"]["mean"] > reply["start"]["mean"]
        assert reply["written"] == str(shop)
        assert load_config(shop) == applied(load_config(shop), {})
        assert load_config(shop).model == load_config(Path(reply["tuned"])).model
        assert "# a guess" in shop.read_text()

    def test_it_shows_trials_and_what_each_bought(
        self, recsys: Any, shop_copy: Path, searched: tuple[PipelineConfig, Outcome]
    ) -> None:
        _, outcome = searched
        shown = recsys("tune", shop_copy, "--trials", 6, "--factors-low", 4).stdout
        assert f"{outcome.winner.mean:.4f}" in shown
        assert all(row.name in shown for row in outcome.bought)
        assert f"next:   recsys run {shop_copy.parent / 'work/tune/tuned.toml'}" in shown

    def test_too_little_time_is_2(self, recsys: Any, shop: Path) -> None:
        result = recsys("tune", shop, "--timeout", 0)
        assert (result.returncode, result.stdout) == (2, "")
        assert "--timeout: 0 seconds were over" in result.stderr

    def test_ctrl_c_keeps_the_best_so_far(self, shop: Path) -> None:
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
    deadline = time.monotonic() + 60
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
