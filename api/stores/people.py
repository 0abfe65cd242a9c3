"""What a store of the service holds of a person, and forgetting it."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from api.stores.served_store import ServedStore
from recsys.artifacts.purging import holding
from recsys.artifacts.tombstones import add_tombstones
from recsys.engine.ids import check_kept_id, checked_id
from recsys.errors import EventStoreError
from recsys.event_store.forgetting import Held, Removed, held_of, remove_user, sessions_of
from recsys.experiments.assignment import ArmName


@dataclass(frozen=True)
class Forgot:
    """What became of a user. `at`: UTC seconds. `removed`: from the event store, None without one.

    `pending_versions`: on disk, which still hold the user.
    """

    at: float
    removed: Removed | None
    pending_versions: int


async def forget(store: ServedStore, user_id: str) -> Forgot:
    """Write the tombstone, then empty the event store. Done again, it ends what failed.

    Raises InvalidRequestError, ArtifactError if the tombstone cannot be written, EventStoreError after it was.
    """
    known = _checked(store, user_id)
    return await asyncio.to_thread(_forget, store, known)


def _forget(store: ServedStore, user_id: str) -> Forgot:
    database = store.database
    sessions: Sequence[str] = () if database is None else sessions_of(database, user_id, until=time.time())
    with store.to_change() as registry:
        at = add_tombstones(registry, [user_id], sessions)
    store.forgotten.refresh()
    removed = None
    if database is not None:
        removed = remove_user(database, user_id, until=at)
        with suppress(EventStoreError):  # a reader keeps it from being emptied; the night tries again
            database.scrub(whole=False)
        if later := [session for session in removed.sessions if session not in sessions]:
            with store.to_change() as registry:
                add_tombstones(registry, [], later)
    return Forgot(at, removed, len(holding(store.watch.registry, store.forgotten.now)))


async def held(store: ServedStore, user_id: str, *, limit: int) -> Held | None:
    """What the event store holds of a user, None without one. Raises InvalidRequestError, EventStoreError."""
    known = _checked(store, user_id)
    return None if store.database is None else await asyncio.to_thread(held_of, store.database, known, limit=limit)


def arm_now(store: ServedStore, user_id: str) -> ArmName | None:
    """The arm of a user in the experiment that runs, None outside of one."""
    split = store.arms.split
    return None if split is None else split.experiment.arm(user_id)


def _checked(store: ServedStore, user_id: str) -> str:
    known = checked_id(user_id, "user_id")
    if store.database is not None:
        check_kept_id(known, "user_id")
    return known
