"""Small versions with every part that a version can have, and versions that an insider changed and sealed again."""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import scipy.sparse as sp

from recsys.artifacts.bundle import VERSIONS, seal_bundle
from recsys.artifacts.contents import Contents
from recsys.artifacts.files import FileDigest, list_files
from recsys.artifacts.folded_users import FoldedUsers
from recsys.artifacts.manifest import CHECKSUM, MANIFEST, VersionFacts, version_name
from recsys.content.encoders.tfidf import TfidfConfig, fit_tfidf
from recsys.content.space import ContentSource, ContentSpace
from recsys.data.id_map import IdMap
from recsys.data.items import Items
from recsys.data.matrix import InteractionMatrix
from recsys.models.factors.als import AlsConfig
from recsys.models.neighbours.weights import NeighbourWeights
from recsys.models.registry import fit_model
from recsys.progress import silent
from recsys.retrieval.approximate_index import SearchParameters, build_approximate
from recsys.retrieval.exact import normalised
from recsys.retrieval.families.registry import FAMILIES
from recsys.retrieval.flat_index import build_index
from recsys.retrieval.search import VectorIndex
from recsys.space.item_map import make_map

N_USERS, N_ITEMS, FACTORS = 40, 160, 8


def seal(store: Path, *, seed: int = 1, approximate: bool = True) -> str:
    """Seal a version with content, neighbours, users to fold in, a map and, if wanted, approximate indexes."""
    return seal_bundle(store, contents(approximate), facts(seed)).version


def facts(seed: int) -> VersionFacts:
    """What the manifest of a version says; another `seed`, another version."""
    return VersionFacts(
        config={"seed": seed}, log={"fingerprint": "f" * 64}, counts={"users": N_USERS, "items": N_ITEMS}
    )


@cache
def contents(approximate: bool) -> Contents:
    """The parts of the version, the same each time."""
    matrix = _matrix()
    model = fit_model(matrix, AlsConfig(factors=FACTORS, regularization=1.0)).with_neighbours(_neighbours(matrix))
    vectors, items = model.embeddings, _catalogue(matrix.items)
    rest = IdMap.of([f"folded {number}" for number in range(3)])[0]
    return Contents(
        users=matrix.users,
        items=items,
        model=model,
        history=matrix.csr,
        folded_in=FoldedUsers(rest, sp.csr_matrix(matrix.csr[:3])),
        content=_content(items),
        map=make_map(vectors.items, model.item_degree, method="pca", most=100),
        popularity=np.bincount(matrix.csr.indices, minlength=N_ITEMS).astype(np.float32),
        index=_index(vectors.scoring_items, "ivf_sq8" if approximate else None),
        similar=_index(normalised(vectors.items), "hnsw" if approximate else None),
    )


@cache
def plain_contents() -> Contents:
    """The parts that every version has, and no others: few files."""
    whole = contents(False)
    return replace(whole, content=None, folded_in=None, map=None, model=whole.model.with_neighbours(None))


def _matrix() -> InteractionMatrix:
    rng = np.random.default_rng(3)
    dense = np.zeros((N_USERS, N_ITEMS), np.float32)
    for user in range(N_USERS):
        group = np.flatnonzero(np.arange(N_ITEMS) % 4 == user % 4)
        dense[user, rng.choice(group, 12, replace=False)] = rng.integers(1, 5, 12)
    names = (
        IdMap.of([f"{kind} {at:03}" for at in range(n)])[0]
        for kind, n in zip(("user", "item"), dense.shape, strict=True)
    )
    return InteractionMatrix(*names, sp.csr_matrix(dense))


def _neighbours(matrix: InteractionMatrix) -> NeighbourWeights:
    together = (matrix.csr.T @ matrix.csr).toarray()
    np.fill_diagonal(together, 0)
    return NeighbourWeights(sp.csr_matrix((0.01 * together).astype(np.float32)), 0.5)


def _catalogue(ids: IdMap) -> Items:
    n = len(ids)
    titles = [f"title {at} of group {at % 4}" if at % 7 else None for at in range(n)]
    days = pa.array(np.arange(n, dtype=np.int32), pa.date32())
    tags = pa.array([[f"tag {at % 4}", "all"] for at in range(n)], pa.list_(pa.string()))
    return Items(ids, pa.table({"title": titles, "price": np.arange(n) * 1.5, "day": days, "tags": tags}))


def _content(items: Items) -> ContentSpace:
    fitted = fit_tfidf(items, TfidfConfig(columns=("title",), min_items=1, dimension=8))
    return ContentSpace((ContentSource("words", "tfidf", ("title",), fitted.encode(items).vectors, 1.0, fitted),))


def _index(vectors: Any, family: str | None) -> VectorIndex:
    exact = build_index(vectors)
    if family is None:
        return exact
    built = build_approximate(FAMILIES[family], exact, seed=1, progress=silent)
    return built.with_parameters(SearchParameters(64, 64))


def change(store: Path, version: str, edit: Callable[[Path], None], *, rehash: bool = True) -> str:
    """Copy a version, let `edit` change files in the copy's folder, and seal it again with its own hashes.

    Returns the name of the changed version. Without `rehash` the manifest stays as it was, and so does the name.
    """
    scratch = store / VERSIONS / f".changing-{version}"
    shutil.rmtree(scratch, ignore_errors=True)
    shutil.copytree(store / VERSIONS / version, scratch)
    for name in list_files(scratch):
        (scratch / name).chmod(0o644)
    edit(scratch)
    name = reseal(scratch) if rehash else version
    target = store / VERSIONS / name
    shutil.rmtree(target, ignore_errors=True)
    scratch.rename(target)
    return name


def reseal(folder: Path) -> str:
    """Write a manifest that fits what is in `folder`, as an insider would; returns the version's name."""
    fields = json.loads((folder / MANIFEST).read_bytes())
    names = [name for name in list_files(folder) if name not in (MANIFEST, CHECKSUM)]
    fields["files"] = {name: vars(FileDigest.of((folder / name).read_bytes())) for name in names}
    fields["version"] = version_name(fields)
    content = (json.dumps(fields, indent=2) + "\n").encode()
    (folder / MANIFEST).write_bytes(content)
    (folder / CHECKSUM).write_bytes(f"{hashlib.sha256(content).hexdigest()}  {MANIFEST}\n".encode())
    return str(fields["version"])
