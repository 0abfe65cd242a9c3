"""The table of peers.py."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from peer_models import PLACES, Lists

from recsys.evaluation.metrics import Values
from recsys.evaluation.significance import paired_difference

METRIC, RECALL = f"ndcg@{PLACES}", f"recall_hits@{PLACES}"


@dataclass(frozen=True)
class Row:
    """A line of the table. `choose_seconds`: processor seconds of all fits that chose the
    settings; of recsys, the whole step evaluate."""

    name: str
    settings: str
    lists: Lists
    per_user: dict[str, Values]
    fit_seconds: float
    choose_seconds: float
    mib: float


def print_table(title: str, rows: Sequence[Row], *, n_ours: int) -> None:
    """Markdown: the figures of every model, and each of the first `n_ours` rows minus it on the same users."""
    minus = [f"{row.name.removeprefix('recsys, ')} minus it" for row in rows[:n_ours]]
    columns = ["model", "chosen", METRIC, RECALL, *minus, "fit, CPU s", "choosing, CPU s", "peak MiB"]
    print(f"\n{title}\n\n| {' | '.join(columns)} |\n| :-- | :-- |{' --: |' * (len(columns) - 2)}")
    for row in rows:
        means = [f"{row.per_user[metric].mean():.4f}" for metric in (METRIC, RECALL)]
        differences = [_difference(mine, row) for mine in rows[:n_ours]]
        costs = [f"{row.fit_seconds:.1f}", f"{row.choose_seconds:.0f}", f"{row.mib:,.0f}"]
        print("|", " | ".join([row.name, row.settings, *means, *differences, *costs]), "|", flush=True)


def _difference(mine: Row, other: Row) -> str:
    """The paired difference of the metric with its 95 % interval; bold if the interval is on one side of zero."""
    if mine is other:
        return ""
    rng = np.random.default_rng(1)
    mean, low, high = paired_difference(
        mine.per_user[METRIC], other.per_user[METRIC], samples=1000, confidence=0.95, rng=rng
    )
    shown = f"**{mean:+.4f}**" if low * high > 0 else f"{mean:+.4f}"
    return f"{shown} ({low:+.4f} to {high:+.4f})"
