"""A new version against the one that serves, on the users who were evaluated for both."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.config import EvaluateConfig, duration_text
from recsys.data.arrays import Indices
from recsys.evaluation.metrics import Values
from recsys.evaluation.record import Record
from recsys.evaluation.significance import Interval, mean_intervals
from recsys.retrieval.topk import PAD

MIN_SHARED_USERS = 100
"""With fewer users in common an interval says too little to judge by."""


@dataclass(frozen=True, eq=False)
class Serving:
    """The version that serves. `record`: None in versions made before records.

    `metrics`: as in its manifest. `evaluate`: the [evaluate] section it was measured by, as in its manifest.
    """

    version: str
    metrics: Mapping[str, Any]
    record: Record | None
    evaluate: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Paired:
    """One metric on the shared users: its figure of the serving version, and the new version's minus that."""

    before: float
    difference: Interval


@dataclass(frozen=True, eq=False)
class Comparison:
    """A new version, of which `now` is the record, beside `serving`.

    `rows_now`, `rows_before`: int32 (n_shared,), the rows of the shared users in the new and in the serving record.
    `paired`: metric to its paired difference; empty where fewer than MIN_SHARED_USERS are shared, or there are
    `changes`: how the two were measured differently.
    """

    now: Record
    serving: Serving
    rows_now: Indices
    rows_before: Indices
    paired: Mapping[str, Paired] = field(default_factory=dict)
    changes: tuple[str, ...] = ()

    @property
    def measured_differently(self) -> str | None:
        """Why no figure of the one says anything of the other, None where they were measured alike."""
        if not self.changes:
            return None
        return f"measured differently ([evaluate] has changed: {', '.join(self.changes)})"

    @property
    def n_shared(self) -> int:
        """Users evaluated for both."""
        return len(self.rows_now)

    @property
    def why_not_paired(self) -> str | None:
        """What kept the two from being compared on the same users, None where nothing did."""
        if self.measured_differently:
            return self.measured_differently
        if self.serving.record is None:
            return "the serving version kept no record of its users"
        if self.n_shared < MIN_SHARED_USERS:
            return f"only {self.n_shared} users were evaluated for both"
        return None


def compare_with_serving(now: Record, serving: Serving, evaluate: EvaluateConfig) -> Comparison:
    """Pair `now`, the record of a new version, with that of `serving` by user id.

    Each was measured on the holdout of its day: what is the same are the users, not what they did.
    """
    before, changes = serving.record, protocol_changes(serving.evaluate, evaluate)
    if before is None or changes:
        return Comparison(now, serving, np.empty(0, np.int32), np.empty(0, np.int32), changes=changes)
    rows_before, known = before.users.encode(now.users.ids)
    rows_now = np.flatnonzero(known).astype(np.int32)
    if len(rows_now) < MIN_SHARED_USERS:
        return Comparison(now, serving, rows_now, rows_before)
    paired = _accuracy(now, before, rows_now, rows_before, evaluate)
    name, coverage = coverage_difference(now, before, rows_now, rows_before, confidence=evaluate.confidence)
    return Comparison(now, serving, rows_now, rows_before, {**paired, name: coverage})


_PROTOCOL = {
    "temporal": ("holdout",),
    "last_n": ("last_n",),
    "held_out_users": ("user_share", "item_share"),
    "given": (),
}
"""What else of [evaluate] decides what each kind of split holds out. Cut-offs are part of a metric's name, and the
files of a given holdout move on as the newest part of a log does."""


def protocol_changes(before: Mapping[str, Any], now: EvaluateConfig) -> tuple[str, ...]:
    """ "split was temporal, is last_n" for every setting by which figures are not of the same kind any more.

    `before`: the [evaluate] section of a manifest; what it does not name is taken as unchanged.
    """
    new = now.model_dump(mode="json")
    keys = ("split",) if before.get("split", now.split) != now.split else _PROTOCOL[now.split]
    changed = [key for key in keys if before.get(key, new[key]) != new[key]]
    return tuple(f"{key} was {_shown(key, before[key])}, is {_shown(key, new[key])}" for key in changed)


def _shown(key: str, value: Any) -> str:
    """As people write it in the configuration: a holdout as '28d', not in seconds."""
    return duration_text(int(value)) if key == "holdout" else str(value)


def _accuracy(
    now: Record, before: Record, rows_now: Indices, rows_before: Indices, evaluate: EvaluateConfig
) -> dict[str, Paired]:
    """The metrics that both records have."""
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
    """ "coverage@k" and that of the shared users' lists, k the places that both records keep; a jackknife interval.

    Coverage is no mean over users, and a resample with repeated users covers less than its original, so the
    bootstrap does not fit. Leaving out user u loses the items that stand in no other list: d_u of the catalogue.
    With the difference of the two versions' d_u, variance = (n - 1) / n * sum (d_u - mean d)^2 (Tukey 1958), and the
    interval is normal.
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
    """The share of the catalogue in `lists` (int32 (n, k)), and float64 (n,): what of it each list alone holds."""
    times = np.bincount(lists[lists != PAD], minlength=1)
    alone = (lists != PAD) & (times[np.where(lists == PAD, 0, lists)] == 1)
    return float((times > 0).sum()) / n_items, alone.sum(axis=1) / n_items
