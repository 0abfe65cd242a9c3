"""People: visitors, and users in a running session, who are measured besides the held-out users."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from recsys.data.event_weights import EventWeights
from recsys.data.interactions import Interactions
from recsys.data.splits.running_sessions import RunningSessions, running_sessions
from recsys.data.splits.split import Split
from recsys.data.splits.visitors import Visitors, visitors_of
from recsys.evaluation.metrics import Values
from recsys.evaluation.provenance import SessionWeight, VisitorsSummary
from recsys.evaluation.visitors import summarise
from recsys.models.recommender import Recommender
from recsys.pipeline_config import PipelineConfig
from recsys.tuning.session_weight import find_session_weight

_SESSION_USERS = 300


@dataclass(frozen=True, eq=False)
class People:
    """`sessions`: of known users; None if the session weight is set, or the log has no times."""

    visitors: tuple[Visitors, ...]
    sessions: RunningSessions | None


def find_people(events: Interactions, split: Split, config: PipelineConfig, given: Interactions | None) -> People:
    """Draw them from the `events` of the whole log."""
    weights = EventWeights.of(config.log, config.prepare)
    sessions = None
    if config.model.session_weight is None and events.timestamp is not None:
        sessions = running_sessions(events, split, config.evaluate, weights=weights, n_users=_SESSION_USERS)
    return People(visitors_of(events, split, config.evaluate, weights=weights, given=given), sessions)


def of_visitors(
    people: People, scores: Mapping[str, Sequence[Values]], config: PipelineConfig
) -> VisitorsSummary | None:
    """The figures of the visitors. `scores`: model to what `score_visitors` gave for each number of known items."""
    return summarise(people.visitors, scores, metric=config.publish.metric, evaluate=config.evaluate)


def weight_of_sessions(people: People, model: Recommender, config: PipelineConfig) -> SessionWeight | None:
    """The session weight that suits the sessions of the train side; None if the configuration sets it."""
    metric = config.publish.metric
    if config.model.session_weight is not None:
        return None
    if people.sessions is None:
        return SessionWeight(weight=1.0, metric=metric, reason="the log has no times")
    return find_session_weight(model, people.sessions, metric)
