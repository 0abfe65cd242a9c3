"""Search: from the settings of a configuration to better ones, chosen on validation users."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from recsys.config import HOLDOUT_ROWS, DatabaseRows
from recsys.data.interactions import Interactions
from recsys.errors import DataError
from recsys.evaluation.gates import check_metric
from recsys.evaluation.metrics import Values
from recsys.evaluation.significance import Interval, mean_interval
from recsys.models.registry import check_algorithms
from recsys.pipeline_config import PipelineConfig
from recsys.progress import Progress, silent
from recsys.tuning.ablation import ablate
from recsys.tuning.budget import Deadline, Plan, SearchBudget
from recsys.tuning.half_life import HALF_LIFE
from recsys.tuning.open_settings import open_keys
from recsys.tuning.outcome import Coverage, Outcome
from recsys.tuning.settings import Setting, Settings, changed, events_point
from recsys.tuning.short_search import choose_settings
from recsys.tuning.space import Space, with_events
from recsys.tuning.stages import run_stages
from recsys.tuning.trials import SearchContext
from recsys.tuning.validation import Validation

_CHOICE_UNTIL = 0.25  # of the time, for the settings that a night would choose


def check_searchable(config: PipelineConfig) -> None:
    """Raise ConfigError if these settings cannot be searched; no data is read."""
    check_metric(config.publish, config.evaluate)
    check_algorithms(config.model, config.evaluate)


def search_settings(
    events: Interactions,
    config: PipelineConfig,
    budget: SearchBudget,
    *,
    folder: Path,
    deadline: Deadline | None = None,
    progress: Progress = silent,
    announce: Callable[[str], None] = lambda line: None,
) -> Outcome:
    """Search from the settings of `config`, by `publish.metric` on a part of the train side.

    And by coverage, if `budget` gives it a weight.
    `events`: the whole log; its holdout is cut off first and not looked at. `folder`: keeps the trials; a search in
    the same folder continues there. `deadline`: by default `budget.seconds` from now; it may be interrupted from
    elsewhere. `announce`: receives a line for each better trial.
    Raises ConfigError if the settings cannot be searched or the time was too short to measure anything, DataError if
    the train side cannot be split again, and what the first fit raises.
    """
    check_searchable(config)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        validation = Validation(events, config, n_users=budget.n_users, coverage_weight=budget.coverage_weight)
    except DataError as error:
        raise DataError(f"tune: the train side cannot be split again: {error}") from error
    deadline = deadline or Deadline(budget.seconds)
    begin = _chosen(events, config, deadline, progress, announce)
    outcome = _search(SearchContext(begin, validation, folder, deadline, progress, announce), budget)
    return replace(outcome, settings=_to_write(config, begin, outcome.settings))


def _chosen(
    events: Interactions,
    config: PipelineConfig,
    deadline: Deadline,
    progress: Progress,
    announce: Callable[[str], None],
) -> PipelineConfig:
    """`config` with the settings that a night would choose, where it sets none."""
    found = choose_settings(events, config, keep_on=lambda: not deadline.over(_CHOICE_UNTIL), progress=progress)
    if found.choice is None or not (found.choice.settings or found.choice.prepare):
        return config
    announce(f"settings that are not set, as a night chooses them: {found.choice.in_words()}")
    chosen = found.applied(config)
    return chosen.model_copy(update={"model": chosen.model.model_copy(update={"auto": False})})


def _to_write(config: PipelineConfig, begin: PipelineConfig, settings: Settings) -> Settings:
    """Those that differ from `config`, by the search or where it began; none if the search found no better."""
    if not settings or begin is config:
        return settings
    keys = {"auto", *open_keys(config.model)} & set(type(begin.model).model_fields)
    started = {key: getattr(begin.model, key) for key in keys}
    decay: dict[str, Setting] = {HALF_LIFE: begin.prepare.half_life_days}
    whole: Settings = {"model": {**started, **settings.get("model", {})}}
    return changed(config, {**settings, **whole, "prepare": {**decay, **settings.get("prepare", {})}})


def search_name(config: PipelineConfig, budget: SearchBudget, *, log: str) -> str:
    """Names a search by what its trials depend on: settings, budget and `log`, the fingerprint of the log.

    The holdout is not part of it, nor is the place of any file.
    """
    made_of = {
        "log": log,
        "columns": config.log.model_dump(mode="json", exclude={"paths", *DatabaseRows.model_fields}),
        "prepare": config.prepare.model_dump(mode="json"),
        "evaluate": config.evaluate.model_dump(mode="json", exclude={*HOLDOUT_ROWS, "bootstrap", "confidence"}),
        "model": config.model.model_dump(mode="json", exclude={"threads", "gpu", "log_loss"}),
        "budget": [budget.factors_low, budget.tune_events, budget.n_users, budget.coverage_weight],
        "metric": config.publish.metric,
    }
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:12]


def _search(context: SearchContext, budget: SearchBudget) -> Outcome:
    """All stages, and what each group of settings contributes to the winner of the last one."""
    config, space = context.config, context.model_space.space
    start = context.model_space.point(context.validation.under(config).train.csr)
    if budget.tune_events:
        space = with_events(space, context.validation.events)
        start |= events_point(config, space.names)
    stages = run_stages(context, space.reaching(start), start, _plans(config, budget, space))
    stage = next((stage for stage in reversed(stages) if stage.trials), stages[0])
    winner = stage.winner
    scores = stage.per_user(winner) if winner else stage.start.per_user
    ablation = ablate(context, winner.whole_point, start, factors=stage.factors, per_user=scores) if winner else ()
    return Outcome(
        metric=config.publish.metric,
        n_users=len(scores),
        split=config.evaluate.split,
        factors=stage.factors,
        coverage_weight=budget.coverage_weight,
        coverage=Coverage(stage.start.coverage, (winner.coverage if winner else None) or stage.start.coverage),
        start=_interval(config, stage.start.per_user),
        winner=_interval(config, scores),
        gain=context.gain(scores, stage.start.per_user),
        confidence=config.evaluate.confidence,
        settings=changed(config, winner.settings) if winner else {},
        trials=tuple(trial for each in stages for trial in each.trials),
        ablation=ablation,
        interrupted=context.deadline.interrupted,
        seconds=context.deadline.used,
    )


def _plans(config: PipelineConfig, budget: SearchBudget, space: Space) -> list[Plan]:
    """The stages: one alone if the dimension itself is searched, and one trial if nothing is."""
    if not space.names:
        budget = replace(budget, trials=1)
    if "factors" in space.ranges:
        budget = replace(budget, factors_low=config.model.factors)
    return budget.plans(config.model.factors)


def _interval(config: PipelineConfig, per_user: Values) -> Interval:
    evaluate = config.evaluate
    rng = np.random.default_rng(evaluate.seed)
    return mean_interval(per_user, samples=evaluate.bootstrap, confidence=evaluate.confidence, rng=rng)
