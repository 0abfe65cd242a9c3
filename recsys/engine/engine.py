"""Engine: one loaded version, which answers questions in external ids."""

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from typing import Self

import numpy as np
import pyarrow as pa

from recsys.artifacts.bundle import Bundle
from recsys.artifacts.manifest import Manifest
from recsys.data.id_map import IdMap
from recsys.data.matrix import empty_csr, presence
from recsys.engine.answers import (
    Answer,
    CandidateAnswer,
    ItemView,
    Ranked,
    UserAnswer,
    UserStatus,
    check_fields,
    ranked,
)
from recsys.engine.candidates import order_candidates
from recsys.engine.comparison import By, check_by
from recsys.engine.finding import Finder, FoundItems, FoundUsers
from recsys.engine.ids import Id, Ids, checked_id, checked_ids, id_text, id_texts
from recsys.engine.item_map import ItemMap, MapPage
from recsys.engine.item_updates import ItemUpdate, check_update, updated
from recsys.engine.list_builder import ListBuilder
from recsys.engine.neighbours import Neighbours
from recsys.engine.new_items import NewItems
from recsys.engine.new_places import NewPlaces
from recsys.engine.new_share import Today, utc_today
from recsys.engine.overlay import Overlay
from recsys.engine.overview import Overview, overview_of
from recsys.engine.posted import PostedItem
from recsys.engine.question import (
    MAX_CANDIDATES,
    MAX_COMPARED,
    MAX_VIEWED,
    Event,
    Question,
    check_k,
)
from recsys.engine.ranking import Ranker
from recsys.engine.selection import Selection
from recsys.engine.stopping import Check, go_on
from recsys.engine.text_search import checked_text
from recsys.engine.user_profiles import IsForgotten, StoredUser, UserGroup, UserProfiles, nobody_is_forgotten
from recsys.errors import InvalidRequestError, NoUserVectorsError, UnknownItemError, UnknownUserError
from recsys.map_ordered import map_blas
from recsys.retrieval.topk import TopK

_EXPORT_BATCH = 1024


@dataclass(frozen=True)
class StoredData:
    """What a version stores of a user. `vector`: None for one who is folded in. `history`: `score` is the weight."""

    status: UserStatus
    vector: tuple[float, ...] | None
    history: tuple[Ranked, ...]
    seen: tuple[str, ...]


class Engine:
    """Answers from one bundle, which never changes: any number of threads may ask at once.

    Ids are texts, ints or numpy ints (taken as their digits); lists of ids any list, array or column of them.
    Every public method raises InvalidRequestError for a k outside 1 to 1000, for one text in the place of a list, and
    for an id of another kind, empty, longer than 256 bytes or not encodable in UTF-8.
    `today`: the day, by default in UTC, on which it depends which new items are at the places kept for them.
    `is_forgotten`: whether a user was forgotten since the version's log was read, asked anew for each answer: such a
    user is unknown to every method, and named by none.
    """

    def __init__(
        self, bundle: Bundle, *, today: Today = utc_today, is_forgotten: IsForgotten = nobody_is_forgotten
    ) -> None:
        self._bundle = bundle
        self._today = today
        self._profiles = UserProfiles(bundle, is_forgotten)
        self._ranker = Ranker(bundle)
        self._new = NewItems.of(bundle)
        self._neighbours = Neighbours(bundle, self._new, is_forgotten=is_forgotten)
        self._map = ItemMap(bundle)
        self._finder = Finder(bundle, is_forgotten)
        self._overview: Overview | None = None
        self._use(Selection(bundle))
        self._overlay = Overlay(bundle, self._profiles, self._selection.comparisons)
        bundle.model.fold_in(bundle.history[:0])  # makes what every fold-in needs, so that no question waits for it

    def __repr__(self) -> str:
        bundle = self._bundle
        return (
            f"Engine({self.version!r}, {len(bundle.users):,} users, {len(bundle.items.ids):,} items,"
            f" {bundle.model.embeddings.factors} factors)"
        )

    def with_exact_search(self) -> Self:
        """The same version, which compares every item: the reference that an approximate index is measured by.

        It shares all memory with this one, so making it costs nothing.
        """
        changed = copy(self)
        changed._use(self._selection.with_exact_search())
        return changed

    def _use(self, selection: Selection) -> None:
        self._selection = selection
        self._places = NewPlaces(self._bundle, self._new, self._ranker, selection, self._today)
        self._lists = ListBuilder(
            self._bundle,
            profiles=self._profiles,
            ranker=self._ranker,
            selection=selection,
            places=self._places,
        )

    @property
    def version(self) -> str:
        """The name of the version."""
        return self._bundle.manifest.version

    @property
    def manifest(self) -> Manifest:
        """What the version is made of, where it came from and how good it is."""
        return self._bundle.manifest

    @property
    def user_ids(self) -> IdMap:
        """The users of this version who were trained on."""
        return self._bundle.users

    @property
    def folded_user_ids(self) -> IdMap:
        """The users whom training left out, and whose lists come from their stored history."""
        return _NOBODY if self._bundle.folded_in is None else self._bundle.folded_in.users

    @property
    def item_ids(self) -> IdMap:
        """The items of this version; positions in a `TopK` of `iter_all` are positions here."""
        return self._bundle.items.ids

    def recommend(self, user_id: Id, *, k: int = 10, exclude_seen: bool | None = None) -> Answer:
        """The user's list. An unknown user gets the most popular items, labelled "fallback" and with a warning.

        `exclude_seen`: as of `Question`.
        """
        return self.ask(Question(user_id=id_text(user_id, "user_id"), k=k, exclude_seen=exclude_seen))

    def recommend_many(self, user_ids: Ids, *, k: int = 10, exclude_seen: bool | None = None) -> list[Answer]:
        """A list for each user, in the order asked; the same lists as `recommend` gives one by one."""
        k, ids = check_k(k), id_texts(user_ids, "user_ids")
        return self.ask_many([Question(user_id=user_id, k=k, exclude_seen=exclude_seen) for user_id in ids])

    def ask(self, question: Question) -> Answer:
        """The list that `question` asks for; see `Question`.

        Raises FilterError if the filter cannot be read, and, if the question is strict, UnknownUserError,
        UnknownItemError and IncompleteAnswerError.
        """
        return self.ask_many([question])[0]

    def ask_many(self, questions: Sequence[Question], *, check: Check = go_on) -> list[Answer]:
        """An answer to each question, in the order asked; the same answers as `ask` gives one by one.

        `check` is called between two questions; what it raises ends the work.
        """
        answer = partial(self._lists.answer, check=check)
        return self._overlay.answer(questions, answer, self._places, check=check)

    def use_posted(self, posted: Sequence[PostedItem]) -> int:
        """List these items from now on, beside those of the version; returns how many of them there are.

        Items that the version has, or that do not fit its attributes, are left out. They are in the lists of `ask`
        and `ask_many`, in `item` and `items`; not in exports, nor among similar items. Raises NoContentError if there
        are some and the version has no content.
        """
        return self._overlay.use(posted)

    def new_item_ids(self, most: int) -> tuple[str, ...]:
        """Ids of up to `most` new items of this version, in the order of their positions, and of posted ones."""
        posted = self._overlay.ids
        return (*self.item_ids.decode(self._new.positions[: most - len(posted)].tolist()), *posted)

    @property
    def has_content(self) -> bool:
        """Whether this version has vectors of content, so that posted items can be listed."""
        return self._bundle.content is not None

    def check_posted(self, posted: PostedItem) -> None:
        """Raise InvalidRequestError if it does not fit this version's attributes, NoContentError without content."""
        self._overlay.check(posted)

    def with_updates(self, updates: Sequence[ItemUpdate]) -> Self:
        """The same version with `updates` of its items' titles and attributes: filters, fields and views follow.

        The later of two updates of one value counts; what does not fit this version is left out. Vectors stay as they
        are. It shares all memory with this one but the columns that change, and has posted items of its own; whoever
        holds it sees one state from beginning to end. Recent filters stay compiled.
        """
        changed, found = copy(self), updated(self._bundle.items, updates)
        changed._bundle = replace(self._bundle, items=found.items) if found.columns else self._bundle
        changed._overlay = self._overlay.over(changed._bundle)
        if found.columns:
            changed._neighbours = self._neighbours.over(changed._bundle)
            changed._map = self._map.over(changed._bundle)
            changed._overview = None
            changed._use(self._selection.over(changed._bundle, found))
        return changed

    def check_update(self, update: ItemUpdate) -> None:
        """Raise InvalidRequestError if its values do not fit this version's attributes; the item may be unknown."""
        check_update(update, self._bundle.items)

    def has_compiled(self, filter: str) -> bool:
        """Whether this filter is in the cache, so that a question with it takes no longer than one without."""
        return self._selection.has_compiled(filter)

    @property
    def n_listed(self) -> int:
        """How many users `iter_all` makes lists for."""
        return len(self.user_ids) + len(self.folded_user_ids)

    def iter_all(
        self,
        k: int,
        batch: int = _EXPORT_BATCH,
        *,
        filter: str | None = None,
        exclude_seen: bool | None = None,
        users: range | None = None,
    ) -> Iterator[tuple[list[str], TopK]]:
        """Every user's list, `batch` users at a time: all of `user_ids`, then `folded_user_ids`.

        `filter`: a condition on the items' attributes. `exclude_seen`: as of `Question`. `users`: those at these
        positions alone, of the `n_listed` users in that order. Yields user ids (n,) and
        their TopK (n, k) with positions in `item_ids`: what `ask` would answer. If places are kept for new items
        (`cold_start.new_share`), the scores of these may be lower than those behind them. Raises FilterError.
        """
        question = Question(k=check_k(k), filter=filter, exclude_seen=exclude_seen)
        eligible, excludes_seen = self._selection.eligible(question), self._selection.excludes_seen(question)

        def ranked(group: UserGroup, rows: slice) -> tuple[list[str], TopK]:
            left_out = group.left_out[rows]
            exclude = left_out if excludes_seen else empty_csr(left_out.shape)
            vectors, counts = group.vectors(rows), presence(group.history[rows])
            found = self._ranker.rank(
                vectors, question.k, counts=counts, exclude=exclude, search=eligible.search, allowed=eligible.allowed
            )
            user_ids = group.users.ids[rows].to_pylist()
            if self._places.n_kept(question):
                pools = self._places.pools(vectors, counts=counts, exclude=exclude, eligible=eligible)
                found = self._places.fill_all(question, user_ids, found, pools=pools, vectors=vectors)
            return self._without_forgotten(user_ids, found)

        first = 0
        for group in self._profiles.groups():
            yield from map_blas(partial(ranked, group), _batches(first, len(group.users), batch, users))
            first += len(group.users)

    def _without_forgotten(self, user_ids: list[str], found: TopK) -> tuple[list[str], TopK]:
        kept = np.array([not self._profiles.is_forgotten(user_id) for user_id in user_ids], np.bool_)
        if kept.all():
            return user_ids, found
        names = [user_id for user_id, stays in zip(user_ids, kept.tolist(), strict=True) if stays]
        return names, TopK(found.indices[kept], found.scores[kept], found.counts[kept])

    def rank(
        self, item_ids: Ids, *, user_id: Id | None = None, events: Sequence[Event] = (), popular: bool = False
    ) -> CandidateAnswer:
        """The given items in the order of their scores for the user of `user_id`, `events` or both; each item once.

        Known items without a learned vector come after the scored ones, unknown items last.
        `popular`: in the order of their popularity instead, whatever is known of the user.
        Raises InvalidRequestError for more than 10,000 items.
        """
        candidates = checked_ids(item_ids, "item_ids", MAX_CANDIDATES)
        user = None if user_id is None else id_text(user_id, "user_id")
        question = Question(user_id=user, events=tuple(events), popular=popular)
        question.check()
        known, unknown = self._selection.positions(candidates)
        profile = self._profiles.profile(question)
        return order_candidates(
            question,
            profile,
            known=known,
            unknown=unknown,
            ranker=self._ranker,
            bundle=self._bundle,
            new=self._new,
        )

    def similar(
        self,
        item_id: Id,
        *,
        k: int = 10,
        filter: str | None = None,
        fields: Sequence[str] = (),
        by: By = "behaviour",
    ) -> Answer:
        """The items nearest by cosine, never the item itself; see `similar_to`.

        Raises UnknownItemError, FilterError, NoContentError.
        """
        return self.similar_to([checked_id(item_id, "item_id")], k=k, filter=filter, fields=fields, by=by)

    def similar_to(
        self,
        positive: Ids,
        negative: Ids = (),
        *,
        k: int = 10,
        filter: str | None = None,
        fields: Sequence[str] = (),
        by: By = "behaviour",
    ) -> Answer:
        """The items like `positive` and unlike `negative`, by cosine, none of these; see `Neighbours.items`.

        `filter`: a condition on their attributes (docs/filters.md). `fields`: attributes to list with each item.
        `by`: what is compared, learned vectors ("behaviour"), vectors of "content", or "both": the mean of these two
        cosines. Unknown items are ignored with a warning.
        Raises UnknownItemError if no positive item is known, FilterError, and NoContentError.
        """
        check_by(by)
        k, wanted = check_k(k), checked_ids(positive, "positive", MAX_COMPARED)
        unwanted = checked_ids(negative, "negative", MAX_COMPARED)
        check_fields(fields, self._bundle.items)
        if not wanted:
            raise InvalidRequestError("positive: holds no id; expected at least one")
        like, not_like = self._selection.positions(wanted)
        unlike, not_unlike = self._selection.positions(unwanted)
        if len(like) == 0:
            raise UnknownItemError(*not_like)
        unknown = tuple(dict.fromkeys((*not_like, *not_unlike)))
        return self._neighbours.items(
            like,
            unlike,
            k=k,
            eligible=self._selection.eligible_neighbours(filter, by),
            comparison=self._selection.comparison(by),
            unknown_items=unknown,
            fields=fields,
        )

    def search(self, text: str, *, k: int = 10, filter: str | None = None, fields: Sequence[str] = ()) -> Answer:
        """The items whose content is nearest to the words of `text`, by cosine; see `TextSearch`.

        Raises InvalidRequestError for a text that is empty or too long, FilterError, NoTextSearchError if no encoder
        of this version reads texts, and NoContentError.
        """
        k, words = check_k(k), checked_text(text)
        check_fields(fields, self._bundle.items)
        eligible = self._selection.eligible_by_words(filter)
        return self._neighbours.by_words(self._selection.query_of_words(words), k=k, eligible=eligible, fields=fields)

    @property
    def can_search(self) -> bool:
        """Whether `search` works with this version."""
        return self._selection.can_search

    def similar_users(self, user_id: Id, *, k: int = 10) -> UserAnswer:
        """The users nearest by cosine, never the user.

        Raises UnknownUserError, and NoUserVectorsError if the version was loaded without its users' vectors.
        """
        k = check_k(k)
        known = checked_id(user_id, "user_id")
        if self._bundle.folds_users:
            raise NoUserVectorsError
        user = self._user(known)
        return self._neighbours.users(known, self._profiles.vector(user), k=k, own=user.trained_at)

    def item(self, item_id: Id) -> ItemView:
        """What is known of an item. Raises UnknownItemError."""
        posted = self._overlay.view(checked_id(item_id, "item_id"))
        return self._view(self._item(item_id)) if posted is None else posted

    def items(self, item_ids: Ids) -> tuple[tuple[ItemView, ...], tuple[str, ...]]:
        """What is known of several items, in the order asked, each once; and the ids that this version does not have.

        Raises InvalidRequestError for more than 1,000 items.
        """
        known, unknown = self._selection.positions(checked_ids(item_ids, "item_ids", MAX_VIEWED))
        views = tuple(map(self._view, known.tolist()))
        posted = {item_id: self._overlay.view(item_id) for item_id in unknown}
        found = tuple(view for view in posted.values() if view is not None)
        return (*views, *found), tuple(item_id for item_id, view in posted.items() if view is None)

    def find_items(self, text: str, *, limit: int = 10) -> FoundItems:
        """Items by title or id, as somebody types it; see `Finder.items`. The first call takes longer."""
        return self._finder.items(text, limit=limit, now=self._bundle.items)

    def find_users(self, text: str, *, limit: int = 10) -> FoundUsers:
        """Users whose id begins with `text`."""
        return self._finder.users(text, limit=limit)

    def overview(self) -> Overview:
        """What there is to look at; see `overview_of`."""
        if self._overview is None:
            self._overview = overview_of(self._bundle, can_search=self.can_search)
        found = self._overview
        known = tuple(user for user in found.users if not self._profiles.is_forgotten(user))
        return found if len(known) == len(found.users) else replace(found, users=known)

    @property
    def map(self) -> ItemMap:
        """The map of the items of the version, with the titles of the moment."""
        return self._map

    def item_map(self, *, limit: int = 1000, offset: int = 0, fields: Sequence[str] = ()) -> MapPage:
        """A page of the map of the items, those with the most users first; see `ItemMap.page`."""
        return self._map.page(limit=limit, offset=offset, fields=fields)

    def _view(self, item: int) -> ItemView:
        items = self._bundle.items
        n_users = int(self._bundle.model.item_degree[item])
        has_vector = bool(self._ranker.has_vector(np.array([item]))[0])
        is_new = bool(self._new.mask[item]) or None
        return ItemView(items.ids.id_at(item), items.title(item), items.attributes(item), n_users, has_vector, is_new)

    def history(self, user_id: Id, *, limit: int = 100) -> tuple[Ranked, ...]:
        """The user's stored history, largest weight first, at most `limit` items. Raises UnknownUserError."""
        limit = check_k(limit, "limit")
        indices, weights = self._user(checked_id(user_id, "user_id")).history
        heaviest = np.argsort(-weights, kind="stable")[:limit]
        return ranked(self._bundle.items, indices[heaviest], weights[heaviest])

    def stored_data(self, user_id: Id) -> StoredData | None:
        """All that the version stores of a user, None if that is nothing or the user was forgotten."""
        user = self._profiles.find(checked_id(user_id, "user_id"))
        if user is None:
            return None
        indices, weights = user.history
        at = user.trained_at
        return StoredData(
            status="folded_in" if at is None else "known",
            vector=None if at is None else tuple(map(float, self._profiles.vector(user))),
            history=ranked(self._bundle.items, indices, weights),
            seen=tuple(self.item_ids.decode(user.seen.tolist())),
        )

    def _item(self, item_id: Id) -> int:
        known = checked_id(item_id, "item_id")
        item = self.item_ids.position(known)
        if item is None:
            raise UnknownItemError(known)
        return item

    def _user(self, user_id: str) -> StoredUser:
        user = self._profiles.find(user_id)
        if user is None:
            raise UnknownUserError(user_id)
        return user


def _batches(first: int, n: int, batch: int, users: range | None) -> list[slice]:
    """The rows of each batch of a group of `n` users, whose first is the user at `first`."""
    start, stop = (0, n) if users is None else (max(users.start - first, 0), min(users.stop - first, n))
    return [slice(at, min(at + batch, stop)) for at in range(start, stop, batch)]


# Not `pa.array`: to make an array of Python values pyarrow imports pandas.
_NOBODY = IdMap(pa.nulls(0, pa.string()))
