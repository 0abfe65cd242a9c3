"""World: the planted truth that a synthetic log is drawn from."""

from dataclasses import dataclass

import numpy as np

from recsys.data.synthetic.catalogue import Catalogue, make_catalogue
from recsys.data.synthetic.tastes import Tastes, make_tastes


@dataclass(frozen=True, eq=False)
class World:
    """The catalogue, its readers' tastes, and the seed that both and every later draw come from."""

    catalogue: Catalogue
    tastes: Tastes
    seed: int

    def rng(self, *purpose: int) -> np.random.Generator:
        """Random numbers of one purpose, whatever else was drawn before."""
        return np.random.default_rng([self.seed, *purpose])


def make_world(*, n_users: int, n_items: int, seed: int) -> World:
    """The world of a seed. Raises DataError where there are too few items to plant genres and series."""
    rng = np.random.default_rng(seed)
    catalogue = make_catalogue(n_items, rng)
    return World(catalogue, make_tastes(n_users, catalogue, rng), seed)


def user_id(user_idx: int) -> str:
    """The id that a log gives reader (or bot) `user_idx`; the ids sort as the numbers do."""
    return f"u{user_idx:07d}"


def item_id(item_idx: int) -> str:
    """The id that a log gives item `item_idx`; the ids sort as the numbers do."""
    return f"b{item_idx:06d}"
