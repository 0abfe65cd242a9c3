"""What unit tests of several packages share: a shop of departments whose content says which one an item is in."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse as sp

from recsys.content.space import ContentSource, ContentSpace
from recsys.data.id_map import IdMap
from recsys.data.matrix import InteractionMatrix
from recsys.models.factors.model import FactorModel
from recsys.models.registry import fit_model, model_config
from recsys.retrieval.exact import normalised


@dataclass(frozen=True)
class PlantedShop:
    """Users choose from one department, item i is in department i mod 4, and so is user u."""

    n_users: int = 200
    n_items: int = 120
    groups: int = 4

    def matrix(self, *, empty: int, rare: int = 0, seed: int = 1) -> InteractionMatrix:
        """The last `empty` items have no events, the `rare` ones before them one to three."""
        rng = np.random.default_rng(seed)
        user_group, group = np.arange(self.n_users) % self.groups, np.arange(self.n_items) % self.groups
        shape = (self.n_users, self.n_items)
        chosen = rng.random(shape) < np.where(user_group[:, None] == group[None, :], 0.4, 0.02)
        chosen[:, self.n_items - empty :] = False
        for item in range(self.n_items - empty - rare, self.n_items - empty):
            fans = np.flatnonzero(user_group == group[item])
            chosen[:, item] = False
            chosen[rng.choice(fans, 1 + item % 3, replace=False), item] = True
        users, _ = IdMap.of(pa.array([f"u{at:03}" for at in range(self.n_users)]))
        items, _ = IdMap.of(pa.array([f"i{at:03}" for at in range(self.n_items)]))
        return InteractionMatrix(users, items, sp.csr_matrix(chosen.astype(np.float32)))

    def space(self, *, seed: int = 2) -> ContentSpace:
        """`told` knows the department, with noise; `noise` knows nothing."""
        rng = np.random.default_rng(seed)
        own = np.eye(self.groups, dtype=np.float32)[np.arange(self.n_items) % self.groups]
        told = own + 0.1 * rng.standard_normal(own.shape)
        noise = rng.standard_normal((self.n_items, 8))
        return ContentSpace(
            (
                ContentSource("told", "tfidf", ("title",), normalised(told.astype(np.float32))),
                ContentSource("noise", "tfidf", ("other",), normalised(noise.astype(np.float32))),
            )
        )

    def model(self, matrix: InteractionMatrix, algorithm: str = "als", **settings: object) -> FactorModel:
        """A small model of it, neighbours included."""
        section = {"algorithm": algorithm, "auto": False, "factors": 8, "neighbours": 10, **settings}
        if algorithm == "als":
            section |= {"regularization": 5.0, "early_stopping": False}
        return fit_model(matrix, model_config(section))


@pytest.fixture(scope="session")
def departments() -> PlantedShop:
    """A shop with a planted structure in histories and content."""
    return PlantedShop()
