"""Visitors: people of whom a model knows only the first items of one session."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from recsys.config import EvaluateConfig
from recsys.data.event_weights import EventWeights
from recsys.data.id_map import IdMap
from recsys.data.interactions import Interactions
from recsys.data.matrix import Csr, empty_csr
from recsys.data.pairs import run_starts
from recsys.data.splits.sessions import Sessions, distinct_items, enough_sessions, in_order, of_users, session_of
from recsys.data.splits.split import Split
from recsys.data.splits.strategies import split_last_items

MOST_KNOWN = 3
"""The visitors are measured after their first 1 to this many items."""

_DRAWN_PER_SESSION = 10  # many people have no session with two items


@dataclass(frozen=True, eq=False)
class Visitors:
    """Visitors of whom `n_known` items are known.

    `history`: float32 CSR (n, n_items), those items with their weights. `relevant`: float32 CSR (n, n_items), the
    items to find, at least one per row. `left_out`: CSR (n, n_items), what lists leave out. `session_gap`: seconds of
    the pause that ends a session; None if sessions are not cut.
    """

    n_known: int
    history: Csr
    relevant: Csr
    left_out: Csr
    session_gap: int | None = None


def visitors_of(
    events: Interactions,
    split: Split,
    evaluate: EvaluateConfig,
    *,
    weights: EventWeights,
    given: Interactions | None = None,
) -> tuple[Visitors, ...]:
    """Visitors with 1 to MOST_KNOWN known items, from up to `evaluate.visitors` people drawn by `evaluate.seed`.

    `events`: the whole log. `given`: the held-out events of a given split. What is known and to be found depends on
    the split:

    temporal        each user's first session of the holdout with two items; the rest of it is to be found
    held_out_users  the same of all events of each held-out user
    given           the same of the held-out events
    last_n          the held-out items are to be found, and the items before them are known

    A session ends before a pause of more than `evaluate.session_gap`, or of a day or a week if few have two or more
    items. Without times all items are one session, in a random order. A number of known items after which
    nothing is left to find is left out.
    """
    if evaluate.visitors == 0:
        return ()
    rng = np.random.default_rng(evaluate.seed)
    if evaluate.split == "last_n":
        found = _before_the_last(events, split, evaluate, weights, rng)
    else:
        found = _first_of_sessions(_untrained(events, split, evaluate, given), split, evaluate, weights, rng)
    return tuple(found)


def _untrained(
    events: Interactions, split: Split, evaluate: EvaluateConfig, given: Interactions | None
) -> Interactions:
    """The events that no model was trained on."""
    if given is not None:
        return given
    if evaluate.split == "held_out_users":
        return of_users(events, IdMap(split.user_ids))
    if events.timestamp is None or split.cut is None:
        return events.select(np.zeros(len(events), np.bool_))
    return events.select(events.timestamp >= split.cut)


def _first_of_sessions(
    events: Interactions, split: Split, evaluate: EvaluateConfig, weights: EventWeights, rng: np.random.Generator
) -> Iterator[Visitors]:
    ordered = in_order(_of_some(events, evaluate.visitors * _DRAWN_PER_SESSION, rng), rng)

    def first_with(gap: int) -> Sessions:
        sessions = distinct_items(ordered, session_of(ordered, gap), split.train, weights)
        sessions = sessions.take(sessions.lengths > 1)
        return sessions.take(run_starts(sessions.user))

    if ordered.timestamp is None:
        first, gap = first_with(evaluate.session_gap), None
    else:
        first, gap = enough_sessions(first_with, evaluate.session_gap)
    drawn = first.take(_drawn(len(first), evaluate.visitors, rng))
    for n in range(1, MOST_KNOWN + 1):
        longer = drawn.take(drawn.lengths > n)
        if len(longer):
            yield _visitors(n, *longer.split_after(n, split.train.n_items), evaluate, session_gap=gap)


def _of_some(events: Interactions, most: int, rng: np.random.Generator) -> Interactions:
    """The events of up to `most` of the users."""
    active = np.flatnonzero(np.bincount(events.user_idx, minlength=len(events.users)))
    if len(active) <= most:
        return events
    drawn = np.zeros(len(events.users), np.bool_)
    drawn[rng.choice(active, most, replace=False)] = True
    return events.select(drawn[events.user_idx])


def _before_the_last(
    events: Interactions, split: Split, evaluate: EvaluateConfig, weights: EventWeights, rng: np.random.Generator
) -> Iterator[Visitors]:
    rows = _drawn(len(split.user_ids), evaluate.visitors, rng)
    users = IdMap(split.user_ids.take(pa.array(rows)))
    train = split_last_items(of_users(events, users), evaluate.last_n).train
    newest_first = in_order(train).select(np.arange(len(train))[::-1])
    one_each = np.cumsum(np.append(0, np.diff(newest_first.user_idx) != 0))
    known = distinct_items(newest_first, one_each, split.train, weights)
    row = rows[users.lookup(train.users)[0][known.user]]
    for n in range(1, MOST_KNOWN + 1):
        enough = known.lengths >= n
        if enough.any():
            history, _ = known.take(enough).split_after(n, split.train.n_items)
            yield _visitors(n, history, split.holdout[row[enough]], evaluate)


def _drawn(n: int, most: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """int64: up to `most` of `n` positions, ascending."""
    return np.sort(rng.choice(n, min(n, most), replace=False))


def _visitors(
    n_known: int, history: Csr, relevant: Csr, evaluate: EvaluateConfig, *, session_gap: int | None = None
) -> Visitors:
    left_out = history if evaluate.exclude_seen else empty_csr(history.shape)
    return Visitors(n_known, history, relevant, left_out, session_gap)
