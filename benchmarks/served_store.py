"""A store with a version of synthetic vectors, sealed by the real code; shared by the benchmarks of the service."""

import logging
from pathlib import Path

import indexes
import numpy as np
import pyarrow as pa

from recsys.artifacts.bundle import seal_bundle
from recsys.artifacts.contents import Contents
from recsys.artifacts.manifest import VersionFacts
from recsys.artifacts.registry import Registry
from recsys.data.arrays import Floats
from recsys.data.confidence import fit_confidence
from recsys.data.id_map import IdMap
from recsys.data.items import Items
from recsys.data.matrix import Csr
from recsys.models.factors.als import AlsConfig
from recsys.models.factors.als_model import AlsModel
from recsys.models.factors.embeddings import Embeddings
from recsys.models.factors.model import FactorModel
from recsys.models.neighbours.blend import Blend, blended
from recsys.retrieval.choice import choose_index
from recsys.retrieval.exact import normalised
from recsys.retrieval.index_config import IndexConfig
from recsys.retrieval.measurement import Sample

RARE = 'aisle = "a07"'
"""A filter that 2 % of the items pass."""

_AISLES = 50

logger = logging.getLogger(__name__)


def seal(
    store: Path,
    n_users: int,
    *,
    items: Floats,
    sample: Sample,
    seed: int = 1,
    initial: str = "b",
    neighbours: int = 0,
) -> str:
    """A version of `items`, float32 (n_items, d), and of users like those of `sample`. Returns its name.

    The ids of items begin with `initial`. `neighbours`: how many random items each item adds to the scores of.
    """
    users, seen = _people(sample, n_users, np.random.default_rng(seed))
    weighting = fit_confidence(seen, AlsConfig())
    model: FactorModel = AlsModel(Embeddings(users, items, np.ones(len(items), np.float32)), weighting, 30.0)
    if neighbours:
        model = blended(model, Blend.of(_neighbours(len(items), neighbours, np.random.default_rng(seed)), seen), 0.3)
    config = IndexConfig()
    choice = choose_index(items, sample.vectors, config, exclude=sample.exclude)
    alike = normalised(items)
    manifest = seal_bundle(
        store,
        Contents(
            users=IdMap.of(pa.array([user_id(number) for number in range(n_users)]))[0],
            items=_catalogue(len(items), initial),
            model=model,
            history=seen,
            popularity=weighting.item_degree,
            index=choice.index,
            similar=choose_index(alike, alike[: len(sample.vectors)], config).index,
        ),
        VersionFacts(
            index=choice.summary(),
            log={"fingerprint": str(seed)},
            verdict="passed",
        ),
    )
    return manifest.version


def publish(store: Path, n_users: int, *, n_items: int, factors: int, neighbours: int = 0) -> None:
    """Publish a version of synthetic vectors in `store`, unless one already serves."""
    registry = Registry(store)
    if registry.current() is None:
        items, sample = indexes.synthetic(n_items, factors)
        registry.publish(seal(store, n_users, items=items, sample=sample, neighbours=neighbours))


def description(store: Path) -> str:
    """How many items the version that serves has, and what they are searched with."""
    bundle = Registry(store).load()
    local = bundle.model.neighbours
    per_item = 0 if local is None else round(local.weights.nnz / local.n_items)
    size = f"{len(bundle.items.ids):,} items, {bundle.model.embeddings.factors} factors"
    return f"{size}, {per_item} neighbours per item, index {bundle.index.kind}"


def user_id(number: int) -> str:
    """The id of one user; ids sort like their numbers."""
    return f"u{number:07d}"


def _people(sample: Sample, n_users: int, rng: np.random.Generator) -> tuple[Floats, Csr]:
    """Vectors float32 (n_users, d) near those of the sample, and half of the sample's seen items."""
    like = rng.integers(0, len(sample.vectors), n_users)
    near = 0.05 * rng.standard_normal((n_users, sample.vectors.shape[1]), np.float32)
    seen = _of(sample.exclude).indices.reshape(len(sample.vectors), -1)[like, ::2]
    indptr = np.arange(n_users + 1, dtype=np.int64) * seen.shape[1]
    weights = np.ones(seen.size, np.float32)
    csr = Csr((weights, seen.ravel(), indptr.astype(np.int32)), shape=(n_users, _of(sample.exclude).shape[1]))
    return sample.vectors[like] + near, csr


def _neighbours(n_items: int, per_item: int, rng: np.random.Generator) -> Csr:
    """Weights of `per_item` random items per item, of itself never; an item that is drawn twice adds up."""
    item = np.repeat(np.arange(n_items), per_item)
    other = (item + rng.integers(1, n_items, len(item))) % n_items
    weights = Csr((rng.exponential(size=len(item)).astype(np.float32), (item, other)), shape=(n_items, n_items))
    weights.sum_duplicates()
    return weights


def _of(exclude: Csr | None) -> Csr:
    if exclude is None:
        raise ValueError("the sample excludes nothing; expected what its users have seen")
    return exclude


def _catalogue(n_items: int, initial: str) -> Items:
    """Items with titles, a price and one of fifty aisles each."""
    number = np.arange(n_items)
    ids = IdMap.of(pa.array([f"{initial}{at:07d}" for at in number]))[0]
    titles = [f"The book of number {at}" for at in number]
    aisles = [f"a{at:02d}" for at in np.random.default_rng(7).integers(0, _AISLES, n_items)]
    return Items(ids, pa.table({"title": titles, "price": (number % 1000) / 10, "aisle": aisles}))
