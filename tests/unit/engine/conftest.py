"""Versions whose lists can be worked out by hand, and one large enough for the index to matter."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse as sp

from recsys.artifacts.bundle import Bundle
from recsys.artifacts.manifest import VersionFacts, new_manifest
from recsys.content.space import ContentSpace
from recsys.data.confidence import fit_confidence
from recsys.data.id_map import IdMap
from recsys.data.items import Items
from recsys.data.matrix import Csr
from recsys.engine import Engine
from recsys.models.factors.als import AlsConfig
from recsys.models.factors.als_model import AlsModel
from recsys.models.factors.embeddings import Embeddings
from recsys.retrieval.exact import normalised
from recsys.retrieval.flat_index import build_index

Build = Callable[..., Bundle]


def _bundle(
    seen: Csr,
    users: Any,
    items: Any,
    *,
    scale: Any = None,
    popularity: Any = None,
    table: Any = None,
    content: ContentSpace | None = None,
) -> Bundle:
    n_users, n_items = seen.shape
    user_ids, _ = IdMap.of([f"u{number:04}" for number in range(n_users)])
    item_ids, _ = IdMap.of([f"i{number:04}" for number in range(n_items)])
    embeddings = Embeddings(
        np.asarray(users, np.float32),
        np.asarray(items, np.float32),
        np.ones(n_items, np.float32) if scale is None else np.asarray(scale, np.float32),
    )
    model = AlsModel(embeddings, fit_confidence(seen, AlsConfig()), 30.0, ())
    facts = VersionFacts(
        config={"model": {"factors": embeddings.factors}},
        log={"fingerprint": "f" * 64},
        counts={"users": n_users},
        metrics={"ndcg@20": 0.5},
        verdict="passed",
        index={"kind": "exact"},
    )
    return Bundle(
        manifest=new_manifest({}, facts),
        users=user_ids,
        items=Items(item_ids, table) if table is not None else Items.without_attributes(item_ids),
        model=model,
        history=seen,
        content=content,
        popularity=model.item_degree if popularity is None else np.asarray(popularity, np.float32),
        index=build_index(embeddings.scoring_items),
        similar=build_index(normalised(embeddings.items)),
    )


@pytest.fixture(scope="session")
def make_bundle() -> Build:
    """A version of the given vectors; see `_bundle`."""
    return _bundle


@pytest.fixture(scope="session")
def small() -> Bundle:
    """Four users and five items in two dimensions.

    u0000 leans to the first dimension, u0001 to the second, u0002 has a zero vector, u0003 has seen everything.
    i0004 has a zero vector. Weights in `seen` say how much each user did.
    """
    seen = sp.csr_matrix(np.array([[3, 0, 0, 0, 0], [0, 1, 2, 0, 0], [0, 0, 0, 5, 0], [1, 1, 1, 1, 1]], np.float32))
    table = pa.table({"title": ["Ä", "B", None, "D", "E"], "price": [1.5, None, 3.0, 4.0, 5.0]})
    return _bundle(
        seen,
        users=[[1, 0], [0, 1], [0, 0], [1, 1]],
        items=[[1, 0], [0, 1], [1, 1], [2, 0], [0, 0]],
        popularity=[1, 3, 3, 2, 0.5],
        table=table,
    )


@pytest.fixture(scope="session")
def large() -> Bundle:
    """160 users, 3,000 items, scaled item vectors; every tenth user has a zero vector, the last saw nearly all."""
    rng = np.random.default_rng(11)
    seen = sp.random(160, 3_000, density=0.01, format="lil", rng=rng, dtype=np.float32)
    seen[159, :2_995] = 1
    seen[:, 0] = 1
    users = rng.normal(size=(160, 16)).astype(np.float32)
    users[::10] = 0
    return _bundle(
        seen.tocsr(), users, rng.normal(size=(3_000, 16)).astype(np.float32), scale=rng.uniform(0.5, 2, size=3_000)
    )


@pytest.fixture(scope="session")
def nearly_tied() -> Bundle:
    """3,000 items of which ten at a time differ by less than float32 resolves in an inner product."""
    rng = np.random.default_rng(12)
    seen = sp.random(100, 3_000, density=0.01, format="csr", rng=rng, dtype=np.float32)
    items = np.repeat(rng.normal(size=(300, 16)), 10, axis=0) * (1 + rng.uniform(-1e-7, 1e-7, size=(3_000, 1)))
    users = np.repeat(rng.normal(size=(10, 16)), 10, axis=0) * (1 + rng.uniform(-1e-7, 1e-7, size=(100, 1)))
    return _bundle(seen, rng.permutation(users), rng.permutation(items))


@pytest.fixture(scope="session")
def other_kernel(nearly_tied: Bundle) -> Bundle:
    """`nearly_tied` with its dimensions in another order: the same products, added up as another kernel might."""
    embeddings, order = nearly_tied.model.embeddings, np.random.default_rng(13).permutation(16)
    return _bundle(nearly_tied.history, embeddings.users[:, order].copy(), embeddings.items[:, order].copy())


@pytest.fixture(scope="session")
def engine(small: Bundle) -> Engine:
    return Engine(small)


@pytest.fixture(scope="session")
def large_engine(large: Bundle) -> Engine:
    return Engine(large)
