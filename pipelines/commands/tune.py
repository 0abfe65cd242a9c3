"""tune: settings that do better, chosen on a part of the train side; the holdout is not looked at."""

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.steps.run import run
from pipelines.steps.workspace import Workspace
from recsys.artifacts.files import replace_durably
from recsys.data.interactions import Interactions
from recsys.errors import ConfigError, DataError
from recsys.evaluation.gates import check_metric
from recsys.evaluation.metrics import Values
from recsys.evaluation.significance import Interval, mean_interval
from recsys.pipeline_config import PipelineConfig
from recsys.progress import Progress, silent
from recsys.tuning.ablation import ablate
from recsys.tuning.budget import Budget
from recsys.tuning.outcome import Outcome, trials_table
from recsys.tuning.searcher import Searcher
from recsys.tuning.settings import changed, events_point, point_of
from recsys.tuning.space import model_space, with_events
from recsys.tuning.stages import Effort, search_stages
from recsys.tuning.toml_output import Tuned, write_copy, write_in_place
from recsys.tuning.validation import Validation

log = logging.getLogger(__name__)

_STOPPING = "stopping after this iteration with the best so far; press Ctrl-C again to stop at once"


def tune(
    path: Path,
    config: PipelineConfig,
    effort: Effort,
    *,
    given: Mapping[str, Any],
    write: bool = False,
    progress: Progress = silent,
    announce: Callable[[str], None] = lambda line: None,
) -> Outcome:
    """Search from the settings of `config`, which is `path` with the dotted keys `given`; write tuned.toml.

    A search for the same settings, log and effort goes on where an earlier one ended. `write`: change `path` too.
    Ctrl-C ends it with the best so far. Runs prepare where its output is missing or out of date.
    Raises ConfigError where the time was too short to measure anything, DataError where the train side cannot be
    cut once more, and what prepare and the first fit raise.
    """
    check_metric(config.publish, config.evaluate)
    if config.model.algorithm != "als":
        raise ConfigError(f"model.algorithm: tune searches the settings of 'als', got {config.model.algorithm!r}")
    text, workspace = path.read_bytes().decode(), Workspace(config.workspace)
    events = _prepared(config, workspace, progress, announce)
    validation = _validation(events, config, effort)
    folder = workspace.folder("tune") / _key(config, workspace, effort)
    folder.mkdir(parents=True, exist_ok=True)
    searcher = Searcher(config, validation, folder, Budget(effort.seconds), progress, announce)
    with searcher.budget.interruptible(lambda: announce(_STOPPING)):
        outcome = _search(searcher, effort)
    notes = outcome.notes(datetime.now(UTC).date(), path.name)
    tuned = Tuned(config, given, outcome.settings, notes)
    replace_durably(trials_file(config), trials_table(outcome).encode())
    write_copy(tuned_file(config), text, tuned)
    if write and outcome.settings:
        write_in_place(path, tuned)
    log.info("tuned trials=%s gain=%s seconds=%.1f", outcome.n_trials, outcome.gain, outcome.seconds)
    return outcome


def tuned_file(config: PipelineConfig) -> Path:
    """The configuration that was found."""
    return Workspace(config.workspace).folder("tune") / "tuned.toml"


def trials_file(config: PipelineConfig) -> Path:
    """Every trial in a row."""
    return Workspace(config.workspace).folder("tune") / "trials.csv"


def _prepared(
    config: PipelineConfig, workspace: Workspace, progress: Progress, announce: Callable[[str], None]
) -> Interactions:
    try:
        folder = workspace.require("prepare", config)
    except DataError:
        announce("prepare has not run, or its settings have changed; running it first")
        run(config, steps=("prepare",), progress=progress)
        folder = workspace.require("prepare", config)
    return Interactions.load(folder / "events")


def _validation(events: Interactions, config: PipelineConfig, effort: Effort) -> Validation:
    try:
        return Validation(events, config, n_users=effort.users)
    except DataError as error:
        raise DataError(f"tune: the train side cannot be cut once more: {error}") from error


def _key(config: PipelineConfig, workspace: Workspace, effort: Effort) -> str:
    """Names a search by what its trials depend on; the holdout is not in it, nor where the files are."""
    made_of = {
        "log": workspace.summary("prepare")["fingerprints"]["log"],
        "columns": config.log.model_dump(mode="json", exclude={"paths"}),
        "prepare": config.prepare.model_dump(mode="json"),
        "evaluate": config.evaluate.model_dump(mode="json", exclude={"holdout_paths", "bootstrap", "confidence"}),
        "model": config.model.model_dump(mode="json", exclude={"threads", "gpu", "log_loss"}),
        "effort": [effort.factors_low, effort.events, effort.users],
        "metric": config.publish.metric,
    }
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:12]


def _search(searcher: Searcher, effort: Effort) -> Outcome:
    """Both stages, and what each group of settings bought."""
    config, space = searcher.config, model_space()
    start = point_of(config, searcher.validation.questions(config).train)
    if effort.events:
        space = with_events(space, searcher.validation.events)
        start |= events_point(config, [*space.ranges, *space.choices])
    stages = search_stages(searcher, space.reaching(start), start, effort)
    stage = next((stage for stage in reversed(stages) if stage.trials), stages[0])
    winner = stage.winner
    scores = stage.per_user(winner) if winner else stage.start.per_user
    where = stage.factors
    bought = ablate(searcher, winner.found, start, factors=where, per_user=scores) if winner else ()
    return Outcome(
        metric=config.publish.metric,
        n_users=len(scores),
        split=config.evaluate.split,
        factors=where,
        start=_interval(config, stage.start.per_user),
        winner=_interval(config, scores),
        gain=searcher.gain(scores, stage.start.per_user),
        confidence=config.evaluate.confidence,
        settings=changed(config, winner.settings) if winner else {},
        trials=tuple(trial for each in stages for trial in each.trials),
        bought=bought,
        interrupted=searcher.budget.interrupted,
        seconds=searcher.budget.used,
    )


def _interval(config: PipelineConfig, per_user: Values) -> Interval:
    evaluate = config.evaluate
    rng = np.random.default_rng(evaluate.seed)
    return mean_interval(per_user, samples=evaluate.bootstrap, confidence=evaluate.confidence, rng=rng)
