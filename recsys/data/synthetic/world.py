"""World: the planted truth of a synthetic log: a catalogue, and the tastes of its readers.

Readers like a few genres, and the series they are in the middle of; both drift from season to season.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import Indices, Seconds
from recsys.data.synthetic.calendar import END, N_SEASONS, SEASON, START
from recsys.data.synthetic.catalogue import Catalogue, make_catalogue, make_pool, shares, zipf_popularity

N_FAVOURITES = 3
DRIFT = 0.35
"""Chance that a reader swaps one favourite genre for another between two seasons."""

LATECOMERS = 0.25
"""Share of readers who join after the log has begun."""


@dataclass(frozen=True, eq=False)
class Tastes:
    """Planted truth about readers, reader u at row u. A season starts on another day for every reader.

    `favourites`: int8 (n_users, seasons, 3), genres, the favourite first; a narrow taste repeats one.
    `following`: int32 (n_users, seasons, 2), series of the first two favourites, read volume by volume.
    `activity`: float64 (n_users,), cumulative share of all visits.
    `joined`: int64 (n_users,), UTC seconds; START for readers from the start.
    `shift`: int64 (n_users,), seconds by which a reader's seasons run ahead.
    """

    favourites: NDArray[np.int8]
    following: Indices
    activity: NDArray[np.float64]
    joined: Seconds
    shift: Seconds

    def __len__(self) -> int:
        return len(self.joined)

    def season(
        self, user_idx: NDArray[np.integer], timestamp: Seconds
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Season of each reader at each time: its number, and the elapsed share of it (0 to 1)."""
        number, rest = np.divmod(timestamp - START + self.shift[user_idx], SEASON)
        return number, rest / SEASON

    def draw_users(self, timestamp: Seconds, rng: np.random.Generator) -> NDArray[np.int64]:
        """The reader of each visit, in proportion to activity, and never before joining."""
        user = np.searchsorted(self.activity, rng.random(len(timestamp)), side="right")
        user = np.minimum(user, len(self) - 1)
        always = np.flatnonzero(self.joined == START)
        return np.where(self.joined[user] > timestamp, always[user % len(always)], user)


def make_tastes(n_users: int, catalogue: Catalogue, rng: np.random.Generator) -> Tastes:
    """The tastes of `n_users` readers in this catalogue."""
    favourites = _favourites(n_users, catalogue.n_genres, rng)
    series = make_pool(catalogue.series_genre, zipf_popularity(catalogue.series_genre, rng))
    activity = np.cumsum(rng.lognormal(sigma=0.8, size=n_users))
    late = rng.random(n_users) < LATECOMERS
    late[0] = False
    return Tastes(
        favourites=favourites,
        following=series.draw(favourites[:, :, :2], rng),
        activity=activity / activity[-1],
        joined=np.where(late, rng.integers(START, END, n_users), START),
        shift=rng.integers(0, SEASON, n_users),
    )


def _favourites(n_users: int, n_genres: int, rng: np.random.Generator) -> NDArray[np.int8]:
    popular = shares(n_genres)
    favourites = np.empty((n_users, N_SEASONS + 1, N_FAVOURITES), np.int8)
    now = rng.choice(n_genres, (n_users, N_FAVOURITES), p=popular)
    breadth = rng.integers(1, N_FAVOURITES + 1, n_users)
    for season in range(N_SEASONS + 1):
        if season:
            moved = np.flatnonzero(rng.random(n_users) < DRIFT)
            now[moved, rng.integers(0, N_FAVOURITES, len(moved))] = rng.choice(n_genres, len(moved), p=popular)
        favourites[:, season] = now[np.arange(n_users)[:, None], np.arange(N_FAVOURITES) % breadth[:, None]]
    return favourites


@dataclass(frozen=True, eq=False)
class World:
    """The catalogue, its readers' tastes, and the seed of all random draws."""

    catalogue: Catalogue
    tastes: Tastes
    seed: int

    def rng(self, *purpose: int) -> np.random.Generator:
        """A generator for one purpose, independent of all other draws."""
        return np.random.default_rng([self.seed, *purpose])


def make_world(*, n_users: int, n_items: int, seed: int) -> World:
    """The world of a seed. Raises DataError if there are too few items to plant genres and series."""
    rng = np.random.default_rng(seed)
    catalogue = make_catalogue(n_items, rng)
    return World(catalogue, make_tastes(n_users, catalogue, rng), seed)


def user_id(user_idx: int) -> str:
    """The id that a log gives reader (or bot) `user_idx`; the ids sort as the numbers do."""
    return f"u{user_idx:07d}"


def item_id(item_idx: int) -> str:
    """The id that a log gives item `item_idx`; the ids sort as the numbers do."""
    return f"b{item_idx:06d}"
