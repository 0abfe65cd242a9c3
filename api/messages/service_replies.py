"""The version that serves, and whether the service is ready."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from api.messages.reply import Reply
from recsys.artifacts.manifest import Manifest, newest_event_of
from recsys.experiments.assignment import ArmName

PUBLIC_CONFIG = ("prepare", "evaluate", "model", "index")
"""The sections of the configuration that are shown; the others name places of another machine."""


_PLACES = ("path", "paths")


class RunningExperiment(BaseModel):
    """The experiment that splits users now."""

    model_config = ConfigDict(frozen=True)

    name: str
    started_at: str = Field(description="ISO 8601, UTC")
    share: float = Field(description="of the users that are in treatment")
    arms: Mapping[ArmName, str] = Field(description="the version that each arm serves, or `popular`")


class ModelReply(Reply):
    """The version that serves. Numbers that could not be measured are null."""

    created_at: str = Field(description="when the version was sealed, ISO 8601, UTC")
    age_seconds: float = Field(description="time since then")
    newest_event: str | None = Field(
        None, description="when the log that it was trained on ends, ISO 8601, UTC; left out if the log has no times"
    )
    config: Mapping[str, object] = Field(description="the settings it was prepared, evaluated and trained with")
    metrics: Mapping[str, object] = Field(description="as evaluated before it was published")
    index: Mapping[str, object] = Field(description="how items are searched, and how exactly")
    counts: Mapping[str, object] = Field(
        description="users, items and entries it was trained on; `folded_in_users` are served from their stored "
        "history, `fallback_users` of the log have none and get the most popular items"
    )
    verdict: str = Field(description="the gates' verdict before it was published")
    experiment: RunningExperiment | None = Field(None, description="left out if none runs")

    @classmethod
    def of(cls, manifest: Manifest, experiment: RunningExperiment | None = None) -> Self:
        """The reply that carries the public part of `manifest`, without the configuration's paths."""
        age = datetime.now(UTC) - datetime.fromisoformat(manifest.created_at)
        newest = newest_event_of(manifest)
        sections = {name: manifest.config[name] for name in PUBLIC_CONFIG if name in manifest.config}
        return cls(
            model_version=manifest.version,
            created_at=manifest.created_at,
            age_seconds=age.total_seconds(),
            **({} if newest is None else {"newest_event": newest.isoformat()}),
            config={name: _without_paths(section) for name, section in sections.items() if isinstance(section, dict)},
            metrics=manifest.metrics,
            index=manifest.index,
            counts=manifest.counts,
            verdict=manifest.verdict,
            **({} if experiment is None else {"experiment": experiment}),
        )


class Alive(BaseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Ready(Reply):
    """A model is loaded and answers."""

    status: Literal["ready"] = "ready"
    warning: str | None = Field(
        None, description="why another version serves than the store says, or an experiment that runs is not served"
    )


class StoresReady(BaseModel):
    """Every store that has versions serves one."""

    model_config = ConfigDict(frozen=True)

    status: Literal["ready"] = "ready"
    stores: Mapping[str, str] = Field(description="the version that serves, by store")
    waiting: tuple[str, ...] = Field(description="stores to which nothing has been published yet")
    warnings: Mapping[str, str] | None = Field(None, description="by store, as of a single one")


class Serving(Reply):
    """The version that serves now."""


def _without_paths(section: Mapping[str, object]) -> dict[str, object]:
    return {
        name: value
        for name, value in section.items()
        if not name.endswith(_PLACES) and not name.startswith("holdout_")
    }
