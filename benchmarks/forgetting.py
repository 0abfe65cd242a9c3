"""`recsys forget` on a large version: seconds until it is rewritten, and of the look at the tombstones at a publish.

python benchmarks/forgetting.py [--users 200000] [--items 50000] [--factors 64]
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from recsys.artifacts.bundle import seal_bundle
from recsys.artifacts.contents import Contents
from recsys.artifacts.forgotten_people import forgotten_in
from recsys.artifacts.manifest import VersionFacts
from recsys.artifacts.purging import purge
from recsys.artifacts.registry import Registry
from recsys.artifacts.tombstones import add_tombstones
from recsys.data.confidence import fit_confidence
from recsys.data.id_map import IdMap
from recsys.data.items import Items
from recsys.data.matrix import csr_from_pairs
from recsys.engine.rehearsal import check_serves
from recsys.forgotten import read_forgotten
from recsys.models.factors.als import AlsConfig
from recsys.models.factors.als_model import AlsModel
from recsys.models.factors.embeddings import Embeddings
from recsys.retrieval.exact import normalised
from recsys.retrieval.flat_index import build_index

_ITEMS_PER_USER = 20


def contents(n_users: int, n_items: int, factors: int) -> Contents:
    """A version of random vectors and histories."""
    rng = np.random.default_rng(1)
    users, items = (
        IdMap.of([f"{kind}{at:08}" for at in range(n)])[0] for kind, n in (("u", n_users), ("i", n_items))
    )
    row = np.repeat(np.arange(n_users, dtype=np.int32), _ITEMS_PER_USER)
    column = rng.integers(0, n_items, len(row)).astype(np.int32)
    history = csr_from_pairs(row, column, np.ones(len(row), np.float32), (n_users, n_items))
    vectors = (rng.normal(size=(n, factors)).astype(np.float32) for n in (n_users, n_items))
    embeddings = Embeddings(*vectors, np.ones(n_items, np.float32))
    return Contents(
        users=users,
        items=Items(items, pa.table({"title": [f"Title {at}" for at in range(n_items)]})),
        model=AlsModel(embeddings, fit_confidence(history, AlsConfig()), 30.0),
        history=history,
        popularity=np.asarray(history.sum(axis=0), np.float32).ravel(),
        index=build_index(embeddings.scoring_items),
        similar=build_index(normalised(embeddings.items)),
    )


def main() -> None:
    """Print the seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("users", 200_000), ("items", 50_000), ("factors", 64)):
        parser.add_argument(f"--{name}", type=int, default=default)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        registry = Registry(Path(folder) / "store", check=check_serves)
        began = time.perf_counter()
        version = seal_bundle(
            registry.store, contents(asked.users, asked.items, asked.factors), VersionFacts()
        ).version
        registry.publish(version)
        size = sum(path.stat().st_size for path in registry.path(version).rglob("*") if path.is_file())
        print(f"sealed and published {size / 2**20:,.0f} MiB in {time.perf_counter() - began:.1f} s")
        began = time.perf_counter()
        add_tombstones(registry, [f"u{asked.users // 2:08}"])
        print(f"tombstone: {1000 * (time.perf_counter() - began):.1f} ms")
        began = time.perf_counter()
        found = forgotten_in(registry.path(version), read_forgotten(registry.store))
        print(f"{len(found)} found among all ids: {time.perf_counter() - began:.2f} s")
        began = time.perf_counter()
        purge(registry)
        print(f"rewritten: {time.perf_counter() - began:.1f} s")


if __name__ == "__main__":
    main()
