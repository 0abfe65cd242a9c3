"""Engine: one loaded version, asked with the ids of the outside world."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from recsys.artifacts.bundle import Bundle
from recsys.data.id_map import IdMap
from recsys.engine.answers import Answer, ItemView, Ranked, ranked
from recsys.engine.bounds import check_id, check_k
from recsys.engine.listing import Lister
from recsys.engine.persons import Persons
from recsys.engine.question import Question
from recsys.engine.ranking import Ranker
from recsys.errors import UnknownItemError, UnknownUserError
from recsys.retrieval.exact import normalised
from recsys.retrieval.topk import TopK

NO_ITEM_VECTOR = "the model has nothing to say about this item, so nothing can be compared with it"
OTHERS = "there are only {} other items"

_EXPORT_BATCH = 1024


class Engine:
    """Answers from one bundle, which never changes: any number of threads may ask at once.

    Every public method raises InvalidRequestError for a k outside 1 to 1000, or for an id that is empty, longer than
    256 bytes or not encodable in UTF-8.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._persons = Persons(bundle)
        self._ranker = Ranker(bundle)
        self._lister = Lister(bundle, self._persons, self._ranker)
        self._n_users_of_item = np.bincount(bundle.seen.indices, minlength=len(self.item_ids))
        _ = bundle.model.gram  # made here, so that nobody's first question waits for it

    @property
    def version(self) -> str:
        """The name of the version it answers from."""
        return self._bundle.manifest.version

    @property
    def user_ids(self) -> IdMap:
        """The users of this version."""
        return self._bundle.users

    @property
    def item_ids(self) -> IdMap:
        """The items of this version; positions in a `TopK` of `iter_all` are positions here."""
        return self._bundle.items.ids

    def recommend(self, user_id: str, *, k: int = 10, exclude_seen: bool = True) -> Answer:
        """The user's list. An unknown user gets the most popular items, labelled "fallback" and with a warning."""
        return self.ask(Question(user_id=user_id, k=k, exclude_seen=exclude_seen))

    def recommend_many(self, user_ids: Sequence[str], *, k: int = 10, exclude_seen: bool = True) -> list[Answer]:
        """A list for each user, in the order asked; the same lists as `recommend` gives one by one."""
        check_k(k)
        return self.ask_many([Question(user_id=user_id, k=k, exclude_seen=exclude_seen) for user_id in user_ids])

    def ask(self, question: Question) -> Answer:
        """The list that `question` asks for: see `Question`."""
        return self.ask_many([question])[0]

    def ask_many(self, questions: Sequence[Question]) -> list[Answer]:
        """An answer to each question, in the order asked; the same answers as `ask` gives one by one."""
        return self._lister.answer(questions)

    def iter_all(self, k: int, batch: int = _EXPORT_BATCH) -> Iterator[tuple[list[str], TopK]]:
        """Every user's list without seen items, `batch` users at a time, in the order of `user_ids`.

        Yields user ids (n,) and their TopK (n, k) with positions in `item_ids`: what `recommend` would answer.
        """
        check_k(k)
        for start in range(0, len(self.user_ids), batch):
            ids = self.user_ids.ids.slice(start, batch).to_pylist()
            rows = slice(start, start + len(ids))
            vectors, seen = self._bundle.model.embeddings.users[rows], self._bundle.seen[rows]
            yield ids, self._ranker.rank(vectors, k, exclude=seen).top

    def similar(self, item_id: str, *, k: int = 10) -> Answer:
        """The items nearest by cosine, never the item itself. Raises UnknownItemError."""
        check_k(k)
        item = self._item(item_id)
        vector = normalised(np.asarray(self._bundle.model.embeddings.items[item : item + 1]))
        if not vector.any():
            return Answer(self.version, None, k, (), (NO_ITEM_VECTOR,))
        indices, scores = self._bundle.similar.search(vector, k + 1).row(0)
        others = indices != item
        items = ranked(self._bundle.items, indices[others][:k], scores[others][:k])
        return Answer(self.version, None, k, items, _shortage(k, len(items), OTHERS))

    def item(self, item_id: str) -> ItemView:
        """What is known of an item. Raises UnknownItemError."""
        item, items = self._item(item_id), self._bundle.items
        return ItemView(item_id, items.title(item), items.attributes(item), int(self._n_users_of_item[item]))

    def history(self, user_id: str, *, limit: int = 100) -> tuple[Ranked, ...]:
        """What a user is known by, heaviest first, `limit` items at most. Raises UnknownUserError."""
        check_k(limit, "limit")
        check_id(user_id, "user_id")
        user = self.user_ids.position(user_id)
        if user is None:
            raise UnknownUserError("no such user in this version")
        indices, weights = self._persons.stored(user)
        heaviest = np.argsort(-weights, kind="stable")[:limit]
        return ranked(self._bundle.items, indices[heaviest], weights[heaviest])

    def describe(self) -> dict[str, Any]:
        """The version's name, age, configuration, metrics, index and counts, as plain JSON values."""
        return self._bundle.manifest.model_dump(
            mode="json", include={"version", "created_at", "config", "metrics", "index", "counts", "verdict"}
        )

    def _item(self, item_id: str) -> int:
        check_id(item_id, "item_id")
        item = self.item_ids.position(item_id)
        if item is None:
            raise UnknownItemError("no such item in this version")
        return item


def _shortage(k: int, returned: int, reason: str) -> tuple[str, ...]:
    return (reason.format(returned),) if returned < k else ()
