"""Places of a list that are kept for new items: how many, which items get them, and where they stand."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import Floats, Indices
from recsys.engine.question import Question

Today = Callable[[], date]
"""The current day."""

POOL = 1_000
"""How many of a user's best new items take turns."""

Places = NDArray[np.intp]


def utc_today() -> date:
    """The current day in UTC."""
    return datetime.now(UTC).date()


def n_places(k: int, share: float) -> int:
    """How many of k places are kept: `share` of them, rounded up."""
    return math.ceil(k * share - 1e-9)  # 0.1 * 30 is a little more than 3


@dataclass(frozen=True, eq=False)
class Turns:
    """The order in which new items take turns: a permutation of the items of a version, and where a user begins.

    `rank`: int32 (n_items,), the permutation. From one day to the next a user's turn moves on by as many items as the
    list has places, so that all of the pool are shown one after the other; other users begin elsewhere.
    """

    version: str
    rank: Indices | NDArray[np.uint64]

    @staticmethod
    @lru_cache(maxsize=4)
    def of(version: str, n_items: int) -> "Turns":
        """The turns of `version`: the same wherever they are made."""
        rank = np.random.default_rng(_number(version)).permutation(n_items).astype(np.int32)
        return Turns(version, rank)

    @staticmethod
    def of_ids(version: str, item_ids: Sequence[str]) -> "Turns":
        """The turns of items that came later: an item's place in the order does not depend on the others."""
        return Turns(version, np.array([_number(f"{version}\0{item_id}") for item_id in item_ids], np.uint64))

    def next(self, pool: Indices, n: int, *, user: str, day: date) -> Places:
        """Intp (min(n, m),): places in `pool`, int32 (m,), item positions, of those whose turn it is."""
        if n <= 0 or len(pool) == 0:
            return np.zeros(0, np.intp)
        first = (_number(f"{self.version}\0{user}") + day.toordinal() * n) % len(pool)
        return np.roll(np.argsort(self.rank[pool]), -first)[:n]


@dataclass(frozen=True, eq=False)
class Filled:
    """`order`: intp (m,), the list, as places in the candidates followed by the pool.

    `wanted`, `found`: new items. `too_low`: whether some of the pool would have filled the rest but for their score.
    """

    order: Places
    wanted: int
    found: int
    too_low: bool = False


def fill_places(
    listed: tuple[Indices, Floats],
    pool: tuple[Indices, Floats],
    *,
    k: int,
    n_kept: int,
    is_new: NDArray[np.bool_],
    min_score: float | None,
    choose: Callable[[Indices, int], Places],
) -> Filled:
    """The list with up to `n_kept` new items: those that it has already count, others of the pool are put in.

    `listed`, `pool`: item positions int32 and scores float32. `is_new`: bool (n_items,). `min_score`: an item of the
    pool must reach this share of the list's least score, or all of it if that is below zero; None in a fallback,
    where nothing is known of the user. What is put in replaces the last items that are not new, and stands evenly
    spread over the list, the best first.
    """
    indices, scores = listed
    missing = n_kept - int(is_new[indices].sum())
    others = np.flatnonzero(~np.isin(pool[0], indices))
    passing = others[pool[1][others] >= least_score(scores, min_score)]
    chosen = passing[choose(pool[0][passing], missing)]
    chosen = chosen[np.lexsort((pool[0][chosen], -pool[1][chosen]))]
    found = n_kept - missing + len(chosen)
    return Filled(
        _spread(_kept(is_new[indices], k - len(chosen)), len(indices) + chosen),
        n_kept,
        found,
        too_low=found < n_kept and len(passing) < len(others),
    )


def least_score(scores: Floats, min_score: float | None) -> float:
    """What a new item must score for a kept place of a list with `scores`, float32 (n,); see `fill_places`."""
    if min_score is None or len(scores) == 0:
        return -math.inf
    last = float(scores.min())
    return last * min_score if last > 0 else last


def _kept(is_new: NDArray[np.bool_], room: int) -> Places:
    """Which of a list stay if there is room for `room`: the last that are not new go first."""
    surplus = len(is_new) - room
    if surplus <= 0:
        return np.arange(len(is_new))
    leaving = np.flatnonzero(~is_new)[-surplus:]
    return np.delete(np.arange(len(is_new)), leaving)


def _spread(kept: Places, chosen: Places) -> Places:
    """`kept` in their order, and `chosen` at the places (2 j + 1) * n / (2 m), rounded down, of the n together."""
    n, m = len(kept) + len(chosen), len(chosen)
    order = np.empty(n, np.intp)
    at = (2 * np.arange(m) + 1) * n // (2 * max(m, 1))
    order[at] = chosen
    order[np.delete(np.arange(n), at)] = kept
    return order


def asker(question: Question) -> str:
    """Whose turn it is: the user, or for a visitor the items of the events."""
    return question.user_id or "\0".join(event.item_id for event in question.events)


def _number(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest())
