"""Plan: which two arms are served side by side, to whom, and what for."""

from datetime import UTC, datetime
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from recsys.experiments.assignment import ArmName, arm_of
from recsys.experiments.guardrails import GuardName, Guards
from recsys.experiments.size import NeededSize

_VERSION = "v[0-9a-f]{16}"  # as versions of a store are named

Source: TypeAlias = Annotated[str, Field(pattern=f"^({_VERSION}|current|popular)$")]
"""What an arm serves: a version by name, which stays the same; `current`, whatever CURRENT names; or `popular`, the
most popular items of the version that CURRENT names."""

Rate: TypeAlias = Literal["click_through", "conversion"]
"""What an experiment decides by: clicked lists per list, or users with a conversion per user."""

StoppedBy: TypeAlias = Literal["operator"] | GuardName
"""Who ended an experiment."""


def _moment(text: str) -> str:
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("expected a time with its zone")
    return text


Moment: TypeAlias = Annotated[str, AfterValidator(_moment)]
"""A time as ISO 8601 with its zone."""


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Goal(_Frozen):
    """What the experiment is to find, and what that takes.

    `effect`: relative difference, found with probability `power`. `baseline`: the rate that was assumed.
    `clicks`, `conversions`: kinds of events that count; empty: every kind. `needed_once`, `needed`: users of both
    arms, if looked at once, and if looked at every day. `tightest_at`: see `NeededSize`.
    """

    rate: Rate = "click_through"
    clicks: tuple[str, ...] = ()
    conversions: tuple[str, ...] = ()
    effect: float = Field(gt=0)
    baseline: float = Field(gt=0, lt=1)
    alpha: float = Field(0.05, gt=0, lt=1)
    power: float = Field(0.8, gt=0, lt=1)
    needed_once: int = Field(ge=1)
    needed: int = Field(ge=1)
    tightest_at: float = Field(gt=0)

    @property
    def size(self) -> NeededSize:
        """The needed size as `needed_size` told it."""
        return NeededSize(self.needed_once, self.needed, self.tightest_at)


class Stop(_Frozen):
    """When an experiment ended (UTC, ISO 8601), by whom, and why."""

    at: Moment
    by: StoppedBy
    reason: str = ""


class Experiment(_Frozen):
    """Users whose place under `salt` is below `share` get `treatment`, all others `control`.

    `started_at`, `share_since`: UTC, ISO 8601; the experiment is read from the latter on. `stop`: None while it runs.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
    salt: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    control: Source
    treatment: Source
    share: float = Field(gt=0, lt=1)
    started_at: Moment
    share_since: Moment
    goal: Goal
    guards: Guards = Guards()
    stop: Stop | None = None

    @property
    def runs(self) -> bool:
        """Whether users are split now."""
        return self.stop is None

    def arm(self, unit_id: str) -> ArmName:
        """The arm of a user, or of a visitor's session."""
        return arm_of(unit_id, salt=self.salt, share=self.share)

    def source(self, arm: ArmName) -> Source:
        """What an arm serves."""
        return self.treatment if arm == "treatment" else self.control

    @property
    def versions(self) -> set[str]:
        """The versions that its arms name."""
        return {source for source in (self.control, self.treatment) if source not in ("current", "popular")}

    @property
    def days(self) -> float:
        """Since the share holds, until now or until its end."""
        end = datetime.now(UTC) if self.stop is None else datetime.fromisoformat(self.stop.at)
        return max(0.0, (end - datetime.fromisoformat(self.share_since)).total_seconds() / 86_400)
