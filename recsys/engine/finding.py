"""Finding: items by title or id, users by id, as somebody types it."""

from dataclasses import dataclass
from itertools import islice
from threading import Lock
from typing import Literal

import numpy as np
import pyarrow as pa

from recsys.artifacts.bundle import Bundle
from recsys.data.arrow_file import one_array
from recsys.data.id_map import IdMap
from recsys.data.items import TITLE, Items
from recsys.engine.answers import UserStatus
from recsys.engine.user_profiles import IsForgotten, nobody_is_forgotten
from recsys.errors import InvalidRequestError
from recsys.retrieval.titles.index import TitleIndex

MAX_FIND_TEXT = 200
"""Characters of the longest text."""

MAX_FOUND = 50
"""The most items or users found."""

FoundBy = Literal["id", "title", "similar_title"]
"""id: it begins with the text; title: it has words that begin so; similar_title: but for typing errors."""


@dataclass(frozen=True)
class FoundItem:
    """An item that was found. `n_users`: in the training data; `by`: what was alike."""

    item_id: str
    title: str | None
    n_users: int
    by: FoundBy


@dataclass(frozen=True)
class FoundItems:
    """Items that were found, best first."""

    model_version: str
    items: tuple[FoundItem, ...]


@dataclass(frozen=True)
class FoundUser:
    """A user who was found. `status`: whether the user was trained on; `n_items`: in the stored history."""

    user_id: str
    status: UserStatus
    n_items: int


@dataclass(frozen=True)
class FoundUsers:
    """Users whose ids begin with the text, in the order of their ids, an equal one first."""

    model_version: str
    users: tuple[FoundUser, ...]


class Finder:
    """Finds in one version. The index of titles is made by the first search, once for all threads.

    `is_forgotten`: as of `Engine`.
    """

    def __init__(self, bundle: Bundle, is_forgotten: IsForgotten = nobody_is_forgotten) -> None:
        self._bundle = bundle
        self._is_forgotten = is_forgotten
        self._lock = Lock()
        self._titles: TitleIndex | None = None

    def items(self, text: str, *, limit: int, now: Items) -> FoundItems:
        """Up to `limit` items: that of this id, those with these words in their titles, those whose id begins so.

        If they are fewer, words with typing errors count too. `now`: the items with the titles of the moment, which
        are shown; those of the version are searched. Raises InvalidRequestError.
        """
        text, limit = _checked(text, limit)
        ids, titles = self._bundle.items.ids, self._title_index()
        own = ids.position(text)
        found: dict[int, FoundBy] = {} if own is None else {own: "id"}
        found |= {at: "title" for at in titles.find(text, limit).tolist() if at not in found}
        if len(found) < limit:
            found |= {at: "id" for at in self._ids_starting_with(text, limit) if at not in found}
        if len(found) < limit:
            near = titles.find(text, limit, near=True).tolist()
            found |= {at: "similar_title" for at in near if at not in found}
        degree = self._bundle.model.item_degree
        listed = [
            FoundItem(ids.id_at(at), now.title(at), int(degree[at]), by) for at, by in list(found.items())[:limit]
        ]
        return FoundItems(self._bundle.manifest.version, tuple(listed))

    def users(self, text: str, *, limit: int) -> FoundUsers:
        """Up to `limit` users whose id begins with `text`. Raises InvalidRequestError."""
        text, limit = _checked(text, limit)
        bundle, folded = self._bundle, self._bundle.folded_in
        found = [
            FoundUser(bundle.users.id_at(at), "known", int(np.diff(bundle.history.indptr[at : at + 2])[0]))
            for at in self._known(bundle.users, text, limit)
        ]
        if folded is not None:
            found += [
                FoundUser(folded.users.id_at(at), "folded_in", int(np.diff(folded.history.indptr[at : at + 2])[0]))
                for at in self._known(folded.users, text, limit)
            ]
        found.sort(key=lambda user: (user.user_id != text, user.user_id.encode()))
        return FoundUsers(bundle.manifest.version, tuple(found[:limit]))

    def _known(self, users: IdMap, text: str, limit: int) -> list[int]:
        found = users.starting_with(text)
        return list(islice((at for at in found if not self._is_forgotten(users.id_at(at))), limit))

    def _ids_starting_with(self, text: str, limit: int) -> list[int]:
        """Those with the most users."""
        at = np.asarray(self._bundle.items.ids.starting_with(text), np.int64)
        return list(at[np.argsort(-self._bundle.model.item_degree[at], kind="stable")[:limit]].tolist())

    def _title_index(self) -> TitleIndex:
        with self._lock:
            if self._titles is None:
                self._titles = _index_of(self._bundle)
            return self._titles


def _index_of(bundle: Bundle) -> TitleIndex:
    table = bundle.items.table
    if TITLE in table.column_names:
        titles = one_array(table.column(TITLE).cast(pa.string()))
    else:
        titles = pa.nulls(table.num_rows, pa.string())
    return TitleIndex.of(titles, bundle.model.item_degree)


def _checked(text: object, limit: int) -> tuple[str, int]:
    """Raises InvalidRequestError unless `text` has 1 to MAX_FIND_TEXT characters and `limit` is 1 to MAX_FOUND."""
    if not isinstance(text, str) or not 1 <= len(text.strip()) <= MAX_FIND_TEXT:
        raise InvalidRequestError(f"text: expected 1 to {MAX_FIND_TEXT} characters")
    if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= MAX_FOUND:
        raise InvalidRequestError(f"limit: expected a whole number from 1 to {MAX_FOUND}")
    return text.strip(), limit
