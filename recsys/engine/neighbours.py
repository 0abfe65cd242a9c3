"""Neighbours by cosine: items alike, items like these and unlike those, users alike."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from recsys.artifacts.bundle import Bundle
from recsys.data.arrays import Floats, Indices
from recsys.data.matrix import rows_storing
from recsys.engine.answers import Answer, RankedUser, UserAnswer, ranked
from recsys.engine.list_warnings import UNKNOWN_ITEMS
from recsys.engine.selection import EligibleItems
from recsys.retrieval.exact import normalised
from recsys.retrieval.topk import select_top_k

NO_ITEM_VECTOR = "the model has nothing to say about this item, so nothing can be compared with it"
NO_DIRECTION = "the items cancel out, or the model has nothing to say about them: nothing can be compared with them"
NO_USER_VECTOR = "the model has nothing to say about this user, so nobody can be compared with them"
OTHERS, OTHER_USERS = "there are only {} other items", "there are only {} other users"
PASSING = "only {} other items pass the filter"

_ROWS_AT_ONCE = 65_536


class Neighbours:
    """Compares the vectors of one version. Any number of threads may ask at once."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle

    def items(
        self,
        positive: Indices,
        negative: Indices,
        *,
        k: int,
        among: EligibleItems,
        unknown_items: tuple[str, ...] = (),
    ) -> Answer:
        """The k items nearest to the direction of `positive` and away from `negative`, int32 (m,), none of these.

        The direction is the sum of the positive items' vectors, each of length one, less that of the negative ones':
        "king - man + woman" (Mikolov, Yih, Zweig, Linguistic Regularities in Continuous Space Word Representations,
        2013). Vectors are unscaled. `among`: which items may be found. `unknown_items`: what else was named.
        """
        version = self._bundle.manifest.version
        warnings = (UNKNOWN_ITEMS.format(len(unknown_items)),) if unknown_items else ()
        direction = self._direction(positive) - self._direction(negative)
        # What is left of vectors that cancel out is rounding, which points anywhere.
        if np.linalg.norm(direction) < 1e-6:
            nothing = NO_ITEM_VECTOR if len(positive) == 1 and len(negative) == 0 else NO_DIRECTION
            return Answer(version, None, k, (), (*warnings, nothing), unknown_items)
        given = np.union1d(positive, negative)
        found = among.search.search(normalised(direction[None]), k, exclude=rows_storing([given], self._n_items))
        items = ranked(self._bundle.items, *found.row(0))
        short = ((OTHERS if among.allowed is None else PASSING).format(len(items)),) if len(items) < k else ()
        return Answer(version, None, k, items, (*warnings, *short), unknown_items)

    def users(self, user: int, *, k: int) -> UserAnswer:
        """The k users whose vectors point most nearly where that of `user` does, never the user; exact search.

        Users of whom the model has nothing to say are nobody's neighbours.
        """
        version, users = self._bundle.manifest.version, self._bundle.model.embeddings.users
        if not self._user_lengths[user]:
            return UserAnswer(version, k, (), (NO_USER_VECTOR,))
        cosines = self._cosines(users[user] / self._user_lengths[user])
        cosines[user] = -np.inf
        pairs = enumerate(zip(*select_top_k(cosines[None], k).row(0), strict=True), start=1)
        found = tuple(
            RankedUser(self._bundle.users.id_at(int(at)), float(score), rank) for rank, (at, score) in pairs
        )
        return UserAnswer(version, k, found, (OTHER_USERS.format(len(found)),) if len(found) < k else ())

    @property
    def _n_items(self) -> int:
        return len(self._bundle.items.ids)

    def _direction(self, positions: Sequence[int] | Indices) -> Floats:
        vectors = normalised(np.asarray(self._bundle.model.embeddings.items[positions]))
        total: Floats = vectors.sum(axis=0, dtype=np.float32)
        return total

    @cached_property
    def _user_lengths(self) -> Floats:
        """float32 (n_users,): made when users are first compared, for that is seldom and reads every vector."""
        users = self._bundle.model.embeddings.users
        lengths: Floats = np.sqrt(np.einsum("nd,nd->n", users, users))
        return lengths

    def _cosines(self, direction: Floats) -> Floats:
        """float32 (n_users,): of every user's vector with `direction`, float32 (d,), of length one."""
        users, lengths = self._bundle.model.embeddings.users, self._user_lengths
        cosines = np.full(len(users), -np.inf, np.float32)
        for start in range(0, len(users), _ROWS_AT_ONCE):
            block = slice(start, start + _ROWS_AT_ONCE)
            np.divide(users[block] @ direction, lengths[block], out=cosines[block], where=lengths[block] > 0)
        return cosines
