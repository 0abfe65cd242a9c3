"""ServedStore: everything that belongs to one store of the service; `ServedStores` finds that of a request."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from time import time

from api.by_store import UNNAMED
from api.engines.recall import RecallSampler
from api.engines.served_engine import ServedEngine
from api.errors import UnknownStoreError
from api.events.impression_log import ImpressionLog
from api.events.store_events import StoreEvents
from api.metrics import Metrics, ServingModel
from api.settings import Settings
from api.stores.arm_watch import ArmWatch, arms_of
from api.stores.forgotten_watch import ForgottenWatch
from api.stores.item_watch import ItemWatch
from api.stores.model_watch import ModelWatch
from api.stores.replicas import READ_ONLY, ReplicaWatch, folder_of, replica_of
from api.stores.scenario_file import ScenarioFile
from recsys.artifacts.registry import Registry
from recsys.artifacts.signature import SigningKey
from recsys.artifacts.store_reader import CURRENT
from recsys.engine.rehearsal import check_serves
from recsys.engine.scenarios import FILE_NAME as SCENARIOS
from recsys.event_store.database import Database, open_database
from recsys.event_store.item_changes import FILE_NAME, ItemChanges
from recsys.forgotten import Tombstones
from recsys.online.experiment import breach_of_clicks

OF_A_STORE = ("/v1/", "/admin/")
"""Beginnings of paths that a store's name follows, if stores have names."""


@dataclass(frozen=True, eq=False)
class ServedStore:
    """One store: the version that serves, and what came since. It shares no state with other stores.

    `name` is `UNNAMED` if the service has one store without a name.
    `database` of `events`, and of whatever else is kept durably; both are None without the setting `events`.
    """

    name: str
    folder: Path
    metrics: Metrics
    watch: ModelWatch
    items: ItemWatch
    recall: RecallSampler
    events: StoreEvents | None
    database: Database | None
    arms: ArmWatch
    impressions: ImpressionLog | None
    forgotten: ForgottenWatch
    replica: ReplicaWatch | None

    @classmethod
    def of(cls, name: str, settings: Settings, *, metrics: Metrics, recall_core_share: float) -> "ServedStore":
        """The store `name` of `settings`; nothing is read yet."""
        replica = replica_of(settings, name)
        folder, read_only = folder_of(settings, name), None if replica is None else READ_ONLY
        recall = RecallSampler(settings.recall_sample, metrics, core_share=recall_core_share)
        offer = recall.offer if settings.recall_sample else None
        kept_events = None if settings.events is None else settings.events.of(name)
        database = None if kept_events is None else open_database(kept_events)
        tombstones = Tombstones(folder)
        events = None if database is None else StoreEvents(database, metrics, tombstones=tombstones)
        forgotten = ForgottenWatch(tombstones, on_change=(lambda: None) if events is None else events.forget)
        items = _item_watch(settings, name, database)

        impressions = None
        if database is not None and settings.impressions > 0:
            impressions = ImpressionLog(
                database,
                metrics,
                share=settings.impressions,
                days=settings.impression_days,
                forgotten=tombstones.latest,
            )

        def prepare(engine: ServedEngine) -> None:
            items.refresh(engine)
            if events is not None:
                events.prepare(engine)

        keep = None if impressions is None else impressions.offer
        watch = ModelWatch(
            folder,
            metrics,
            offer_check=offer,
            keep=keep,
            before_serving=prepare,
            is_forgotten_by=forgotten.is_forgotten_by,
            name=name,
            load_seconds=settings.load_seconds,
            key=None if settings.signing_key is None else SigningKey(settings.signing_key.get_secret_value()),
            users=settings.users,
            read_only=read_only,
            on_damage=(lambda version: None) if replica is None else replica.suspect,
        )
        clicks = None if database is None or impressions is None else partial(breach_of_clicks, database)
        arms = ArmWatch(
            folder, metrics, load=watch.load, keep=items.refresh, check_clicks=clicks, read_only=read_only
        )
        follower = None if replica is None else ReplicaWatch(replica, seconds=settings.poll_seconds)
        return cls(
            name, folder, metrics, watch, items, recall, events, database, arms, impressions, forgotten, follower
        )

    @cached_property
    def scenarios(self) -> ScenarioFile:
        """The named pages of the store."""
        return ScenarioFile(self.folder / SCENARIOS)

    @property
    def serving_model(self) -> ServingModel | None:
        """What metrics expose of the version that serves, None if none does."""
        engine = self.watch.engine
        if engine is None:
            return None
        split = self.arms.split
        name = None if split is None else split.experiment.name
        published = self.watch.fault is None
        return replace(engine.serving_model, is_published=published, arms=arms_of(split, engine), experiment=name)

    @property
    def trouble(self) -> str | None:
        """What does not keep it from answering, but is not as the store says."""
        of_replica = None if self.replica is None else self.replica.fault(time())
        found = (self.watch.fault, self.arms.trouble, self.forgotten.fault, of_replica)
        return "; ".join(it for it in found if it) or None

    @contextlib.contextmanager
    def to_change(self) -> Iterator[Registry]:
        """The registry that an operator changes: of a replica that of the object store, followed at the end."""
        if self.replica is None:
            yield self.watch.registry
        else:
            with self.replica.replica.registry(check=check_serves, key=self.watch.key) as registry:
                yield registry

    @property
    def is_empty(self) -> bool:
        """Whether nothing was published to the store; not of an object store that was not followed yet."""
        if self.replica is None or not self.watch.is_empty:
            return self.watch.is_empty
        return self.replica.status.followed_at is not None and not (self.folder / CURRENT).exists()

    @property
    def reason(self) -> str:
        """Why nothing serves; clients see it."""
        status = None if self.replica is None else self.replica.status
        if status is None or not self.watch.is_empty:
            return self.watch.reason
        if status.stage is not None:
            return f"the first version comes from the object store: {status.stage}"
        if status.fault is not None:
            return f"nothing is in the cache, and {status.fault}; the service's log says why"
        return self.watch.reason if status.looked_at is not None else "the object store was not looked at yet"

    def refresh(self, *, again: bool = False) -> None:
        """Load the version that serves, and those of a running experiment; `again`: also what just could not be."""
        self.forgotten.refresh()
        self.watch.refresh(again=again)
        self.arms.refresh()

    @property
    def engines(self) -> tuple[ServedEngine, ...]:
        """Those that serve: of the current version, and of the arms of an experiment."""
        split, current = self.arms.split, self.watch.engine
        return (*(() if split is None else split.pinned.values()), *(() if current is None else (current,)))

    @contextlib.asynccontextmanager
    async def polling(self, *, seconds: float) -> AsyncIterator[None]:
        """Look at the store every `seconds`, and for what comes meanwhile, until the end of the block."""
        each = (
            self.watch.run(seconds),
            self.arms.run(seconds),
            self.items.run(lambda: self.engines),
            self.forgotten.run(),
        )
        tasks = [asyncio.create_task(one) for one in each]
        if self.replica is not None:
            self.replica.start(partial(self.refresh, again=True), lambda: {engine.version for engine in self.engines})
        if self.events is not None:
            self.events.start(lambda: self.arms.oldest(self.watch.engine))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
            if self.replica is not None:
                self.replica.stop()
            await asyncio.to_thread(self.recall.close)
            self.watch.close()
            if self.events is not None:
                await asyncio.to_thread(self.events.close)
            if self.impressions is not None:
                await asyncio.to_thread(self.impressions.close)
            if self.database is not None:
                self.database.close()


def _item_watch(settings: Settings, name: str, database: Database | None) -> ItemWatch:
    """Changes of items: in the event store if there is one, which takes over the file's; else in a file."""
    told = None if settings.new_items is None else settings.new_items.of(name)
    path = Path(told) if told else folder_of(settings, name) / FILE_NAME
    of_file = ItemChanges(open_database(path), path=path)
    if database is None:
        return ItemWatch(of_file)
    changes = ItemChanges(database)
    return ItemWatch(changes, take_over=lambda: changes.take_over(of_file, str(path.resolve())))


class ServedStores:
    """The stores of one service, by name; the request's path says which is asked if they have names."""

    def __init__(self, settings: Settings, metrics: Metrics, *, recall_core_share: float) -> None:
        names = settings.store.names
        share = recall_core_share / len(names)
        self.by_name: Mapping[str, ServedStore] = {
            name: ServedStore.of(name, settings, metrics=metrics.of_store(name), recall_core_share=share)
            for name in names
        }
        self.are_named = settings.store.are_named
        self.only = self.by_name.get(UNNAMED)
        """The store of every request, if it has no name."""

    def __iter__(self) -> Iterator[ServedStore]:
        return iter(self.by_name.values())

    @property
    def have_events(self) -> bool:
        """Whether any store keeps events."""
        return any(store.events is not None for store in self)

    def find(self, path: str) -> tuple[ServedStore | None, str]:
        """The store that `path` names, and the path without its name; None if the path is of no store.

        Raises UnknownStoreError.
        """
        for start in OF_A_STORE:
            if path.startswith(start):
                name, slash, rest = path.removeprefix(start).partition("/")
                if (store := self.by_name.get(name)) is None:
                    raise UnknownStoreError
                return store, f"{start}{rest}" if slash else f"{start}{name}"
        return None, path

    async def load(self) -> None:
        """Load what each store has now. A store without a sound version waits for one; the others serve."""
        await asyncio.gather(*(asyncio.to_thread(store.refresh) for store in self))
