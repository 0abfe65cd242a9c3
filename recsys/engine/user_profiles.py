"""UserProfile: the vector a list is made for, and what it comes from."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from recsys.artifacts.bundle import Bundle
from recsys.artifacts.manifest import session_weight_of
from recsys.data.arrays import Floats, Indices, ones
from recsys.data.emphasis import session_emphasis
from recsys.data.id_map import IdMap
from recsys.data.matrix import Csr
from recsys.engine.answers import (
    IGNORED_EVENTS,
    NO_USABLE_EVENT,
    NO_USER,
    ONLY_EVENTS,
    UNKNOWN_USER,
    USER_WITHOUT_VECTOR,
    UserStatus,
)
from recsys.engine.event_history import weigh, weights_of
from recsys.engine.question import Event, Question
from recsys.tracing import span

IsForgotten = Callable[[str], bool]
"""Whether what a version holds of the user of an id counts no more."""


def nobody_is_forgotten(user_id: str) -> bool:
    """Everybody is known."""
    return False


@dataclass(frozen=True, eq=False)
class UserProfile:
    """What is known of the user of a question.

    `vector`: float32 (d,), all zero for a fallback. `history`: what it comes from, item positions int32 (m,),
    ascending, and weights float32 (m,), above zero. `seen`: int32 (s,), ascending: the items that lists leave out,
    those of events without any weight left among them. `warnings`: about the user. `unknown_items`: unknown ids of
    events. `emphasis`: float32 (m,), how much each item of the history counts; None if all count the same.
    """

    vector: Floats
    history: tuple[Indices, Floats]
    seen: Indices
    status: UserStatus
    warnings: tuple[str, ...] = ()
    unknown_items: tuple[str, ...] = ()
    emphasis: Floats | None = None

    def history_row(self, n_items: int) -> Csr:
        """The history as canonical float32 (1, n_items)."""
        return row_of(*self.history, n_items=n_items)

    @property
    def counts(self) -> Floats:
        """float32 (m,): how much each item of the history counts, 1 without `emphasis`."""
        return ones(len(self.history[0])) if self.emphasis is None else self.emphasis

    def counts_row(self, n_items: int) -> Csr:
        """`counts` as canonical float32 (1, n_items)."""
        return row_of(self.history[0], self.counts, n_items=n_items)


class UserProfiles:
    """Makes the profile of a user from the stored history, from events, or from both. Immutable.

    `is_forgotten`: whether the user of an id was forgotten since; then nothing is stored of that user.
    """

    def __init__(self, bundle: Bundle, is_forgotten: IsForgotten = nobody_is_forgotten) -> None:
        self._bundle = bundle
        self.is_forgotten = is_forgotten
        # A row of a mapped array is many times slower to take than one of the same memory as a plain array.
        self._vectors = None if bundle.folds_users else np.asarray(bundle.model.embeddings.users)
        self._trained = _Histories.of(bundle.users, bundle.history, bundle.left_out)
        folded = bundle.folded_in
        self._folded = None if folded is None else _Histories.of(folded.users, folded.history, folded.left_out)
        self._event_weights = weights_of(bundle.manifest)
        self._session_weight = session_weight_of(bundle.manifest)

    def profile(self, question: Question) -> UserProfile:
        """The user of `question`: by the trained vector, or folded in if there is none or there are events.

        Raises InvalidRequestError if this version's log could not have held the events.
        """
        if question.popular:
            return self._popular(self.profile(replace(question, popular=False)))
        user = None if question.user_id is None else self.find(question.user_id)
        if question.events:
            return self._with_events(question, user)
        if user is not None:
            return self._stored(user)
        return self._fallback(NO_USER if question.user_id is None else UNKNOWN_USER)

    def remembering(self) -> Callable[[Question], UserProfile]:
        """As `profile`, for one batch: a user who is asked about again, with the same events, is not folded in again.

        The last events of each user are compared, not hashed, which costs less than weighing them.
        """
        known: dict[tuple[str | None, bool], tuple[tuple[Event, ...], UserProfile]] = {}

        def profile(question: Question) -> UserProfile:
            key = question.user_id, question.popular
            before = known.get(key)
            if before is None or before[0] != question.events:
                known[key] = before = question.events, self.profile(question)
            return before[1]

        return profile

    def find(self, user_id: str) -> "StoredUser | None":
        """What the version stores of a user, trained or not; None if that is nothing, or the user was forgotten."""
        if self.is_forgotten(user_id):
            return None
        if (at := self._trained.users.position(user_id)) is not None:
            return StoredUser(self._trained.history.row(at), self._trained.seen.row(at)[0], at)
        if self._folded is None or (at := self._folded.users.position(user_id)) is None:
            return None
        return StoredUser(self._folded.history.row(at), self._folded.seen.row(at)[0])

    def vector(self, user: "StoredUser") -> Floats:
        """float32 (d,): trained, or folded in; all zero if no item of the history has a learned vector."""
        if self._vectors is None or user.trained_at is None:
            return self._fold_in(user.history)
        vector: Floats = self._vectors[user.trained_at]
        return vector

    def groups(self) -> "Iterator[UserGroup]":
        """The trained users, then those who are folded in."""
        bundle = self._bundle
        yield UserGroup(bundle.users, bundle.history, bundle.left_out, bundle.user_vectors)
        if (folded := bundle.folded_in) is not None:
            fold_in, history = bundle.model.fold_in, folded.history
            yield UserGroup(folded.users, history, folded.left_out, lambda rows: fold_in(history[rows]))

    def _stored(self, user: "StoredUser") -> UserProfile:
        vector = self.vector(user)
        if not vector.any():
            return UserProfile(vector, user.history, user.seen, "fallback", (USER_WITHOUT_VECTOR,))
        return UserProfile(vector, user.history, user.seen, "known" if user.trained_at is not None else "folded_in")

    def _fold_in(self, history: tuple[Indices, Floats], emphasis: Floats | None = None) -> Floats:
        row = row_of(*history, n_items=self._bundle.history.shape[1])
        with span("fold_in", n_items=len(history[0])):
            folded: Floats = self._bundle.model.fold_in(row, emphasis)[0]
        return folded

    def _with_events(self, question: Question, user: "StoredUser | None") -> UserProfile:
        weighed = weigh(question.events, self._bundle.items.ids, self._event_weights)
        ignored = (IGNORED_EVENTS.format(weighed.n_ignored),) if weighed.n_ignored else ()
        if user is not None and len(weighed.item_idx) == 0:
            stored = self._stored(user)
            return replace(stored, unknown_items=weighed.unknown_items, warnings=(*ignored, *stored.warnings))
        before, seen = (_NO_HISTORY, _NO_HISTORY[0]) if user is None else (user.history, user.seen)
        history = self._event_weights.combine(before, (weighed.item_idx, weighed.weight))
        session = weighed.item_idx[weighed.weight > 0]
        emphasis = session_emphasis(history[0], session, self._session_weight)
        vector = self._fold_in(history, emphasis)
        known = bool(vector.any())
        only_events = (ONLY_EVENTS,) if question.user_id is not None and user is None else ()
        return UserProfile(
            vector,
            history,
            np.union1d(seen, weighed.seen_idx),
            "folded_in" if known else "fallback",
            (*ignored, *only_events, *(() if known else (NO_USABLE_EVENT,))),
            weighed.unknown_items,
            emphasis,
        )

    def _fallback(self, warning: str) -> UserProfile:
        return self._nothing_known(_NO_HISTORY[0], (warning,))

    def _popular(self, known: UserProfile) -> UserProfile:
        """Nothing of `known` but what lists leave out."""
        return replace(self._nothing_known(known.seen, known.warnings), unknown_items=known.unknown_items)

    def _nothing_known(self, seen: Indices, warnings: tuple[str, ...]) -> UserProfile:
        zero = np.zeros(self._bundle.model.embeddings.factors, np.float32)
        return UserProfile(zero, _NO_HISTORY, seen, "fallback", warnings)


@dataclass(frozen=True, eq=False)
class StoredUser:
    """One user of a version.

    `history`: item positions int32 (m,), ascending, and weights float32 (m,). `seen`: int32 (s,), ascending, the
    items that lists leave out. `trained_at`: position of the trained vector; None if the user is folded in.
    """

    history: tuple[Indices, Floats]
    seen: Indices
    trained_at: int | None = None


@dataclass(frozen=True, eq=False)
class UserGroup:
    """Users of one kind: their histories and what their lists leave out, CSR (n, n_items), and the vectors of some.

    `vectors`: float32 (m, d) of m rows.
    """

    users: IdMap
    history: Csr
    left_out: Csr
    vectors: Callable[[slice], Floats]


@dataclass(frozen=True, eq=False)
class _Histories:
    users: IdMap
    history: "_Rows"
    seen: "_Rows"

    @staticmethod
    def of(users: IdMap, history: Csr, left_out: Csr) -> "_Histories":
        return _Histories(users, _Rows.of(history), _Rows.of(left_out))


@dataclass(frozen=True, eq=False)
class _Rows:
    """The arrays of a CSR matrix. A row of a mapped array is many times slower to take than one of a plain array."""

    indptr: Indices
    indices: Indices
    data: Floats

    @staticmethod
    def of(csr: Csr) -> "_Rows":
        return _Rows(*map(np.asarray, (csr.indptr, csr.indices, csr.data)))

    def row(self, at: int) -> tuple[Indices, Floats]:
        stored = slice(self.indptr[at], self.indptr[at + 1])
        return self.indices[stored], self.data[stored]


def row_of(item_idx: Indices, weight: Floats, *, n_items: int) -> Csr:
    """Canonical float32 (1, n_items) of ascending positions int32 (m,) and weights float32 (m,), which it shares."""
    return Csr((weight, item_idx, np.array([0, len(item_idx)], np.int32)), shape=(1, n_items))


_NO_HISTORY: tuple[Indices, Floats] = (np.zeros(0, np.int32), np.zeros(0, np.float32))
