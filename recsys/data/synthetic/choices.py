"""Choices: what a reader of the world does with a list, so that a served list can be judged by who is shown it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from recsys.data.synthetic.world import World

_NEXT_VOLUME = 0.35
"""Chance to open the next volumes of a series that is being read, once seen."""

_FAVOURITE = (0.22, 0.12, 0.06)
"""Chance to open the best found book of the reader's first, second and third genre."""

_ANYTHING = 0.01

_BUYS = 0.3
"""Share of opened books that are bought."""

_PLACE_DECAY = 0.15


def attention(k: int) -> NDArray[np.float64]:
    """The chance that a reader looks at each place of a list: float64 (k,), 1 / (1 + .15 (p - 1)) for place p."""
    return np.asarray(1.0 / (1.0 + _PLACE_DECAY * np.arange(k)), np.float64)


@dataclass(frozen=True, eq=False)
class Choice:
    """What one reader did with a list. `opened`, `bought`: places, counted from 1; what is bought was opened."""

    opened: tuple[int, ...]
    bought: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Choices:
    """The choices of the readers of a world."""

    world: World

    def appeal(self, user_idx: int, item_idx: NDArray[np.integer], timestamp: int) -> NDArray[np.float64]:
        """The chance that a reader opens each item once it is looked at: float64 (k,).

        `item_idx`: (k,). `timestamp`: UTC seconds, when the reader's tastes are asked; tastes drift.
        """
        catalogue, tastes = self.world.catalogue, self.world.tastes
        number, over = tastes.season(np.array([user_idx]), np.array([timestamp]))
        season = min(int(number[0]), tastes.favourites.shape[1] - 1)
        likes = np.full(catalogue.n_genres, _ANYTHING)
        for genre, chance in reversed(list(zip(tastes.favourites[user_idx, season], _FAVOURITE, strict=True))):
            likes[genre] = chance
        found = likes[catalogue.genre[item_idx]] * self._renown[item_idx]
        following = tastes.following[user_idx, season]
        read = over[0] * catalogue.series_length[np.maximum(catalogue.series[item_idx], 0)]
        is_next = np.isin(catalogue.series[item_idx], following) & (catalogue.volume[item_idx] >= read)
        return np.where(is_next, _NEXT_VOLUME, np.maximum(found, _ANYTHING))

    def choose(
        self, user_idx: int, item_idx: NDArray[np.integer], timestamp: int, rng: np.random.Generator
    ) -> Choice:
        """What a reader does with the list `item_idx` (k,), best first, at `timestamp` (UTC seconds)."""
        opens = rng.random(len(item_idx)) < attention(len(item_idx)) * self.appeal(user_idx, item_idx, timestamp)
        buys = opens & (rng.random(len(item_idx)) < _BUYS)
        return Choice(_places(opens), _places(buys))

    @cached_property
    def _renown(self) -> NDArray[np.float64]:
        """float64 (n_items,), 1 for the most found book of a genre, less for books that are found less."""
        catalogue = self.world.catalogue
        most = np.zeros(catalogue.n_genres)
        np.maximum.at(most, catalogue.genre, catalogue.popularity)
        return np.asarray((catalogue.popularity / most[catalogue.genre]) ** 0.15)


def _places(chosen: NDArray[np.bool_]) -> tuple[int, ...]:
    return tuple(int(at) + 1 for at in np.flatnonzero(chosen))
