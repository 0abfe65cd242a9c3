"""evaluate: the model and its baselines on a holdout that none of them has seen."""

import logging
from collections.abc import Iterator, Mapping

from pydantic import ValidationError

from pipelines.steps.cold_start import chosen_and_completed
from pipelines.steps.people import find_people, of_visitors, weight_of_sessions
from pipelines.steps.store import serving_manifest
from pipelines.steps.summaries import EvaluateSummary
from pipelines.steps.workspace import ENCODE, Workspace
from recsys.data.event_weights import EventWeights
from recsys.data.interactions import Interactions
from recsys.data.splits.holdout_length import with_length
from recsys.data.splits.split import Split, make_split
from recsys.engine.event_history import weights_of
from recsys.errors import ArtifactError, ObjectStoreError
from recsys.evaluation.evaluator import evaluate as measure
from recsys.evaluation.provenance import SplitSummary
from recsys.evaluation.results import Cohort
from recsys.evaluation.visitors import score_visitors
from recsys.memory import give_back
from recsys.models.factors.als import AlsConfig
from recsys.models.factors.model import FactorModel, FactorRecommender
from recsys.models.recommender import Recommender
from recsys.models.registry import baselines_of, check_fits, fit_baseline, fit_model, model_config
from recsys.pipeline_config import PipelineConfig
from recsys.progress import Progress
from recsys.retrieval.exact import ExactSearch
from recsys.tuning.baseline_settings import baseline_settings
from recsys.tuning.found import Found, Serving
from recsys.tuning.short_search import choose_settings

log = logging.getLogger(__name__)


def evaluate(config: PipelineConfig, workspace: Workspace, *, progress: Progress) -> EvaluateSummary:
    """Fit on the train side of the split, and measure the lists of every held-out user."""
    if config.content:
        workspace.require(ENCODE, config)
    _tell_of_given_vectors(config)
    events, given = _events(config, workspace)
    measured = _with_length(config, events)
    check_before_fits(events, measured, given)
    found = choose_settings(events, measured, serving=serving_version(config), progress=progress)
    measured = found.applied(measured)
    split = _split(events, measured, given)
    names = baselines_of(config.evaluate, split.train.n_items)
    of_baselines = baseline_settings(events, measured, names, n_items=split.train.n_items, progress=progress)
    people = find_people(events, split, measured, given)
    del events
    give_back()  # the events, before training needs room
    with workspace.output("evaluate", config) as output:
        model = fit_model(split.train, measured.model, progress=progress)
        model, cold = chosen_and_completed(model, measured.model, split.train, config, workspace, progress=progress)
        means, met, session_weight = {}, {}, None
        for recommender in _contestants(split, model, config, of_baselines, progress):
            evaluation = measure(
                recommender,
                split,
                cutoffs=config.evaluate.cutoffs,
                item_vectors=model.embeddings.items,
                progress=progress,
            )
            evaluation.save(output.folder / f"{recommender.name}.arrow")
            means[recommender.name] = evaluation.means()
            met[recommender.name] = [score_visitors(recommender, v, config.publish.metric) for v in people.visitors]
            if recommender.name == config.model.algorithm:
                session_weight = weight_of_sessions(people, recommender, config)
        Cohort.of(split).save(output.folder / "cohort")
        summary = summarised(split, means, config, found, of_baselines)
        of_people = {"visitors": of_visitors(people, met, config), "session_weight": session_weight}
        output.summary = summary.model_copy(update={**of_people, "cold_start": cold})
    return output.summary


def _tell_of_given_vectors(config: PipelineConfig) -> None:
    """Warn that vectors which another program learned may know what is held out here."""
    if isinstance(config.model, AlsConfig) and config.model.item_factors is not None:
        log.warning(
            "model.item_factors: if these vectors were learned from the held-out events too, the model's metrics are"
            " too good; hold out events from after their training (docs/training.md)"
        )


def held_out(config: PipelineConfig, workspace: Workspace) -> Split:
    """The split that `evaluate` measures on, after all its checks.

    Raises DataError if prepare has not run, or nothing is left to train on or to evaluate; ModelError for a baseline
    that the train side is too large for.
    """
    events, given = _events(config, workspace)
    measured = _with_length(config, events)
    check_before_fits(events, measured, given)
    return _split(events, measured, given)


def _with_length(config: PipelineConfig, events: Interactions) -> PipelineConfig:
    """`config` with the length of the holdout, which is that of the serving version if it still suits the log."""
    length = with_length(config.evaluate, events, before=served_length(config))
    return config.model_copy(update={"evaluate": length})


def served_length(config: PipelineConfig) -> int | None:
    """The length of the holdout of the serving version, in seconds; None if there is none."""
    manifest = serving_manifest(config)
    evaluate = None if manifest is None else manifest.config.get("evaluate")
    before = evaluate.get("holdout") if isinstance(evaluate, dict) else None
    return before if isinstance(before, int) else None


def serving_version(config: PipelineConfig) -> Serving | None:
    """The version that serves, and its settings; None if there is none, or it was made by another model."""
    try:
        manifest = serving_manifest(config)
        section = None if manifest is None else manifest.config.get("model")
        if manifest is None or not isinstance(section, dict):
            return None
        return Serving(manifest.version, model_config(section), weights_of(manifest).half_life_days)
    except ObjectStoreError:
        raise
    except (ArtifactError, ValidationError):  # of a version that is damaged, or made by a later release
        return None


def _events(config: PipelineConfig, workspace: Workspace) -> tuple[Interactions, Interactions | None]:
    """The events of the log, and those of a given holdout."""
    prepared = workspace.require("prepare", config)
    given = Interactions.load(prepared / "holdout") if config.evaluate.has_given_holdout else None
    return Interactions.load(prepared / "events"), given


def check_before_fits(events: Interactions, config: PipelineConfig, given: Interactions | None) -> None:
    """Refuse a baseline that the train side is too large for. The split is not kept, to save memory."""
    if (names := config.evaluate.baselines) is not None:  # those of "auto" are small
        check_fits(names, lambda: _split(events, config, given).train)


def _split(events: Interactions, config: PipelineConfig, given: Interactions | None) -> Split:
    weights = EventWeights.of(config.log, config.prepare)
    return make_split(events, config.evaluate, prepare=config.prepare, weights=weights, given=given)


def _contestants(
    split: Split,
    model: FactorModel,
    config: PipelineConfig,
    of_baselines: Mapping[str, Mapping[str, float]],
    progress: Progress,
) -> Iterator[Recommender]:
    """The recommenders one by one, so that only one is in memory. `of_baselines`: baseline to its settings."""
    yield FactorRecommender(config.model.algorithm, model, ExactSearch(model.embeddings.scoring_items))
    for name in baselines_of(config.evaluate, split.train.n_items):
        yield fit_baseline(name, split.train, settings=of_baselines.get(name), progress=progress)


def summarised(
    split: Split,
    means: dict[str, dict[str, float]],
    config: PipelineConfig,
    found: Found,
    baseline_settings: dict[str, dict[str, float]],
) -> EvaluateSummary:
    """What the step did, without visitors, sessions and items without events. `means`: model to all its means."""
    metric = config.publish.metric
    return EvaluateSummary(
        metric=metric,
        means={name: values[metric] for name, values in means.items()},
        metrics=means,
        n_users=len(split.user_ids),
        split=SplitSummary(
            kind=config.evaluate.split,
            cut=split.cut,
            counts=dict(split.counts),
            dropped=dict(split.dropped),
            dropped_users=dict(split.dropped_users),
            held_seconds=split.held_seconds,
            exclude_seen=config.evaluate.exclude_seen,
            seen_events=config.log.seen_events,
        ),
        stopping=found.stopping,
        tradeoff=found.tradeoff,
        choice=found.choice,
        baseline_settings=baseline_settings,
    )
