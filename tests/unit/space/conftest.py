"""The demo's book shop with its planted genres, and the vectors that ALS learns of it."""

import pyarrow as pa
import pytest

from recsys.data.id_map import IdMap
from recsys.data.items import Items
from recsys.data.matrix import InteractionMatrix
from recsys.data.synthetic import GENRES, generate_matrix, make_world
from recsys.data.synthetic.world import item_id, user_id
from recsys.models.factors.model import FactorModel
from recsys.models.registry import fit_model, model_config

Shop = tuple[Items, FactorModel, InteractionMatrix, list[str]]
"""Titles and attributes, the model, its matrix, and the planted genre of every item."""


@pytest.fixture(scope="session")
def shop() -> Shop:
    world = make_world(n_users=2_000, n_items=800, seed=7)
    csr = generate_matrix(world, 60_000)
    items, _ = IdMap.of([item_id(at) for at in range(csr.shape[1])])
    users, _ = IdMap.of([user_id(at) for at in range(csr.shape[0])])
    matrix = InteractionMatrix(users, items, csr)
    genres = [GENRES[genre].name for genre in world.catalogue.genre]
    table = pa.table({"title": world.catalogue.titles, "genre": genres, "price": world.catalogue.price})
    config = model_config({"algorithm": "als", "auto": False, "factors": 24, "seed": 1})
    return Items(items, table), fit_model(matrix, config), matrix, genres
