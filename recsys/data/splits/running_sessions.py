"""RunningSessions: known users in the middle of a session, cut from the train side of a split."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from recsys.config import EvaluateConfig
from recsys.data.arrays import Floats, Indices
from recsys.data.emphasis import session_emphasis
from recsys.data.event_weights import EventWeights, History
from recsys.data.id_map import IdMap
from recsys.data.interactions import Interactions
from recsys.data.matrix import Csr, InteractionMatrix, csr_from_pairs, empty_csr, presence
from recsys.data.seen import seen_items
from recsys.data.splits.sessions import Sessions, distinct_items, enough_sessions, in_order, of_users, session_of
from recsys.data.splits.split import Split
from recsys.data.splits.strategies import split_last_items

MOST_KNOWN = 3
"""Of a session, up to half of the items are known, and no more than this."""

_LEAST_ITEMS = 3  # of a user, to have a history, a known item and one to find
_DRAWN_PER_SESSION = 10  # many users have only one session, or one with a single item


@dataclass(frozen=True, eq=False)
class RunningSessions:
    """Users with a history and the first items of a session; the rest of the session is to be found.

    `history`: canonical float32 CSR (n, n_items), what was before the session and its known items, together.
    `known`: int32 positions per user, those of the session. `relevant`: float32 CSR (n, n_items), the items to find,
    at least one per row. `left_out`: CSR (n, n_items), what lists leave out. `session_gap`: seconds of the pause that
    ends a session.
    """

    history: Csr
    known: tuple[Indices, ...]
    relevant: Csr
    left_out: Csr
    session_gap: int = 0

    def __len__(self) -> int:
        return len(self.known)

    def emphasis(self, session_weight: float) -> Floats | None:
        """float32 (nnz,): how much each entry of `history` counts, as for a request; None for a weight of 1."""
        if session_weight == 1:
            return None
        rows = np.split(self.history.indices, self.history.indptr[1:-1])
        parts = [
            session_emphasis(items, known, session_weight) for items, known in zip(rows, self.known, strict=True)
        ]
        ones = (np.ones(len(items), np.float32) for items in rows)
        return np.concatenate([one if part is None else part for one, part in zip(ones, parts, strict=True)])


def running_sessions(
    events: Interactions, split: Split, evaluate: EvaluateConfig, *, weights: EventWeights, n_users: int
) -> RunningSessions:
    """The newest session of up to `n_users` users of training, drawn by `evaluate.seed`; nothing of the holdout.

    The history is what came before the session, weighed at its start. `events`: the whole log. A user is left out
    whose newest session has fewer than two items, or who has nothing before it, or nothing to find. A session ends
    before a pause of more than `evaluate.session_gap`, or of a day or a week if few users are left so. Without times
    there are no sessions.
    """
    rng = np.random.default_rng(evaluate.seed)
    users = _drawn_users(split.train, n_users * _DRAWN_PER_SESSION, rng)
    ordered = in_order(_train_side(of_users(events, users), split, evaluate))

    def cut_at(gap: int) -> RunningSessions:
        session = session_of(ordered, gap)
        newest = _is_newest(ordered, session)
        found = distinct_items(ordered.select(newest), session[newest], split.train, weights)
        before = _before(ordered, newest, weights, split.train)
        found = found.take((found.lengths > 1) & (np.diff(before.indptr)[found.user] > 0))
        running = _running(found, before, ordered, split.train, evaluate=evaluate, weights=weights)
        return replace(running, session_gap=gap)

    running, _ = enough_sessions(cut_at, evaluate.session_gap)
    return _some(running, n_users, rng)


def _drawn_users(train: InteractionMatrix, most: int, rng: np.random.Generator) -> IdMap:
    active = np.flatnonzero(np.diff(train.csr.indptr) >= _LEAST_ITEMS)
    drawn = rng.choice(active, min(len(active), most), replace=False)
    return train.users.take(np.sort(drawn).astype(np.int32))


def _train_side(events: Interactions, split: Split, evaluate: EvaluateConfig) -> Interactions:
    """The events of the train side. What is held out of users who are not trained on is not among them."""
    if events.timestamp is None:
        return events.select(np.zeros(len(events), np.bool_))
    if split.cut is not None:
        return events.select(events.timestamp < split.cut)
    return split_last_items(events, evaluate.last_n).train if evaluate.split == "last_n" else events


def _is_newest(ordered: Interactions, session: NDArray[np.int64]) -> NDArray[np.bool_]:
    """bool (n,): the events of each user's newest session."""
    last = np.zeros(len(ordered.users), np.int64)
    last[ordered.user_idx] = session  # the events are in order, so the last assignment stays
    newest: NDArray[np.bool_] = session == last[ordered.user_idx]
    return newest


def _before(ordered: Interactions, newest: NDArray[np.bool_], weights: EventWeights, train: InteractionMatrix) -> Csr:
    """float32 CSR (n_users, n_items): what each user of the events had at the start of the newest session."""
    shape = (len(ordered.users), train.n_items)
    if ordered.timestamp is None:
        return empty_csr(shape)
    start = np.zeros(len(ordered.users), np.int64)
    first = newest & np.append(True, ~newest[:-1] | (np.diff(ordered.user_idx) != 0)) if len(ordered) else newest
    start[ordered.user_idx[first]] = ordered.timestamp[first]
    earlier = ordered.select(~newest)
    age = earlier.timestamp - start[earlier.user_idx]  # type: ignore[operator]
    pairs = weights.at(0).merge(replace(earlier, timestamp=age))
    item, known = train.items.lookup(ordered.items)
    kept = (pairs.weight > 0) & known[pairs.item_idx]
    return csr_from_pairs(pairs.user_idx[kept], item[pairs.item_idx[kept]], pairs.weight[kept], shape)


def _running(
    found: Sessions,
    before: Csr,
    ordered: Interactions,
    train: InteractionMatrix,
    *,
    evaluate: EvaluateConfig,
    weights: EventWeights,
) -> RunningSessions:
    known, rest = found.split_after(np.minimum(MOST_KNOWN, found.lengths // 2), train.n_items)
    history = _combined(before[found.user], known, weights)
    if evaluate.exclude_seen:
        matrix = InteractionMatrix(ordered.users.take(found.user), train.items, history)
        seen = seen_items(ordered, matrix, weights=weights)
        left_out = presence(history) if seen is None else seen
    else:
        left_out = empty_csr(history.shape)
    rest = Csr(rest - rest.multiply(left_out))
    rest.eliminate_zeros()
    parts = tuple(np.split(known.indices, known.indptr[1:-1])) if len(found) else ()
    return _able(RunningSessions(history, parts, rest, left_out))


def _combined(before: Csr, session: Csr, weights: EventWeights) -> Csr:
    """Each row of `before` with the same row of `session`, as the service combines them."""
    rows = [weights.combine(_row(before, at), _row(session, at)) for at in range(before.shape[0])]
    bounds = np.cumsum([0, *(len(items) for items, _ in rows)]).astype(np.int32)
    items = np.concatenate([np.zeros(0, np.int32), *(items for items, _ in rows)])
    weight = np.concatenate([np.zeros(0, np.float32), *(weight for _, weight in rows)])
    return Csr((weight, items, bounds), before.shape)


def _row(csr: Csr, at: int) -> History:
    stored = slice(csr.indptr[at], csr.indptr[at + 1])
    return csr.indices[stored], csr.data[stored]


def _able(running: RunningSessions) -> RunningSessions:
    """Those with something to find."""
    return _taken(running, np.flatnonzero(np.diff(running.relevant.indptr)))


def _some(running: RunningSessions, most: int, rng: np.random.Generator) -> RunningSessions:
    """Up to `most` of them, drawn by `rng`."""
    return _taken(running, np.sort(rng.choice(len(running), min(len(running), most), replace=False)))


def _taken(running: RunningSessions, rows: NDArray[np.int64]) -> RunningSessions:
    known = tuple(running.known[row] for row in rows)
    return replace(
        running,
        history=running.history[rows],
        known=known,
        relevant=running.relevant[rows],
        left_out=running.left_out[rows],
    )
