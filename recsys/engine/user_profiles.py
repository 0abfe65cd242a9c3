"""Who is asked about: a vector, what it comes from, and how sure that is."""

from dataclasses import dataclass, replace

import numpy as np

from recsys.artifacts.bundle import Bundle
from recsys.data.arrays import Floats, Indices
from recsys.data.matrix import Csr
from recsys.engine.answers import UserStatus
from recsys.engine.event_history import weigh, weights_of
from recsys.engine.question import Question

UNKNOWN_USER = "this user is not in the model; these are the most popular items"
EVENTS_ALONE = "this user is not in the model; only the events count"
NOBODY = "nothing is known of whom this is for; these are the most popular items"
NO_USABLE_EVENT = "none of the events says anything about an item of the model; these are the most popular items"
NO_VECTOR = "the model has nothing to say about this user; these are the most popular items"


@dataclass(frozen=True, eq=False)
class UserProfile:
    """Whom a list is for.

    `vector`: float32 (d,), all zero where nothing is known. `history`: what it comes from, item positions int32 (m,),
    ascending, and weights float32 (m,), above zero. `seen`: int32 (s,), ascending: the items of the history, and
    those of events of which nothing is left. `warnings`: why it is a fallback. `unknown_items`: ids of events.
    """

    vector: Floats
    history: tuple[Indices, Floats]
    seen: Indices
    status: UserStatus
    warnings: tuple[str, ...] = ()
    unknown_items: tuple[str, ...] = ()


class UserProfiles:
    """Finds out who somebody is, from a stored history, from events, or from both. Immutable."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        # A row of a mapped array is many times slower to take than one of the same memory as a plain array.
        seen, self._vectors = bundle.seen, np.asarray(bundle.model.embeddings.users)
        self._indptr, self._indices, self._weights = map(np.asarray, (seen.indptr, seen.indices, seen.data))
        self._event_weights = weights_of(bundle.manifest)

    def person(self, question: Question) -> UserProfile:
        """Whom `question` is about: known by the trained vector, or, where there are events, folded in.

        Raises InvalidRequestError where the events are not what this version understands.
        """
        user = None if question.user_id is None else self._bundle.users.position(question.user_id)
        if question.events:
            return self._folded_in(question, user)
        if user is not None:
            return self._known(user)
        return self._fallback(NOBODY if question.user_id is None else UNKNOWN_USER)

    def stored(self, user: int) -> tuple[Indices, Floats]:
        """What one user is known by: item positions int32 (m,), ascending, and weights float32 (m,)."""
        stored = slice(self._indptr[user], self._indptr[user + 1])
        return self._indices[stored], self._weights[stored]

    def _known(self, user: int) -> UserProfile:
        vector, stored = self._vectors[user], self.stored(user)
        known = bool(vector.any())
        warnings = () if known else (NO_VECTOR,)
        return UserProfile(vector, stored, stored[0], "known" if known else "fallback", warnings)

    def _folded_in(self, question: Question, user: int | None) -> UserProfile:
        weighed = weigh(question.events, self._bundle.items.ids, self._event_weights)
        if user is not None and len(weighed.item_idx) == 0:
            return replace(self._known(user), unknown_items=weighed.unknown_items)
        stored = _NOTHING if user is None else self.stored(user)
        history = self._event_weights.combine(stored, (weighed.item_idx, weighed.weight))
        vector = self._bundle.model.fold_in(row_of(*history, n_items=self._bundle.seen.shape[1]))[0]
        known = bool(vector.any())
        alone = (EVENTS_ALONE,) if question.user_id is not None and user is None else ()
        return UserProfile(
            vector,
            history,
            np.union1d(stored[0], weighed.item_idx),
            "folded_in" if known else "fallback",
            (*alone, *(() if known else (NO_USABLE_EVENT,))),
            weighed.unknown_items,
        )

    def _fallback(self, warning: str) -> UserProfile:
        nothing = np.zeros(self._bundle.model.embeddings.factors, np.float32)
        return UserProfile(nothing, _NOTHING, _NOTHING[0], "fallback", (warning,))


def row_of(item_idx: Indices, weight: Floats, *, n_items: int) -> Csr:
    """Canonical float32 (1, n_items) of ascending positions int32 (m,) and weights float32 (m,), which it shares."""
    return Csr((weight, item_idx, np.array([0, len(item_idx)], np.int32)), shape=(1, n_items))


_NOTHING: tuple[Indices, Floats] = (np.zeros(0, np.int32), np.zeros(0, np.float32))
