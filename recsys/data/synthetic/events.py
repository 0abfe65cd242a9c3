"""Events: what readers and bots do in the shop, drawn in stretches of time with bounded memory."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import Indices, Seconds
from recsys.data.matrix import Csr, csr_from_pairs
from recsys.data.synthetic.calendar import Slice, share_until, time_slices
from recsys.data.synthetic.world import World

EVENT_NAMES = ("view", "cart", "purchase")

BOT_EVENTS = 2_000
"""Views of one bot over the whole log."""

CHUNK_ROWS = 1_000_000

# Why a reader views an item, the share of each reason, and the share that goes into the cart: the next volume of a
# series, an item of a favourite genre, or any item. Views are therefore noisier than purchases.
_FOLLOW, _BROWSE, _WANDER = range(3)
_REASONS = np.array([0.45, 0.35, 0.20])
_CART = np.array([0.50, 0.30, 0.04])
_BUY = 0.6
_FAVOURITE = np.array([0.6, 0.25, 0.15])
# A visit ends within this many seconds, so that cart and purchase are in the same stretch of time as the view.
_VISIT = 600


@dataclass(frozen=True, eq=False)
class EventChunk:
    """A stretch of the log, sorted by time; no user has two events in the same second.

    `user_idx`, `item_idx`: int32 (n,); users from len(world.tastes) up are bots.
    `timestamp`: int64 (n,), UTC seconds. `event`: int8 (n,), positions in EVENT_NAMES.
    `quantity`: int8 (n,), 1 or more. `month`: such as "2026-01".
    """

    month: str
    user_idx: Indices
    item_idx: Indices
    timestamp: Seconds
    event: NDArray[np.int8]
    quantity: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.user_idx)


def generate_events(
    world: World, n_events: int, *, bots: int = 0, chunk_rows: int = CHUNK_ROWS
) -> Iterator[EventChunk]:
    """Draw exactly `n_events` events, `bots` x BOT_EVENTS of them by bots, as chunks in order of time.

    A chunk holds about `chunk_rows` events and depends only on the world and on these arguments.
    """
    readers = max(0, n_events - bots * BOT_EVENTS)
    for part in time_slices(readers, rows=chunk_rows):
        rng = world.rng(1, part.number)
        rows = _bot_rows(world, part, n_events - readers, bots, rng)
        yield _sorted_chunk(part, _reader_rows(world, part, rng), rows, len(world.tastes) + bots)


@dataclass(frozen=True, eq=False)
class _Rows:
    user: NDArray[np.int64]
    item: NDArray[np.int64]
    timestamp: NDArray[np.int64]
    event: NDArray[np.int64]
    quantity: NDArray[np.int64]


def _reader_rows(world: World, part: Slice, rng: np.random.Generator) -> _Rows:
    n = len(part.rows)
    reason = np.searchsorted(np.cumsum(_REASONS)[:-1], rng.random(n), side="right")
    carted = rng.random(n) < _CART[reason]
    length = 1 + carted + (carted & (rng.random(n) < _BUY))
    visits = int(np.searchsorted(np.cumsum(length), n)) + 1 if n else 0
    visit = np.repeat(np.arange(visits), length[:visits])[:n]
    step = np.arange(n) - (np.cumsum(length[:visits]) - length[:visits])[visit]
    timestamp = part.start + rng.integers(0, part.stop - part.start - _VISIT, visits)
    user = world.tastes.draw_users(timestamp, rng)
    item = _items(world, reason[:visits], user, timestamp, rng)
    pause = rng.integers(20, 200, n) * (step > 0)
    bought_two = (step == 2) & (rng.random(n) < 0.1)
    return _Rows(user[visit], item[visit], timestamp[visit] + 200 * step + pause, step, 1 + bought_two)


def _items(
    world: World,
    reason: NDArray[np.int64],
    user: NDArray[np.int64],
    timestamp: Seconds,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    catalogue, tastes = world.catalogue, world.tastes
    season, over = tastes.season(user, timestamp)
    favourite = np.searchsorted(np.cumsum(_FAVOURITE)[:-1], rng.random(len(user)), side="right")
    anything = catalogue.genre[rng.integers(0, len(catalogue), len(user))]
    genre = np.where(reason == _WANDER, anything, tastes.favourites[user, season, favourite])
    item = catalogue.items_by_genre.draw(genre, rng).astype(np.int64)
    follow = np.flatnonzero(reason == _FOLLOW)
    series = tastes.following[user[follow], season[follow], favourite[follow] % 2]
    volume = (over[follow] * catalogue.series_length[series]).astype(np.int64)
    item[follow] = catalogue.series_items[series, volume]
    return item


def _bot_rows(world: World, part: Slice, total: int, bots: int, rng: np.random.Generator) -> _Rows:
    number = np.arange(share_until(part.start, total), share_until(part.stop, total))
    user = len(world.tastes) + number % max(bots, 1)
    n = len(number)
    item = rng.integers(0, len(world.catalogue), n)
    view = np.zeros(n, np.int64)
    return _Rows(user, item, rng.integers(part.start, part.stop - _VISIT, n), view, view + 1)


def _sorted_chunk(part: Slice, readers: _Rows, bots: _Rows, n_accounts: int) -> EventChunk:
    def joined(column: str) -> NDArray[np.int64]:
        return np.concatenate([getattr(readers, column), getattr(bots, column)])

    user, timestamp = joined("user"), joined("timestamp")
    key = (timestamp - part.start) * n_accounts + user
    order = _one_per_second(key, n_accounts)
    return EventChunk(
        month=part.month,
        user_idx=user[order].astype(np.int32),
        item_idx=joined("item")[order].astype(np.int32),
        timestamp=part.start + key[order] // n_accounts,
        event=joined("event")[order].astype(np.int8),
        quantity=joined("quantity")[order].astype(np.int8),
    )


def _one_per_second(key: NDArray[np.int64], n_accounts: int) -> NDArray[np.int64]:
    """Sort `key` (second x accounts + account), moving duplicates on by one second, in place, until all differ."""
    while True:
        order = np.argsort(key, kind="stable")
        repeated = order[1:][key[order[1:]] == key[order[:-1]]]
        if not len(repeated):
            return order
        key[repeated] += n_accounts


def generate_matrix(world: World, n_events: int) -> Csr:
    """How many events each reader has with each item: canonical float32 CSR (n_users, n_items).

    Repeated pairs merge, so fewer entries than `n_events` are stored.
    """
    user = np.empty(n_events, np.int32)
    item = np.empty(n_events, np.int32)
    start = 0
    for chunk in generate_events(world, n_events):
        user[start : start + len(chunk)] = chunk.user_idx
        item[start : start + len(chunk)] = chunk.item_idx
        start += len(chunk)
    return csr_from_pairs(user, item, np.ones(n_events, np.float32), (len(world.tastes), len(world.catalogue)))
