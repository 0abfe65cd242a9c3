"""ServedEngine: an engine as the service asks it, batched or in a thread if that is better, every list counted."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import TypeVar

from api.deadline import alone_in_thread, current_deadline, in_thread, turns
from api.engines.arm import Arm
from api.engines.batching import Batcher
from api.engines.given_lists import GivenLists, KeepImpression, OfferCheck
from api.errors import ClientGoneError, DeadlineExceededError
from api.metrics import Metrics, ServingModel
from recsys.artifacts.bundle import Bundle
from recsys.artifacts.manifest import Manifest, catalogue_read_at, newest_event_of
from recsys.engine import (
    Answer,
    CandidateAnswer,
    Engine,
    Event,
    ItemUpdate,
    ItemView,
    PostedItem,
    Question,
    Ranked,
    UserAnswer,
)
from recsys.engine.comparison import By
from recsys.engine.engine import StoredData
from recsys.engine.event_rules import EventRules
from recsys.engine.filters import filter_parser
from recsys.engine.finding import FoundItems, FoundUsers
from recsys.engine.item_map import ItemMap, MapPage
from recsys.engine.overview import Overview
from recsys.engine.pages import Page, PageAnswer, build_page
from recsys.engine.rehearsal import rehearse
from recsys.engine.user_profiles import IsForgotten, nobody_is_forgotten
from recsys.online.recommendation_id import new_id

_Given = TypeVar("_Given", Answer, CandidateAnswer, PageAnswer, list[Answer])
_Result = TypeVar("_Result")

# A question within these bounds takes less time than handing it to another thread and back.
_FEW_ITEMS, _FEW_EVENTS = 100, 100

# This many items are compared in a millisecond.
_FEW_TO_COMPARE = 200_000

_COMPARING_AT_ONCE = 2

CHECKS_PER_QUESTION = 2
"""How often the engine looks up whether to go on: before a question is resolved, and before its answer is built."""


@dataclass
class _State:
    """What the items of a version are now; the same for all arms."""

    engine: Engine
    changes_seen: int = 0
    n_posted: int = 0
    updated: set[str] = field(default_factory=set)


class ServedEngine:
    """One loaded version as the service asks it.

    It holds an `Engine` instead of being one, so that routes reach only what is offered here, and every list offered
    here has an id and is counted: `metrics` counts it, and `offer_check`, if given, receives each list whose recall
    can be checked; `keep`, if given, receives each list of items as an impression. Ask it from one event loop.
    """

    def __init__(
        self,
        bundle: Bundle,
        metrics: Metrics,
        *,
        offer_check: OfferCheck | None = None,
        keep: KeepImpression | None = None,
        is_forgotten: IsForgotten = nobody_is_forgotten,
    ) -> None:
        self._of_catalogue = Engine(bundle, is_forgotten=is_forgotten)
        self._state = _State(self._of_catalogue)
        self.event_rules = EventRules.of(bundle.manifest)
        """Which events the log of the version takes."""
        self.fresh_after = fresh_after(bundle.manifest)
        """UTC seconds; the version does not know events from then on."""
        self.catalogue_read_at = catalogue_read_at(bundle.manifest)
        """When the catalogue of the version was read, seconds since 1970: what was told of items before is in it."""
        self._metrics = metrics
        self._given = GivenLists(bundle, metrics, offer_check=offer_check, keep=keep)
        self._arm: Arm | None = None
        self._batcher = Batcher()
        self._comparing = asyncio.Semaphore(_COMPARING_AT_ONCE)

    def in_arm(self, arm: Arm) -> "ServedEngine":
        """The same engine as it answers in an arm; it shares all but this."""
        changed = copy(self)
        changed._arm, changed._given = arm, self._given.in_arm(arm)
        return changed

    def unseen(self) -> "ServedEngine":
        """The same engine, whose lists nobody gets to see: they are no impressions."""
        changed = copy(self)
        changed._given = self._given.unseen()
        return changed

    @property
    def key(self) -> tuple[str, str | None]:
        """Two engines with the same version and arm answer the same."""
        return self.version, None if self._arm is None else self._arm.name

    @property
    def changes_seen(self) -> int:
        """The number of the last change of items that this engine answers with."""
        return self._state.changes_seen

    @property
    def _engine(self) -> Engine:
        return self._state.engine

    @property
    def version(self) -> str:
        """The name of the version."""
        return self._engine.version

    @property
    def n_items(self) -> int:
        """Items of the version."""
        return len(self._engine.item_ids)

    @property
    def serving_model(self) -> ServingModel:
        """What metrics expose of the version."""
        created_at = datetime.fromisoformat(self.manifest.created_at)
        recall = {kind: running.share for kind, running in self._given.recall.items()}
        return ServingModel(
            self.version,
            created_at,
            recall,
            newest_event_of(self.manifest),
            self._state.n_posted,
            len(self._state.updated),
        )

    @property
    def manifest(self) -> Manifest:
        """See `Engine.manifest`."""
        return self._engine.manifest

    def stored_data(self, user_id: str) -> StoredData | None:
        """See `Engine.stored_data`."""
        return self._engine.stored_data(user_id)

    def item(self, item_id: str) -> ItemView:
        """See `Engine.item`."""
        return self._engine.item(item_id)

    def items(self, item_ids: Sequence[str]) -> tuple[tuple[ItemView, ...], tuple[str, ...]]:
        """See `Engine.items`."""
        return self._engine.items(item_ids)

    @property
    def map(self) -> ItemMap:
        """See `Engine.map`."""
        return self._engine.map

    async def overview(self) -> Overview:
        """See `Engine.overview`; in a thread."""
        return await alone_in_thread(self._engine.overview)

    async def preview(self, question: Question) -> Answer:
        """What `ask` would answer outside of experiments, neither counted nor kept; in a thread."""
        answer = await alone_in_thread(partial(self._engine.ask, question))
        return replace(answer, recommendation_id=new_id("recommendations", self.version, None))

    def item_map(self, *, limit: int, offset: int, fields: Sequence[str]) -> MapPage:
        """See `Engine.item_map`."""
        return self._engine.item_map(limit=limit, offset=offset, fields=fields)

    async def find_items(self, text: str, *, limit: int) -> FoundItems:
        """See `Engine.find_items`; in a thread, because many titles may match."""
        async with self._comparing:
            return await alone_in_thread(partial(self._engine.find_items, text, limit=limit))

    async def find_users(self, text: str, *, limit: int) -> FoundUsers:
        """See `Engine.find_users`."""
        return self._engine.find_users(text, limit=limit)

    def history(self, user_id: str, *, limit: int) -> tuple[Ranked, ...]:
        """See `Engine.history`."""
        return self._engine.history(user_id, limit=limit)

    def has_item(self, item_id: str) -> bool:
        """Whether the version has an item; posted ones are none of the version."""
        return item_id in self._engine.item_ids

    def check_posted(self, item: PostedItem) -> None:
        """See `Engine.check_posted`."""
        self._engine.check_posted(item)

    def check_update(self, update: ItemUpdate) -> None:
        """See `Engine.check_update`."""
        self._engine.check_update(update)

    def use_changes(
        self,
        updates: Sequence[ItemUpdate],
        posted: Sequence[PostedItem] | None,
        *,
        n_changes: int,
        anew: bool = False,
    ) -> None:
        """Answer with `updates` from now on, and list the items `posted`, if they are not None; all at once.

        `n_changes`: the number of the last change. `anew`: nothing that was told before holds. Posted items that a
        version cannot list, because it has no content, are left out.
        """
        state = self._state
        engine = (self._of_catalogue if anew else state.engine).with_updates(updates)
        if posted is not None:
            state.n_posted = engine.use_posted(posted if engine.has_content else ())
        known = {update.item_id for update in updates if self.has_item(update.item_id)}
        state.updated = known if anew else state.updated | known
        state.engine, state.changes_seen = engine, n_changes

    def warm_up(self) -> None:
        """Ask something, uncounted, so that the first requests find memory warm and the cost of a list known.

        The parser of filters, which all versions of a process share, is built too. Raises ArtifactError if the
        version cannot answer.
        """
        filter_parser()
        rehearse(self._engine)
        if len(self._engine.user_ids):
            question = Question(user_id=self._engine.user_ids.id_at(0))
            self._batcher.measure(question, self._ask_many)

    async def ask(self, question: Question, *, session_id: str | None = None, is_alone: bool = False) -> Answer:
        """See `Engine.ask`: a light question in one search with others, a heavy one in a thread.

        `is_alone`: whether no other is known to be on its way, so that there is nothing to wait for.
        """
        question = self._of_arm(question)
        if self._is_light(question):
            answer = await self._watched(self._batcher.ask(question, self._ask_many, is_alone=is_alone))
        else:
            answer = await self._watched(alone_in_thread(partial(self._engine.ask, question)))
        return self._given.recommendation(question, answer, self._engine, session_id)

    def _ask_many(self, questions: Sequence[Question]) -> list[Answer]:
        """By the state of the items of this moment: one batch, one state."""
        return self._engine.ask_many(questions)

    async def ask_many(
        self, questions: Sequence[Question], *, session_ids: Sequence[str | None] | None = None
    ) -> list[Answer]:
        """See `Engine.ask_many`; in a thread. `session_ids`: one per question, if there are any."""
        questions = [*map(self._of_arm, questions)]
        deadline = current_deadline()
        n_before = 0 if deadline is None else deadline.n_checks
        try:
            answers = await self._watched(in_thread(lambda check: self._engine.ask_many(questions, check=check)))
        except (ClientGoneError, DeadlineExceededError):
            n_done = 0 if deadline is None else (deadline.n_checks - n_before) // CHECKS_PER_QUESTION
            self._metrics.count_given_up(max(0, len(questions) - n_done))
            raise
        sessions = session_ids or [None] * len(questions)
        each = zip(questions, answers, sessions, strict=True)
        return [
            self._given.recommendation(one, it, self._engine, session) async for one, it, session in turns([*each])
        ]

    async def page(self, page: Page, *, session_id: str | None = None) -> PageAnswer:
        """See `build_page`; in a thread, by one state of the items. Every row is a list of its own."""
        page = replace(page, question=self._of_arm(page.question))
        engine = self._engine
        built = await self._watched(in_thread(lambda check: build_page(engine, page, check=check)))
        return replace(built, rows=tuple(self._given.row(row, session_id) for row in built.rows))

    async def similar(
        self, item_id: str, *, k: int, filter: str | None, fields: Sequence[str] = (), by: By = "behaviour"
    ) -> Answer:
        """See `Engine.similar`."""
        ask = partial(Engine.similar, item_id=item_id, k=k, filter=filter, fields=fields, by=by)
        return await self._similar(ask, filter, by, is_long=_is_long(k, fields))

    async def similar_to(
        self,
        positive: Sequence[str],
        negative: Sequence[str],
        *,
        k: int,
        filter: str | None,
        fields: Sequence[str] = (),
        by: By = "behaviour",
    ) -> Answer:
        """See `Engine.similar_to`."""
        ask = partial(
            Engine.similar_to, positive=positive, negative=negative, k=k, filter=filter, fields=fields, by=by
        )
        return await self._similar(ask, filter, by, is_long=_is_long(k, fields))

    async def search(self, text: str, *, k: int, filter: str | None, fields: Sequence[str] = ()) -> Answer:
        """See `Engine.search`; in a thread, because a text is encoded and every item compared."""
        ask = partial(self._engine.search, text, k=k, filter=filter, fields=fields)
        return self._given.counted("found_by_words", await self._comparing_all(ask))

    async def similar_users(self, user_id: str, *, k: int) -> UserAnswer:
        """See `Engine.similar_users`; in a thread, because every user is compared."""
        answer = await alone_in_thread(partial(self._engine.similar_users, user_id, k=k))
        return self._given.counted("similar_users", answer)

    async def rank(
        self,
        item_ids: Sequence[str],
        *,
        user_id: str | None,
        events: Sequence[Event],
        session_id: str | None = None,
    ) -> CandidateAnswer:
        """See `Engine.rank`; in a thread if items or events are many."""
        few = len(item_ids) <= _FEW_ITEMS and len(events) <= _FEW_EVENTS
        popular = self._arm is not None and self._arm.is_popular
        ask = partial(self._engine.rank, item_ids, user_id=user_id, events=events, popular=popular)
        return self._given.counted("candidates", await self._watched(_run(ask, in_thread=not few)), session_id)

    async def _comparing_all(self, ask: Callable[[], Answer]) -> Answer:
        """In a thread; a few at a time, because each reads the content of all items, and others wait for a core."""
        async with self._comparing:
            return await alone_in_thread(ask)

    async def _similar(
        self, ask: Callable[[Engine], Answer], condition: str | None, by: By, *, is_long: bool
    ) -> Answer:
        """What `ask` answers, in a thread if the filter `condition` must be compiled, or items are many.

        `is_long`: whether the list takes long to write.

        A search on the event loop is on purpose: up to some 30,000 items it takes 0.3 ms, less than handing it to the
        thread pool and back, and `async def` answers 2.6 times as many requests per second.
        """
        if by != "behaviour":
            return self._given.counted("similar_items", await self._comparing_all(partial(ask, self._engine)))
        many = len(self._engine.item_ids) > _FEW_TO_COMPARE or is_long
        answer = await _run(partial(ask, self._engine), in_thread=many or self._must_compile(condition))
        return self._given.similar(answer, ask, self._engine)

    def _is_light(self, question: Question) -> bool:
        few = not _is_long(question.k, question.fields) and len(question.events) <= _FEW_EVENTS
        return few and question.include is None and not self._must_compile(question.filter)

    def _must_compile(self, condition: str | None) -> bool:
        return condition is not None and not self._engine.has_compiled(condition)

    def _of_arm(self, question: Question) -> Question:
        popular = self._arm is not None and self._arm.is_popular
        return replace(question, popular=True) if popular else question

    def _watched(self, answering: Awaitable[_Given]) -> Awaitable[_Given]:
        """The same, counted for the arm if there is one."""
        if self._arm is None:
            return answering
        return self._arm.lists.watched(self._arm.name, answering)


def fresh_after(manifest: Manifest) -> float:
    """UTC seconds from which on events are not in the log of a version: a second after its newest one.

    Without times in the log it is when the version was made.
    """
    newest = newest_event_of(manifest)
    made = datetime.fromisoformat(manifest.created_at).timestamp()
    return made if newest is None else newest.timestamp() + 1


def _is_long(k: int, fields: Sequence[str]) -> bool:
    """Whether a list takes long to write: an attribute takes about as long as an item."""
    return k * (1 + len(fields)) > _FEW_ITEMS


def _run(call: Callable[[], _Result], *, in_thread: bool) -> Awaitable[_Result]:
    return alone_in_thread(call) if in_thread else _call(call)


async def _call(call: Callable[[], _Result]) -> _Result:
    return call()
