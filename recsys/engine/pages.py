"""Pages: several rows for one user, no item twice."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Literal

from recsys.engine.answers import Answer, Like, Ranked
from recsys.engine.engine import Engine
from recsys.engine.question import MAX_K, MAX_LISTED, Question
from recsys.engine.scenarios import Row, RowKind
from recsys.engine.stopping import Check, go_on
from recsys.errors import InvalidRequestError, UnknownUserError

TITLES: dict[RowKind, str] = {
    "for_you": "For you",
    "because": "Because you took {title}",
    "popular": "Popular",
    "popular_lately": "Popular lately",
    "new": "New for you",
    "similar": "Similar to {title}",
}
"""By kind, the heading of a row that has none."""

NO_RECENT = "nothing is known of the last days; these are the most popular items"
FEW_RECENT = "people did something with only {} of the items that may be listed of late; popular items follow"
NO_HISTORY = "no item of this user's history has items like it left to list"
NO_ITEM = "this version does not have the item, or no item was named"
NO_NEW = "this version has no new items"
EMPTY = "row {} ({}) is empty and left out: {}"

_TRIED = 10  # items of a history that a row may be about


@dataclass(frozen=True, kw_only=True)
class Page:
    """What is asked for. `question`: the user, and what no row lists; its `k` is not used. `item_id`: of the page.

    `lately`: how many people did something with an item of late, most first; for rows of kind `popular_lately`.
    """

    question: Question
    rows: tuple[Row, ...]
    item_id: str | None = None
    keep_empty: bool = False
    lately: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class PageRow:
    """One row: its place in the request, its heading, its list, and the item that it is about, if any."""

    place: int
    kind: RowKind
    title: str
    answer: Answer
    about: Like | None = None

    @property
    def counts_as(self) -> Literal["recommendations", "similar_items"]:
        """The kind of its list."""
        return "similar_items" if self.kind in ("because", "similar") else "recommendations"


@dataclass(frozen=True)
class PageAnswer:
    """The rows in the order asked, and warnings about those that are left out."""

    rows: tuple[PageRow, ...]
    warnings: tuple[str, ...]


def build_page(engine: Engine, page: Page, *, check: Check = go_on) -> PageAnswer:
    """The rows of `page`, each filled with items that no row before it has.

    `check` is called between two lists; what it raises ends the work. Raises InvalidRequestError and FilterError as
    the questions of its rows do.
    """
    builder = _Builder(engine, page, check)
    rows = [builder.row(at, row) for at, row in enumerate(page.rows)]
    left_out = [row for row in rows if not row.answer.items and not page.keep_empty]
    warnings = tuple(EMPTY.format(row.place, row.kind, "; ".join(row.answer.warnings)) for row in left_out)
    return PageAnswer(tuple(row for row in rows if row not in left_out), warnings)


class _Builder:
    """Makes one row after the other; remembers what is on the page."""

    def __init__(self, engine: Engine, page: Page, check: Check) -> None:
        self._engine, self._page, self._check = engine, page, check
        self._taken: dict[str, None] = {}
        self._about: set[str] = set()

    def row(self, place: int, row: Row) -> PageRow:
        self._check()
        try:
            built = self._built(place, row)
        except InvalidRequestError as error:
            raise InvalidRequestError(f"rows.{place}: {error}") from error
        self._taken |= dict.fromkeys(item.item_id for item in built.answer.items)
        return built

    def _built(self, place: int, row: Row) -> PageRow:
        if row.kind == "because":
            return self._because(place, row)
        if row.kind == "similar":
            return self._similar(place, row, row.item_id or self._page.item_id)
        title, question = row.title or TITLES[row.kind], self._question(row)
        if row.kind == "for_you":
            return PageRow(place, row.kind, title, self._engine.ask(question))
        if row.kind == "new":
            new = self._engine.new_item_ids(MAX_LISTED)
            if not new:
                return PageRow(place, row.kind, title, self._empty(row, NO_NEW))
            return PageRow(place, row.kind, title, self._engine.ask(replace(question, include=new)))
        if row.kind == "popular_lately":
            return PageRow(place, row.kind, title, self._lately(question))
        return PageRow(place, row.kind, title, self._engine.ask(_popular(question)))

    def _lately(self, question: Question) -> Answer:
        """By people of late; what they leave of the row is filled by popularity."""
        lately = {item: people for item, people in self._page.lately.items() if item in self._engine.item_ids}
        if not lately:
            answer = self._engine.ask(_popular(question))
            return replace(answer, warnings=(NO_RECENT, *answer.warnings))
        recent = self._engine.ask(replace(_popular(question), k=min(MAX_K, len(lately)), include=tuple(lately)))
        found = sorted(recent.items, key=lambda it: (-lately[it.item_id], it.rank))[: question.k]
        items = [replace(it, score=float(lately[it.item_id])) for it in found]
        if len(items) == question.k:
            return replace(recent, requested=question.k, items=_ranked(items), warnings=())
        left_out = (*question.exclude, *(it.item_id for it in items))
        rest = self._engine.ask(replace(_popular(question), k=question.k - len(items), exclude=left_out))
        told = () if not rest.items else (FEW_RECENT.format(len(items)),)
        filled = _ranked([*items, *(replace(it, score=0.0) for it in rest.items)])
        return replace(rest, requested=question.k, items=filled, warnings=(*told, *rest.warnings))

    def _question(self, row: Row) -> Question:
        asked = self._page.question
        exclude = (*asked.exclude, *self._taken)
        return replace(asked, k=row.k, filter=row.filter, diversity=row.diversity, exclude=exclude)

    def _because(self, place: int, row: Row) -> PageRow:
        """Like the latest item of the user that has enough items like it; rows of a page are about different ones."""
        best: PageRow | None = None
        for item_id in self._history():
            if item_id not in self._about:
                self._check()
                found = self._similar(place, row, item_id)
                if len(found.answer.items) > (0 if best is None else len(best.answer.items)):
                    best = found
                if best is not None and len(best.answer.items) == row.k:
                    break
        if best is None or best.about is None:
            return PageRow(place, row.kind, _titled(row, None), self._empty(row, NO_HISTORY))
        self._about.add(best.about.item_id)
        return best

    def _history(self) -> Iterator[str]:
        """Items of the events, the latest first, then those of the stored history, the heaviest first."""
        events = [it for it in self._page.question.events if it.item_id in self._engine.item_ids]
        times = [math.inf if it.timestamp is None else it.timestamp for it in events]
        latest = [events[at] for at in sorted(range(len(events)), key=lambda at: (times[at], at), reverse=True)]
        yield from list(dict.fromkeys(event.item_id for event in latest))[:_TRIED]
        yield from self._stored[:_TRIED]

    @cached_property
    def _stored(self) -> Sequence[str]:
        try:
            user_id = self._page.question.user_id
            return () if user_id is None else [it.item_id for it in self._engine.history(user_id, limit=MAX_K)]
        except UnknownUserError:
            return ()

    def _similar(self, place: int, row: Row, item_id: str | None) -> PageRow:
        if item_id is None or item_id not in self._engine.item_ids:
            return PageRow(place, row.kind, _titled(row, None), self._empty(row, NO_ITEM))
        left_out = {*self._taken, *self._page.question.exclude, *(it.item_id for it in self._page.question.events)}
        if self._page.question.exclude_seen is not False:
            left_out |= {*self._stored}
        k = min(MAX_K, row.k + len(left_out))
        answer = self._engine.similar(item_id, k=k, filter=row.filter, fields=self._page.question.fields)
        kept = [it for it in answer.items if it.item_id not in left_out][: row.k]
        items = tuple(replace(item, rank=rank) for rank, item in enumerate(kept, 1))
        short = () if len(items) == row.k else (f"only {len(items)} items like it are left to list",)
        warnings = tuple(it for it in answer.warnings if "can be listed" not in it)
        title = self._engine.item(item_id).title
        answer = replace(answer, items=items, requested=row.k, warnings=(*warnings, *short))
        return PageRow(place, row.kind, _titled(row, title or item_id), answer, Like(item_id, title, ()))

    def _empty(self, row: Row, reason: str) -> Answer:
        return Answer(model_version=self._engine.version, requested=row.k, items=(), warnings=(reason,))


def _popular(question: Question) -> Question:
    return replace(question, popular=True, new_share=0.0, diversity=0.0)


def _ranked(items: Sequence[Ranked]) -> tuple[Ranked, ...]:
    return tuple(replace(item, rank=rank) for rank, item in enumerate(items, 1))


def _titled(row: Row, title: str | None) -> str:
    return (row.title or TITLES[row.kind]).replace("{title}", title or "")
