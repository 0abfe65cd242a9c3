"""UserProfile: the vector a list is made for, and what it comes from."""

from dataclasses import dataclass, replace

import numpy as np

from recsys.artifacts.bundle import Bundle
from recsys.data.arrays import Floats, Indices
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
from recsys.engine.question import Question


@dataclass(frozen=True, eq=False)
class UserProfile:
    """What is known of the user of a question.

    `vector`: float32 (d,), all zero for a fallback. `history`: what it comes from, item positions int32 (m,),
    ascending, and weights float32 (m,), above zero. `seen`: int32 (s,), ascending: the items that lists leave out,
    those of events without any weight left among them. `warnings`: about the user. `unknown_items`: unknown ids of
    events.
    """

    vector: Floats
    history: tuple[Indices, Floats]
    seen: Indices
    status: UserStatus
    warnings: tuple[str, ...] = ()
    unknown_items: tuple[str, ...] = ()


class UserProfiles:
    """Makes the profile of a user from the stored history, from events, or from both. Immutable."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        # A row of a mapped array is many times slower to take than one of the same memory as a plain array.
        self._vectors = np.asarray(bundle.model.embeddings.users)
        self._history, self._seen = _Rows.of(bundle.history), _Rows.of(bundle.left_out)
        self._event_weights = weights_of(bundle.manifest)

    def profile(self, question: Question) -> UserProfile:
        """The user of `question`: a known user by the trained vector, or folded in if there are events.

        Raises InvalidRequestError if this version's log could not have held the events.
        """
        user = None if question.user_id is None else self._bundle.users.position(question.user_id)
        if question.events:
            return self._folded_in(question, user)
        if user is not None:
            return self._known(user)
        return self._fallback(NO_USER if question.user_id is None else UNKNOWN_USER)

    def history(self, user: int) -> tuple[Indices, Floats]:
        """The stored history of one user: item positions int32 (m,), ascending, and weights float32 (m,)."""
        return self._history.row(user)

    def _known(self, user: int) -> UserProfile:
        vector, stored = self._vectors[user], self.history(user)
        known = bool(vector.any())
        warnings = () if known else (USER_WITHOUT_VECTOR,)
        seen = self._seen.row(user)[0]
        return UserProfile(vector, stored, seen, "known" if known else "fallback", warnings)

    def _folded_in(self, question: Question, user: int | None) -> UserProfile:
        weighed = weigh(question.events, self._bundle.items.ids, self._event_weights)
        ignored = (IGNORED_EVENTS.format(weighed.n_ignored),) if weighed.n_ignored else ()
        if user is not None and len(weighed.item_idx) == 0:
            known_user = self._known(user)
            warnings = (*ignored, *known_user.warnings)
            return replace(known_user, unknown_items=weighed.unknown_items, warnings=warnings)
        stored = _NO_HISTORY if user is None else self.history(user)
        seen = _NO_HISTORY[0] if user is None else self._seen.row(user)[0]
        history = self._event_weights.combine(stored, (weighed.item_idx, weighed.weight))
        vector = self._bundle.model.fold_in(row_of(*history, n_items=self._bundle.history.shape[1]))[0]
        known = bool(vector.any())
        only_events = (ONLY_EVENTS,) if question.user_id is not None and user is None else ()
        return UserProfile(
            vector,
            history,
            np.union1d(seen, weighed.seen_idx),
            "folded_in" if known else "fallback",
            (*ignored, *only_events, *(() if known else (NO_USABLE_EVENT,))),
            weighed.unknown_items,
        )

    def _fallback(self, warning: str) -> UserProfile:
        zero = np.zeros(self._bundle.model.embeddings.factors, np.float32)
        return UserProfile(zero, _NO_HISTORY, _NO_HISTORY[0], "fallback", (warning,))


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
