"""Whether the indexes of a version search its own vectors."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from recsys.artifacts.manifest import Manifest
from recsys.data.arrays import Floats, Indices
from recsys.errors import ArtifactError
from recsys.models.factors.embeddings import Embeddings
from recsys.retrieval.exact import normalised
from recsys.retrieval.measurement import recall
from recsys.retrieval.search import VectorIndex

SAMPLED_QUERIES = 32
"""Queries whose answers by an approximate index are compared with exact ones."""

_RECALL_K, _RECALL_SLACK, _LEAST_SEALED = 100, 0.1, 0.9
_ROUNDING = 1e-5


def check_index(
    index: VectorIndex,
    similar: VectorIndex,
    embeddings: Embeddings,
    manifest: Manifest,
    *,
    most: int,
    queries: Callable[[Indices], Floats],
    n_queries: int,
) -> None:
    """Raise ArtifactError unless `index` and `similar` hold the vectors of `embeddings` and find what is in them.

    `queries`: the vectors of the users at some of `n_queries` positions.
    `most`: how many numbers are compared at the most, in rows that are evenly spread. An approximate index is asked
    `SAMPLED_QUERIES` queries; it must recall what was sealed in `manifest`, less what a small sample may miss.
    """

    def scoring(rows: slice) -> Floats:
        vectors: Floats = embeddings.items[rows] * embeddings.item_scale[rows][:, None]
        return vectors

    _check_vectors("index", index, scoring, most=most)
    _check_vectors("similar items", similar, lambda rows: normalised(np.asarray(embeddings.items[rows])), most=most)
    similar_facts = manifest.index.get("similar")
    _check_recall("index", index, queries, n_queries, manifest.index)
    facts = similar_facts if isinstance(similar_facts, dict) else {}
    _check_recall("similar items", similar, lambda rows: similar.vectors[rows], len(similar.vectors), facts)


def _check_vectors(name: str, index: VectorIndex, expected: Callable[[slice], Floats], *, most: int) -> None:
    for rows in _spread_blocks(index.vectors.shape, most):
        wanted = expected(rows)
        slack = _ROUNDING * np.abs(wanted).max(axis=1, initial=0)[:, None]
        if not (np.abs(index.vectors[rows] - wanted) <= slack).all():
            raise ArtifactError(f"bundle: {name}: holds other vectors than the model's items")


def _spread_blocks(shape: tuple[int, ...], most: int) -> Iterator[slice]:
    """Blocks of rows: all of them, or evenly spread ones of `most` numbers in all."""
    n, size = shape[0], max(1, 2**20 // max(1, shape[1]))
    starts = np.arange(0, n, size)
    wanted = max(1, most // (size * max(1, shape[1])))
    if len(starts) > wanted:
        starts = starts[np.linspace(0, len(starts) - 1, wanted).astype(np.int64)]
    return (slice(start, start + size) for start in starts.tolist())


def _check_recall(
    name: str, index: VectorIndex, queries: Callable[[Indices], Floats], n_queries: int, facts: Mapping[str, object]
) -> None:
    if index.exact is index or n_queries == 0:
        return
    rows = np.unique(np.linspace(0, n_queries - 1, SAMPLED_QUERIES).astype(np.int32))
    asked = np.ascontiguousarray(queries(rows))
    asked = asked[asked.any(axis=1)]
    if len(asked) == 0:
        return
    sealed = facts.get(f"recall@{_RECALL_K}")
    least = (float(sealed) if isinstance(sealed, int | float) else _LEAST_SEALED) - _RECALL_SLACK
    k = min(_RECALL_K, index.n_items)
    found = recall(index.search(asked, k), index.exact.search(asked, k))
    if not found >= least:
        raise ArtifactError(f"bundle: {name}: finds {found:.2f} of what exact search finds, expected {least:.2f}")
