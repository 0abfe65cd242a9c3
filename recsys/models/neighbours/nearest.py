"""Neighbours: the items most similar to each item, found in blocks of bounded size."""

from collections.abc import Iterator

import numpy as np

from recsys.data.arrays import Floats, Indices
from recsys.data.matrix import Csr, csr_from_pairs
from recsys.progress import Progress, silent
from recsys.retrieval.topk import TopK, select_top_k

# Similarities of one block of items to all others: 32 MiB of float32.
_SIMILARITIES_PER_BLOCK = 8 * 2**20


def nearest_items(
    left: Csr, right: Csr, neighbours: int, *, stage: str = "neighbours", progress: Progress = silent
) -> Csr:
    """Float32 CSR (n_items, n_items): the `neighbours` largest similarities of each row, ties by lower column.

    The similarity of items i and j is entry (i, j) of `left @ right`; `left`: float32 CSR (n_items, n_users),
    `right`: float32 CSR (n_users, n_items). An item is not its own neighbour, nor is one of similarity 0 or less.
    """
    n_items = right.shape[1]
    parts = []
    for start, block in product_blocks(left, right):
        np.fill_diagonal(block[:, start:], 0)
        block[block <= 0] = -np.inf
        parts.append(_triples(select_top_k(block, neighbours), start))
        progress(stage, start + len(block), n_items)
    row, column, value = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return csr_from_pairs(row, column, value, (n_items, n_items))


def product_blocks(left: Csr, right: Csr) -> Iterator[tuple[int, Floats]]:
    """The product of two sparse float32 matrices in dense blocks: the first row, and float32 (m, n_columns)."""
    size = max(1, _SIMILARITIES_PER_BLOCK // right.shape[1])
    for start in range(0, left.shape[0], size):
        yield start, (left[start : start + size] @ right).toarray()


def shares(similarity: Csr) -> Csr:
    """The same entries, each row's values divided by their sum; an empty row stays empty."""
    total = similarity @ np.ones(similarity.shape[1], np.float32)
    values = similarity.data / np.repeat(total, np.diff(similarity.indptr))
    return Csr((values, similarity.indices, similarity.indptr), shape=similarity.shape)


def _triples(top: TopK, first_row: int) -> tuple[Indices, Indices, Floats]:
    """Rows from `first_row` on, columns and values of the entries of `top`."""
    row = np.repeat(np.arange(first_row, first_row + len(top), dtype=np.int32), top.counts)
    return row, top.indices[top.filled], top.scores[top.filled]
