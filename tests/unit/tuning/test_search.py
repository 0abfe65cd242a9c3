"""The search: what it finds, where it looks, that it can be ended and taken up again."""

import csv
import io
import itertools
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsys.data.interactions import Interactions
from recsys.errors import ArtifactError, ConfigError, DataError
from recsys.models.algorithm import Bounds
from recsys.models.registry import ALGORITHMS, model_config, publishable
from recsys.pipeline_config import PipelineConfig
from recsys.progress import silent
from recsys.tuning.budget import Deadline, Plan, SearchBudget
from recsys.tuning.early_stopping import measure
from recsys.tuning.outcome import Outcome, flat, trials_table
from recsys.tuning.search import search_name, search_settings
from recsys.tuning.settings import FOUND, applied
from recsys.tuning.space import Space
from recsys.tuning.stages import run_stages
from recsys.tuning.trials import SearchContext
from recsys.tuning.validation import Validation

pytestmark = pytest.mark.slow
BUDGET = SearchBudget(trials=6, factors_low=4)
DAY = 86_400


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("searched") / "search"


@pytest.fixture(scope="module")
def outcome(events: Interactions, config: PipelineConfig, folder: Path) -> Outcome:
    return search_settings(events, config, BUDGET, folder=folder)


def with_section(config: PipelineConfig, section: str, **changes: Any) -> PipelineConfig:
    return applied(config, {section: changes})


class TestWhatIsFound:
    def test_without_a_better_trial_no_gain_is_named(self, outcome: Outcome) -> None:
        sentences = replace(outcome, settings={}).sentences()
        assert sentences[0].startswith("no trial was better than the settings the search began with")
        assert [sentence.partition(":")[0] for sentence in sentences[1:]] == ["trials"]
        assert any("gain" in sentence for sentence in replace(outcome, settings={"model": {}}).sentences())

    def test_it_is_never_worse_than_where_it_began(self, outcome: Outcome) -> None:
        assert outcome.winner.mean >= outcome.start.mean
        assert outcome.gain.mean == pytest.approx(outcome.winner.mean - outcome.start.mean)
        assert outcome.gain.low is not None
        assert outcome.gain.low <= outcome.gain.mean

    def test_both_dimensions_begin_with_the_settings_one_has(self, outcome: Outcome, config: PipelineConfig) -> None:
        assert outcome.n_trials == {4: 4, 8: 2}
        for factors in (4, 8):
            first = next(trial for trial in outcome.trials if trial.factors == factors)
            assert first.settings["model"]["alpha"] == config.model.alpha
            assert first.settings["model"]["regularization"] == config.model.regularization
            assert first.settings["model"]["weighting"] == config.model.weighting

    def test_what_a_fit_found_is_part_of_its_trial(self, outcome: Outcome) -> None:
        for trial in outcome.trials:
            found = {name: trial.settings["model"][name] for name in FOUND}
            assert trial.whole_point == {**trial.point, **found}

    def test_every_trial_is_in_the_table(self, outcome: Outcome) -> None:
        rows = list(csv.DictReader(io.StringIO(trials_table(outcome))))
        assert len(rows) == len(outcome.trials)
        assert float(rows[0]["ndcg@20"]) == pytest.approx(outcome.trials[0].score, abs=1e-6)
        assert float(rows[0]["coverage@20"]) == pytest.approx(outcome.trials[0].coverage, abs=1e-6)
        assert float(rows[0]["model.alpha"]) == 3.0

    def test_a_group_contributes_the_winner_less_what_is_left_without_it(self, outcome: Outcome) -> None:
        assert outcome.ablation
        for row in outcome.ablation:
            assert row.gain is not None
            assert row.gain.mean == pytest.approx(outcome.winner.mean - row.without)


class TestCoverage:
    def test_its_weight_buys_coverage_with_accuracy_and_both_are_told(
        self, outcome: Outcome, events: Interactions, config: PipelineConfig, tmp_path: Path
    ) -> None:
        narrow = config.model_copy(update={"model": config.model.model_copy(update={"popularity_exponent": 0.6})})
        budget = SearchBudget(trials=2, coverage_weight=2.0)
        found = search_settings(events, narrow, budget, folder=tmp_path)
        assert found.coverage.winner > found.coverage.start
        values = [
            found.winner.mean + 2 * found.coverage.winner,
            found.start.mean + 2 * found.coverage.start,
        ]
        assert values[0] == pytest.approx(max(trial.objective or 0 for trial in found.trials))
        told = f"settings were compared by ndcg@20 + 2 * coverage@20: {values[0]:.4f} against {values[1]:.4f}"
        assert told in found.sentences()
        assert f"coverage@20 {found.coverage.winner:.4f} over" in found.sentences()[0]
        assert not any("compared by" in sentence for sentence in outcome.sentences())
        again = search_settings(events, narrow, budget, folder=tmp_path)
        assert (again.start, again.coverage, again.trials) == (found.start, found.coverage, found.trials)

    def test_another_weight_is_another_search(self, config: PipelineConfig) -> None:
        names = {search_name(config, SearchBudget(coverage_weight=weight), log="x") for weight in (0.0, 0.1, 0.2)}
        assert len(names) == 3


class TestTheHoldout:
    def test_it_is_not_looked_at(
        self, outcome: Outcome, events: Interactions, config: PipelineConfig, tmp_path: Path
    ) -> None:
        other = search_settings(scrambled(events, days=28), config, BUDGET, folder=tmp_path)
        assert [trial.settings for trial in other.trials] == [trial.settings for trial in outcome.trials]
        assert [trial.score for trial in other.trials] == [trial.score for trial in outcome.trials]
        assert (other.winner, other.gain, other.ablation) == (outcome.winner, outcome.gain, outcome.ablation)

    def test_the_train_side_is_looked_at(
        self, outcome: Outcome, events: Interactions, config: PipelineConfig, tmp_path: Path
    ) -> None:
        other = search_settings(scrambled(events, days=35), config, SearchBudget(trials=1), folder=tmp_path)
        assert other.start != outcome.start


def scrambled(events: Interactions, *, days: int) -> Interactions:
    """Another item in every event of the last days, except the newest of all."""
    assert events.timestamp is not None
    newest = events.timestamp.max()
    late = np.flatnonzero((events.timestamp >= newest - days * DAY) & (events.timestamp < newest))
    assert len(late) > 100
    items = events.item_idx.copy()
    items[late] = np.arange(len(late)) % 40
    return replace(events, item_idx=items)


class TestAgain:
    def test_the_same_budget_finds_the_same_without_a_fit(
        self, outcome: Outcome, events: Interactions, config: PipelineConfig, folder: Path
    ) -> None:
        lines: list[str] = []
        again = search_settings(events, config, BUDGET, folder=folder, announce=lines.append)
        assert lines == []
        assert again.trials == outcome.trials  # the seconds that each took are among them
        assert (again.winner, again.gain) == (outcome.winner, outcome.gain)

    def test_more_trials_go_on_from_the_earlier_ones(
        self, outcome: Outcome, events: Interactions, config: PipelineConfig, folder: Path, tmp_path: Path
    ) -> None:
        shutil.copytree(folder, tmp_path / "more")
        more = search_settings(events, config, replace(BUDGET, trials=9), folder=tmp_path / "more")
        assert more.n_trials == {4: 6, 8: 3}
        assert set(trial_keys(outcome)) < set(trial_keys(more))
        assert len({(trial.factors, str(trial.point)) for trial in more.trials}) == 9  # nothing is drawn twice
        assert more.winner.mean >= outcome.winner.mean

    @pytest.mark.parametrize("text", ["no journal\n", "no journal\n{}\n", "{}\n"])
    def test_a_damaged_journal_is_named(
        self, events: Interactions, config: PipelineConfig, tmp_path: Path, text: str
    ) -> None:
        (tmp_path / "journal.log").write_text(text)
        with pytest.raises(ArtifactError, match=r"journal\.log: not a journal of trials .* delete"):
            search_settings(events, config, BUDGET, folder=tmp_path)

    def test_a_search_is_named_by_what_its_trials_depend_on(self, config: PipelineConfig) -> None:
        name = search_name(config, BUDGET, log="abc")
        assert name == search_name(with_section(config, "model", threads=1), replace(BUDGET, trials=99), log="abc")
        assert name != search_name(with_section(config, "model", alpha=7.0), BUDGET, log="abc")
        assert name != search_name(config, replace(BUDGET, tune_events=True), log="abc")
        assert name != search_name(config, BUDGET, log="abd")


def trial_keys(outcome: Outcome) -> list[tuple[int, int, float | None]]:
    return [(trial.factors, trial.number, trial.score) for trial in outcome.trials]


class TestEvents:
    def test_weights_and_half_life_are_searched_on_demand(
        self, events: Interactions, config: PipelineConfig, tmp_path: Path
    ) -> None:
        decaying = with_section(config, "prepare", half_life_days=60.0)
        budget = SearchBudget(trials=5, tune_events=True)
        drawn = [flat(trial.settings) for trial in search_settings(events, decaying, budget, folder=tmp_path).trials]
        assert drawn[0]["prepare.half_life_days"] == 60.0
        assert len({keys["prepare.half_life_days"] for keys in drawn}) > 1
        assert drawn[0]["log.event_weights.view"] == 1.0
        assert len({keys["log.event_weights.view"] for keys in drawn}) > 1
        assert {keys["log.event_weights.cart"] for keys in drawn} == {3.0}  # the others are weighed against it

    def test_a_log_without_kinds_and_times_has_none_to_search(
        self, events: Interactions, config: PipelineConfig, tmp_path: Path
    ) -> None:
        bare = replace(events, timestamp=None, event=None, event_names=())
        by_items = with_section(with_section(config, "evaluate", split="last_n"), "log", event=None, event_weights={})
        with pytest.raises(ConfigError, match="neither kinds of events"):
            search_settings(bare, by_items, SearchBudget(trials=1, tune_events=True), folder=tmp_path)


class TestEveryAlgorithm:
    @pytest.mark.parametrize("algorithm", sorted(publishable()))
    def test_its_settings_are_searched_and_reach_what_is_told(
        self, events: Interactions, config: PipelineConfig, tmp_path: Path, algorithm: str
    ) -> None:
        """Also what the section leaves out, which is chosen first and written down too."""
        small = {
            "als": {"threads": 1, "weighting": "log", "start": "spectral", "neighbours": 0},
            "bpr": {"iterations": 20, "factors": 8},
            "item2vec": {"epochs": 2, "factors": 8},
            "glove": {"sweeps": 3, "factors": 8},
        }
        model = model_config({"algorithm": algorithm, "factors": 12, **small.get(algorithm, {})})
        start = config.model_copy(update={"model": model})
        outcome = search_settings(events, start, SearchBudget(trials=4), folder=tmp_path)
        assert [trial.state for trial in outcome.trials].count("fail") == 0
        assert len({str(trial.point) for trial in outcome.trials}) == 4
        assert outcome.winner.mean >= outcome.start.mean > 0
        if not outcome.settings:
            return  # what a night chooses by itself was best, and the file stays
        found = applied(start, outcome.settings)
        measured = measure(Validation(events, found, n_users=5_000).under(found), found.model, keep_on=lambda: True)
        assert measured is not None
        assert measured.score == pytest.approx(outcome.winner.mean)

    def test_if_the_dimension_is_searched_there_is_one_stage(
        self, events: Interactions, config: PipelineConfig, tmp_path: Path
    ) -> None:
        start = config.model_copy(update={"model": model_config({"algorithm": "svd", "factors": 12, "auto": False})})
        outcome = search_settings(events, start, SearchBudget(trials=3, factors_low=4), folder=tmp_path)
        assert outcome.n_trials == {12: 3}
        assert {trial.settings["model"]["factors"] for trial in outcome.trials} <= {8, 9, 10, 11, 12}

    def test_an_algorithm_with_nothing_to_search_is_tried_once(
        self, events: Interactions, config: PipelineConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        svd = publishable()["svd"]
        monkeypatch.setitem(ALGORITHMS, "svd", replace(svd, tunable={}))
        start = config.model_copy(update={"model": model_config({"algorithm": "svd", "factors": 8, "auto": False})})
        outcome = search_settings(events, start, SearchBudget(trials=4), folder=tmp_path)
        assert len(outcome.trials) == 1  # which finds the popularity exponent


class TestLimits:
    def test_the_time_is_kept(self, events: Interactions, config: PipelineConfig, tmp_path: Path) -> None:
        """By a clock that advances one second whenever it is read, which is several times per iteration."""
        deadline = Deadline(100, clock=itertools.count().__next__)
        outcome = search_settings(events, config, SearchBudget(seconds=100), folder=tmp_path, deadline=deadline)
        assert len(outcome.trials) > 1
        assert outcome.trials[-1].state == "pruned"  # ended by the time, between two iterations
        assert 90 < outcome.seconds < 110

    def test_an_interrupted_search_ends_after_the_iteration_with_the_best_so_far(
        self, events: Interactions, config: PipelineConfig, tmp_path: Path
    ) -> None:
        deadline = Deadline()
        outcome = search_settings(
            events, config, BUDGET, folder=tmp_path, deadline=deadline, progress=interrupt_at(deadline, 0.25)
        )
        assert outcome.interrupted
        assert set(outcome.n_trials) == {4}
        assert outcome.trials[-1].state == "pruned"
        assert len(outcome.trials) == 2  # a quarter of four was done after the first one
        assert outcome.trials[1].settings["model"]["iterations"] == 1
        assert outcome.winner.mean >= outcome.start.mean

    def test_a_search_interrupted_before_its_start_is_measured_has_nothing(
        self, events: Interactions, config: PipelineConfig, tmp_path: Path
    ) -> None:
        with pytest.raises(KeyboardInterrupt):
            search_settings(events, config, BUDGET, folder=tmp_path, deadline=Deadline(interrupted=True))

    def test_too_little_time_says_so(self, events: Interactions, config: PipelineConfig, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="--timeout: got 0 seconds, which were over"):
            search_settings(events, config, SearchBudget(seconds=0), folder=tmp_path)

    def test_a_trial_below_the_median_is_ended_early(
        self, events: Interactions, config: PipelineConfig, tmp_path: Path
    ) -> None:
        outcome = search_settings(events, config, SearchBudget(trials=14), folder=tmp_path)
        complete = [trial.score for trial in outcome.trials if trial.state == "complete"]
        pruned = [trial.score for trial in outcome.trials if trial.state == "pruned"]
        assert pruned
        assert max(pruned) < max(complete)

    def test_a_trial_whose_fit_fails_is_one_that_failed(
        self, events: Interactions, config: PipelineConfig, tmp_path: Path
    ) -> None:
        validation = Validation(events, config, n_users=100)
        context = SearchContext(config, validation, tmp_path, Deadline(), silent, lambda line: None)
        wild = {"strength": Bounds(1e29, 1e30), "penalty": Bounds(1e-32, 1e-31)}
        point = {"weighting": "plain", "start": "random", "strength": 5e29, "penalty": 5e-32}
        space = Space({"weighting": ("plain",), "start": ("random",)}, wild)
        (stage,) = run_stages(context, space, point, [Plan(4, 2, 1.0)])
        assert [(trial.state, trial.score) for trial in stage.trials] == [("fail", None)] * 2
        assert stage.winner is None
        assert stage.start.score > 0

    def test_a_metric_that_is_not_computed_is_refused(
        self, events: Interactions, config: PipelineConfig, tmp_path: Path
    ) -> None:
        with pytest.raises(ConfigError, match=r"publish\.metric"):
            search_settings(events, with_section(config, "publish", metric="ndcg@7"), BUDGET, folder=tmp_path)

    def test_a_train_side_that_cannot_be_split_again_says_so(
        self, events: Interactions, config: PipelineConfig, tmp_path: Path
    ) -> None:
        with pytest.raises(DataError, match="the train side cannot be split again"):
            search_settings(events, with_section(config, "evaluate", holdout=200 * DAY), BUDGET, folder=tmp_path)


def interrupt_at(deadline: Deadline, share: float) -> Callable[[str, float, float], None]:
    """Progress that interrupts the search when this share of a stage is done."""

    def progress(name: str, done: float, total: float) -> None:
        if name.startswith("search") and done >= share * total:
            deadline.interrupted = True

    return progress
