"""A new version against the serving version, on the users evaluated for both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from recsys.config import EvaluateConfig, duration_text
from recsys.data.arrays import Indices
from recsys.evaluation.metrics import Values
from recsys.evaluation.record import Record
from recsys.evaluation.significance import Interval, mean_intervals
from recsys.retrieval.topk import PAD

MIN_SHARED_USERS = 100
"""With fewer shared users an interval is too wide to decide by."""


@dataclass(frozen=True, eq=False)
class ServingVersion:
    """The serving version, from its manifest and record.

    `metrics`: metric to its mean, None if it has none. `evaluate`: the [evaluate] section it was measured with.
    `record`: None if the version keeps none. `because`: set if an earlier version is compared in its place; why.
    """

    version: str
    metrics: Mapping[str, float | None]
    record: Record | None
    evaluate: Mapping[str, JsonValue] = field(default_factory=dict)
    because: str | None = None

    @property
    def owner(self) -> str:
        """Whose figures these are, in a sentence."""
        return "the serving version's" if self.because is None else f"the earlier version {self.version}'s"


@dataclass(frozen=True)
class Paired:
    """One metric on the shared users: its mean for the serving version, and the new version's minus that."""

    before: float
    difference: Interval


@dataclass(frozen=True, eq=False)
class ServingComparison:
    """A new version, `now`, compared with the `serving` one.

    `rows_now`, `rows_before`: int32 (n_shared,), rows of the shared users in the new and in the serving record.
    `paired`: metric to its paired difference; empty if `not_paired` says why the same users could not be compared.
    `measured_differently`: why even the means cannot be compared; None if they can. `log_differs`: whether that is
    because no kept version has a log like tonight's.
    """

    now: Record
    serving: ServingVersion
    rows_now: Indices = field(default_factory=lambda: np.empty(0, np.int32))
    rows_before: Indices = field(default_factory=lambda: np.empty(0, np.int32))
    paired: Mapping[str, Paired] = field(default_factory=dict)
    not_paired: str | None = None
    measured_differently: str | None = None
    log_differs: bool = False

    @property
    def n_shared(self) -> int:
        """Number of users evaluated for both."""
        return len(self.rows_now)

    @property
    def n_before(self) -> int | None:
        """Number of users that the serving version was evaluated on; None if it keeps no record of them."""
        return None if self.serving.record is None else len(self.serving.record.users)


def compare_with_serving(
    now: Record,
    serving: ServingVersion,
    evaluate: EvaluateConfig,
    *,
    min_users: int = MIN_SHARED_USERS,
    seen_events: Sequence[str] = (),
) -> ServingComparison:
    """Pair `now`, the record of a new version, with that of `serving` by user id.

    Each version was measured on the holdout of its day, so the users are the same but not their holdout items. With
    fewer than `min_users` shared users nothing is paired. `seen_events`: as in `protocol_changes`.
    """
    if changes := protocol_changes(serving.evaluate, evaluate, seen_events=seen_events):
        why = f"measured differently ([evaluate] has changed: {', '.join(changes)})"
        return ServingComparison(now, serving, not_paired=why, measured_differently=why)
    if (before := serving.record) is None:
        return ServingComparison(now, serving, not_paired="the serving version keeps no record of its users")
    rows_before, known = before.users.encode(now.users.ids)
    rows_now = np.flatnonzero(known).astype(np.int32)
    if (n_shared := len(rows_now)) < min_users:
        few = f"only {n_shared} users were evaluated for both"
        return ServingComparison(now, serving, rows_now, rows_before, not_paired=few)
    paired = _accuracy(now, before, rows_now, rows_before, evaluate)
    name, coverage = coverage_difference(now, before, rows_now, rows_before, confidence=evaluate.confidence)
    return ServingComparison(now, serving, rows_now, rows_before, {**paired, name: coverage})


def log_differs(now: Record, serving: ServingVersion, difference: str) -> ServingComparison:
    """No comparison, because of a `difference` between the logs: "its log has 668 users, tonight's 3,341"."""
    why = f"not comparable with {serving.version}: {difference}, and no kept version has a log like tonight's"
    return ServingComparison(now, serving, not_paired=why, measured_differently=why, log_differs=True)


_SEEN = ("exclude_seen", "seen_events")

_PROTOCOL = {
    "temporal": ("holdout", "new_items", *_SEEN),
    "last_n": ("last_n", "new_items", *_SEEN),
    "held_out_users": ("user_share", "item_share", "new_items", *_SEEN),
    "given": ("new_items", *_SEEN),
}
"""By kind of split, the other settings of [evaluate], and `log.seen_events`, that decide what counts as relevant.

Cut-offs are not among them because they are part of a metric's name. The files of a given holdout are not either,
because they change from day to day.
"""


def protocol_changes(
    before: Mapping[str, JsonValue], now: EvaluateConfig, *, seen_events: Sequence[str] = ()
) -> tuple[str, ...]:
    """ "split was temporal, is last_n" for every changed setting that makes the metrics incomparable.

    `before`: the [evaluate] section of a manifest; a setting that it does not name counts as unchanged, but lists
    left out the items of every kind of event if it does not say otherwise. `seen_events`: `log.seen_events`, by whose
    name `before` has it too.
    """
    before = {"exclude_seen": True, "seen_events": [], **before}
    new = {**now.model_dump(mode="json"), "seen_events": list(seen_events)}
    keys = ("split",) if before.get("split", now.split) != now.split else _PROTOCOL[now.split]
    changed = [key for key in keys if before.get(key, new[key]) != new[key]]
    return tuple(f"{key} was {_shown(key, before[key])}, is {_shown(key, new[key])}" for key in changed)


def _shown(key: str, value: JsonValue) -> str:
    """As written in a configuration: a holdout as "28d", not in seconds."""
    return duration_text(value) if key == "holdout" and isinstance(value, int) else str(value)


def _accuracy(
    now: Record, before: Record, rows_now: Indices, rows_before: Indices, evaluate: EvaluateConfig
) -> dict[str, Paired]:
    """The paired differences of the metrics that both records have."""
    names = [name for name in now.per_user if name in before.per_user]
    if not names:
        return {}
    was = np.column_stack([before.per_user[name][rows_before] for name in names]).astype(np.float64)
    new = np.column_stack([now.per_user[name][rows_now] for name in names]).astype(np.float64)
    intervals = mean_intervals(
        new - was,
        samples=evaluate.bootstrap,
        confidence=evaluate.confidence,
        rng=np.random.default_rng(evaluate.seed),
    )
    return {
        name: Paired(float(mean), interval)
        for name, mean, interval in zip(names, was.mean(axis=0), intervals, strict=True)
    }


def coverage_difference(
    now: Record, before: Record, rows_now: Indices, rows_before: Indices, *, confidence: float
) -> tuple[str, Paired]:
    """ "coverage@k" and its difference over the shared users' lists, with a jackknife interval.

    k is the number of places that both records keep. Coverage is not a mean over users, and a resample with repeated
    users covers less than the original, so the bootstrap does not fit. Without user u, the items that are in no
    other list are lost: a share d_u of the catalogue. With d_u the difference of both versions' shares, the variance
    is (n - 1) / n * sum (d_u - mean d)^2 (Tukey 1958). The interval is normal.
    """
    k = min(now.lists.shape[1], before.lists.shape[1])
    covers_now, lost_now = _covered(now.lists[rows_now, :k], now.n_items)
    covers_before, lost_before = _covered(before.lists[rows_before, :k], before.n_items)
    lost = lost_now - lost_before
    n = len(lost)
    deviation = float(np.sqrt((n - 1) / n * ((lost - lost.mean()) ** 2).sum()))
    reach = NormalDist().inv_cdf((1 + confidence) / 2) * deviation
    mean = covers_now - covers_before
    return f"coverage@{k}", Paired(covers_before, Interval(mean, mean - reach, mean + reach))


def _covered(lists: NDArray[np.int32], n_items: int) -> tuple[float, Values]:
    """The share of the catalogue in `lists` (int32 (n, k)), and float64 (n,): the share that only each list holds."""
    times = np.bincount(lists[lists != PAD], minlength=1)
    alone = (lists != PAD) & (times[np.where(lists == PAD, 0, lists)] == 1)
    return float((times > 0).sum()) / n_items, alone.sum(axis=1) / n_items
