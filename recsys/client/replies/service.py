"""The service itself."""

from collections.abc import Mapping
from dataclasses import dataclass

from recsys.client.replies.base import Reply


@dataclass(frozen=True, kw_only=True)
class RunningExperiment:
    """The experiment that splits users now; `arms`: the version that each arm serves, or `popular`."""

    name: str
    started_at: str
    share: float
    arms: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class ModelReply(Reply):
    """The version that serves. Times are ISO 8601, UTC; numbers that could not be measured are None."""

    created_at: str
    age_seconds: float
    newest_event: str | None = None
    config: Mapping[str, object]
    metrics: Mapping[str, object]
    index: Mapping[str, object]
    counts: Mapping[str, object]
    verdict: str
    experiment: RunningExperiment | None = None


@dataclass(frozen=True, kw_only=True)
class Alive:
    """The process answers."""

    status: str


@dataclass(frozen=True, kw_only=True)
class Ready(Reply):
    """A model is loaded and answers; `warning`: why another version serves than the store says."""

    status: str
    warning: str | None = None


@dataclass(frozen=True, kw_only=True)
class StoresReady:
    """Of a service with several stores: the version by store, stores without any, and a `warning` by store."""

    status: str
    stores: Mapping[str, str]
    waiting: tuple[str, ...]
    warnings: Mapping[str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class Serving(Reply):
    """The version that serves now."""
