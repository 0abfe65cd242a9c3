"""A version small enough to break in every way."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from recsys.artifacts.bundle import seal_bundle
from recsys.artifacts.contents import Contents
from recsys.artifacts.manifest import Manifest, VersionFacts
from recsys.artifacts.registry import Registry
from recsys.data.confidence import fit_confidence
from recsys.data.id_map import IdMap
from recsys.data.items import Items
from recsys.data.matrix import csr_from_pairs
from recsys.models.factors.als import AlsConfig
from recsys.models.factors.als_model import AlsModel
from recsys.models.factors.embeddings import Embeddings
from recsys.retrieval.exact import normalised
from recsys.retrieval.flat_index import build_index

N_USERS, N_ITEMS, FACTORS = 6, 5, 4

Seal = Callable[..., Manifest]


@pytest.fixture
def parts() -> dict[str, Any]:
    """The contents of a version: six users, five items, four factors, every array different."""
    rng = np.random.default_rng(7)
    users, _ = IdMap.of([f"user {number}" for number in range(N_USERS)])
    item_ids, _ = IdMap.of([f"ítem {number}" for number in range(N_ITEMS)])
    pairs = np.arange(12, dtype=np.int32)
    seen = csr_from_pairs(pairs % N_USERS, pairs % N_ITEMS, np.ones(12, np.float32), (N_USERS, N_ITEMS))
    vectors = rng.normal(size=(N_USERS + N_ITEMS, FACTORS)).astype(np.float32)
    embeddings = Embeddings(vectors[:N_USERS], vectors[N_USERS:], np.linspace(0.5, 1.5, N_ITEMS, dtype=np.float32))
    model = AlsModel(embeddings, fit_confidence(seen, AlsConfig()), 30.0, (2.0, 1.0))
    embeddings = replace(embeddings, users=model.fold_in(seen))
    return {
        "users": users,
        "items": Items(
            item_ids, pa.table({"title": ["one", None, "three", "four", "five"], "price": [1, 2, 3, 4, 5]})
        ),
        "model": model.with_embeddings(embeddings),
        "history": seen,
        "popularity": np.asarray(seen.sum(axis=0), np.float32).ravel(),
        "index": build_index(embeddings.scoring_items),
        "similar": build_index(normalised(embeddings.items)),
    }


@pytest.fixture
def facts() -> dict[str, Any]:
    """What the manifest is told."""
    return {
        "config": {"model": {"factors": FACTORS}},
        "log": {"fingerprint": "f" * 64},
        "counts": {"users": N_USERS, "items": N_ITEMS},
        "metrics": {"ndcg@20": 0.5},
        "gates": [],
        "verdict": "passed",
    }


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def seal(store: Path, parts: dict[str, Any], facts: dict[str, Any]) -> Seal:
    """Seal a version; `seed` makes another one, other keywords replace parts and facts."""

    def sealed(seed: int = 0, **changes: Any) -> Manifest:
        record, index = changes.pop("record", None), changes.pop("index_facts", {})
        contents = {
            name: changes.pop(name, part)
            for name, part in {"seen": None, "folded_in": None, "content": None, "map": None, **parts}.items()
        }
        told = VersionFacts(index=index, **(facts | {"config": {"seed": seed}} | changes))
        return seal_bundle(store, Contents(**contents), told, record=record)

    return sealed


@pytest.fixture
def registry(store: Path) -> Registry:
    return Registry(store)


@pytest.fixture
def versions(registry: Registry, seal: Seal) -> list[str]:
    """Three versions, published in order."""
    names = [seal(seed).version for seed in range(3)]
    for name in names:
        registry.publish(name)
    return names
