"""evaluate on Spark: the split, the fit and the lists in blocks; what is learned from a sample, by the driver."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.spark.contestants import Contest
from pipelines.spark.scratch import scratch_of
from pipelines.spark.train import check_model
from pipelines.steps.cold_start import chosen_and_completed
from pipelines.steps.evaluate import check_before_fits, served_length, serving_version, summarised
from pipelines.steps.people import People, find_people, of_visitors, weight_of_sessions
from pipelines.steps.summaries import EvaluateSummary
from pipelines.steps.workspace import ENCODE, Workspace
from recsys.data.event_weights import EventWeights
from recsys.data.splits.holdout_length import with_length_of
from recsys.data.splits.split import Split
from recsys.evaluation.number_format import count
from recsys.evaluation.provenance import LearnedFrom
from recsys.evaluation.visitors import score_visitors
from recsys.memory import give_back
from recsys.models.registry import baselines_of
from recsys.pipeline_config import PipelineConfig
from recsys.progress import Progress
from recsys.spark.cutting import LogOnSpark
from recsys.spark.driver_matrix import DriverMatrix, driver_matrix
from recsys.spark.event_files import EventFiles
from recsys.spark.failures import named_failures
from recsys.spark.fitting import fit_in_blocks
from recsys.spark.hours import span_of
from recsys.spark.sample import Sample, sample_events
from recsys.spark.session import open_session
from recsys.spark.splitting import SparkSplit, split_log
from recsys.tuning.baseline_settings import baseline_settings
from recsys.tuning.found import Found
from recsys.tuning.short_search import choose_settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

MOST_USERS = 200_000
"""Users that are evaluated if `evaluate.max_users` is not set: their lists and metrics have to fit the driver."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class _Night:
    """What the step works on. `given`: the files of a given holdout."""

    spark: "SparkSession"
    config: PipelineConfig
    workspace: Workspace
    files: EventFiles
    given: EventFiles | None
    scratch: Path
    progress: Progress


@dataclass(frozen=True, eq=False)
class _Task:
    """What is fitted and measured, and with which settings.

    `split`: of `on_spark`, over the driver's users. `measured`: the configuration with what was `found`.
    """

    measured: PipelineConfig
    found: Found
    on_spark: SparkSplit
    driver: DriverMatrix
    split: Split
    of_baselines: Mapping[str, Mapping[str, float]]
    people: People
    learned: LearnedFrom | None


def evaluate(config: PipelineConfig, workspace: Workspace, *, progress: Progress) -> EvaluateSummary:
    """Fit on the train side of the split, and measure the lists of every held-out user, as the local step does.

    Raises ConfigError, before any work, if Spark does not train the model.
    """
    check_model(config.model)
    if config.content:
        workspace.require(ENCODE, config)
    prepared = workspace.require("prepare", config)
    given = EventFiles(prepared / "holdout") if config.evaluate.has_given_holdout else None
    with scratch_of("evaluate", config) as scratch:
        files, spark = EventFiles(prepared / "events"), open_session(config.compute)
        night = _Night(spark, config, workspace, files, given, scratch, progress)
        task = _task(night)
        give_back()  # the events, before training needs room
        return _fit_and_measure(night, task)


def _task(night: _Night) -> _Task:
    """Choose the settings on the sample, and split the log with them."""
    config, progress, compute = night.config, night.progress, night.config.compute
    with named_failures("while the span of the log was looked for"):
        span = span_of(night.files.read(night.spark)) if night.files.has_times else None
    work = LogOnSpark(night.spark, night.files, night.scratch, compute.block_entries, span)
    sample = sample_events(night.spark, night.files, compute.sample_events)
    given = None if night.given is None else sample_events(night.spark, night.given, compute.sample_events).events
    measured = config if span is None else _with_length(config, span.seconds)
    check_before_fits(sample.events, measured, given)
    found = choose_settings(sample.events, measured, serving=serving_version(config), progress=progress)
    measured = found.applied(measured)
    on_spark = _split(night, measured, work)
    driver = driver_matrix(
        night.spark,
        on_spark.train.users,
        on_spark.train.user_positions,
        users=night.files.users,
        items=on_spark.items,
        most_entries=compute.sample_events,
    )
    split = on_spark.over(driver.matrix)
    names, n_items = baselines_of(config.evaluate, split.train.n_items), split.train.n_items
    return _Task(
        measured=measured,
        found=found,
        on_spark=on_spark,
        driver=driver,
        split=split,
        of_baselines=baseline_settings(sample.events, measured, names, n_items=n_items, progress=progress),
        people=find_people(sample.events, split, measured, given),
        learned=_learned(sample),
    )


def _with_length(config: PipelineConfig, span_seconds: int) -> PipelineConfig:
    length = with_length_of(config.evaluate, span_seconds, before=served_length(config))
    return config.model_copy(update={"evaluate": length})


def _split(night: _Night, measured: PipelineConfig, work: LogOnSpark) -> SparkSplit:
    evaluate = measured.evaluate
    bounded = evaluate.model_copy(update={"max_users": evaluate.max_users or MOST_USERS})
    return split_log(
        work,
        bounded,
        weights=EventWeights.of(measured.log, measured.prepare),
        given=night.given,
        prepare=measured.prepare,
        block_entries=night.config.compute.block_entries,
    )


def _learned(sample: Sample) -> LearnedFrom | None:
    """None if everything was learned from the whole log."""
    return None if sample.is_whole else LearnedFrom(n_events=len(sample.events), of_events=sample.of_events)


def _fit_and_measure(night: _Night, task: _Task) -> EvaluateSummary:
    config, progress = night.config, night.progress
    with night.workspace.output("evaluate", config) as output:
        _warn(config, task)
        model = fit_in_blocks(
            night.spark,
            task.on_spark.train,
            task.driver,
            check_model(task.measured.model),
            scratch=night.scratch / "fit",
            compute=config.compute,
            progress=progress,
        )
        fitted, matrix = task.measured.model, task.driver.matrix
        model, cold = chosen_and_completed(model, fitted, matrix, config, night.workspace, progress=progress)
        contest = Contest.of(night.spark, task.on_spark, task.driver, config, model, night.scratch / "rows")
        means, met, session_weight = {}, {}, None
        for recommender in contest.contestants(model, task.of_baselines, progress):
            evaluation = contest.measure(recommender, progress)
            evaluation.save(output.folder / f"{recommender.name}.arrow")
            means[recommender.name] = evaluation.means()
            met[recommender.name] = [
                score_visitors(recommender, visitors, config.publish.metric) for visitors in task.people.visitors
            ]
            if recommender.name == config.model.algorithm:
                session_weight = weight_of_sessions(task.people, recommender, config)
        contest.cohort.save(output.folder / "cohort")
        of_baselines = {name: dict(settings) for name, settings in task.of_baselines.items()}
        summary = summarised(task.split, means, config, task.found, of_baselines)
        of_people = {"visitors": of_visitors(task.people, met, config), "session_weight": session_weight}
        output.summary = summary.model_copy(update={**of_people, "cold_start": cold, "learned_from": task.learned})
    return output.summary


def _warn(config: PipelineConfig, task: _Task) -> None:
    """Log what is measured or learned on a part only, so that it stands in the report."""
    if task.learned is not None:
        log.warning("%s", task.learned.sentence())
    left_out = task.split.dropped_users.get("sampled_out", 0)
    if config.evaluate.max_users is None and left_out:
        log.warning(
            "%s of %s users who can be evaluated are measured, drawn at random; evaluate.max_users sets how many",
            count(len(task.split.user_ids)),
            count(len(task.split.user_ids) + left_out),
        )
