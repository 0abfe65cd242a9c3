"""Engine: one loaded version, asked with the ids of the outside world."""

from collections.abc import Iterator, Sequence
from copy import copy
from typing import Any, Self

import numpy as np

from recsys.artifacts.bundle import Bundle
from recsys.data.id_map import IdMap
from recsys.engine.answers import Answer, CandidateAnswer, ItemView, Ranked, UserAnswer, ranked
from recsys.engine.bounds import check_id, check_k
from recsys.engine.candidates import MAX_CANDIDATES, order_candidates
from recsys.engine.events import Event
from recsys.engine.list_builder import ListBuilder
from recsys.engine.neighbours import Neighbours
from recsys.engine.question import Question, check_ids
from recsys.engine.ranking import Ranker
from recsys.engine.selection import Selection
from recsys.engine.user_profiles import UserProfiles
from recsys.errors import UnknownItemError, UnknownUserError
from recsys.retrieval.threads import in_threads_as_taken
from recsys.retrieval.topk import TopK

MAX_COMPARED = 1_000
"""The most items of each kind that others can be asked to be like or unlike."""

_EXPORT_BATCH = 1024


class Engine:
    """Answers from one bundle, which never changes: any number of threads may ask at once.

    Every public method raises InvalidRequestError for a k outside 1 to 1000, or for an id that is empty, longer than
    256 bytes or not encodable in UTF-8.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._persons = UserProfiles(bundle)
        self._ranker = Ranker(bundle)
        self._neighbours = Neighbours(bundle)
        self._choose_from(Selection(bundle))
        _ = bundle.model.gram  # made here, so that nobody's first question waits for it

    def exactly(self) -> Self:
        """The same version, whose lists are found by comparing every item: what those of this one are measured by.

        It shares all memory with this one, so making it costs nothing.
        """
        changed = copy(self)
        changed._choose_from(self._selection.exactly())
        return changed

    def _choose_from(self, selection: Selection) -> None:
        self._selection = selection
        self._lister = ListBuilder(self._bundle, persons=self._persons, ranker=self._ranker, selection=selection)

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
        """The list that `question` asks for; see `Question`.

        Raises FilterError for a filter that cannot be read, and where the question is strict UnknownUserError,
        UnknownItemError and IncompleteAnswerError.
        """
        return self.ask_many([question])[0]

    def ask_many(self, questions: Sequence[Question]) -> list[Answer]:
        """An answer to each question, in the order asked; the same answers as `ask` gives one by one."""
        return self._lister.answer(questions)

    def has_compiled(self, filter: str) -> bool:
        """Whether this filter was asked for lately, so that a question with it takes no longer than one without."""
        return self._selection.has_compiled(filter)

    def iter_all(
        self, k: int, batch: int = _EXPORT_BATCH, *, filter: str | None = None
    ) -> Iterator[tuple[list[str], TopK]]:
        """Every user's list without seen items, `batch` users at a time, in the order of `user_ids`.

        `filter`: a condition on the items' attributes. Yields user ids (n,) and their TopK (n, k) with positions in
        `item_ids`: what `ask` would answer. Raises FilterError.
        """
        check_k(k)
        among = self._selection.among(Question(filter=filter))

        def ranked(start: int) -> tuple[list[str], TopK]:
            ids = self.user_ids.ids.slice(start, batch).to_pylist()
            rows = slice(start, start + len(ids))
            vectors, seen = self._bundle.model.embeddings.users[rows], self._bundle.seen[rows]
            return ids, self._ranker.rank(vectors, k, exclude=seen, search=among.search, allowed=among.allowed)

        yield from in_threads_as_taken(ranked, range(0, len(self.user_ids), batch))

    def rank(
        self, item_ids: Sequence[str], *, user_id: str | None = None, events: Sequence[Event] = ()
    ) -> CandidateAnswer:
        """The given items in the order that suits somebody, known by `user_id`, `events` or both; repeats count once.

        Unknown items come last. Raises InvalidRequestError for more than 10,000 items.
        """
        check_ids(item_ids, "item_ids", MAX_CANDIDATES)
        question = Question(user_id=user_id, events=tuple(events))
        question.check()
        known, unknown = self._selection.positions(item_ids)
        person = self._persons.person(question)
        return order_candidates(person, known, unknown, ranker=self._ranker, bundle=self._bundle)

    def similar(self, item_id: str, *, k: int = 10, filter: str | None = None) -> Answer:
        """The items nearest by cosine, never the item itself. Raises UnknownItemError, FilterError."""
        check_id(item_id, "item_id")
        return self.similar_to([item_id], k=k, filter=filter)

    def similar_to(
        self, positive: Sequence[str], negative: Sequence[str] = (), *, k: int = 10, filter: str | None = None
    ) -> Answer:
        """The items like `positive` and unlike `negative`, by cosine, none of these; see `Neighbours.items`.

        `filter`: a condition on their attributes (docs/filters.md). Unknown items are left out with a warning.
        Raises UnknownItemError where no positive one is known, FilterError.
        """
        check_k(k)
        check_ids(positive, "positive", MAX_COMPARED)
        check_ids(negative, "negative", MAX_COMPARED)
        like, not_like = self._selection.positions(positive)
        unlike, not_unlike = self._selection.positions(negative)
        if len(like) == 0:
            raise UnknownItemError("no such item in this version")
        unknown = tuple(dict.fromkeys((*not_like, *not_unlike)))
        among = self._selection.similar_among(filter)
        return self._neighbours.items(like, unlike, k=k, among=among, unknown_items=unknown)

    def similar_users(self, user_id: str, *, k: int = 10) -> UserAnswer:
        """The users nearest by cosine, never the user. Raises UnknownUserError."""
        check_k(k)
        return self._neighbours.users(self._user(user_id), k=k)

    def item(self, item_id: str) -> ItemView:
        """What is known of an item. Raises UnknownItemError."""
        item, items = self._item(item_id), self._bundle.items
        n_users = int(self._bundle.model.weighting.item_degree[item])
        return ItemView(item_id, items.title(item), items.attributes(item), n_users)

    def history(self, user_id: str, *, limit: int = 100) -> tuple[Ranked, ...]:
        """What a user is known by, heaviest first, `limit` items at most. Raises UnknownUserError."""
        check_k(limit, "limit")
        indices, weights = self._persons.stored(self._user(user_id))
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

    def _user(self, user_id: str) -> int:
        check_id(user_id, "user_id")
        user = self.user_ids.position(user_id)
        if user is None:
            raise UnknownUserError("no such user in this version")
        return user
