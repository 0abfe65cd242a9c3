"""From content to the learned space: the mean of near items' vectors, a ridge regression, or both."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from recsys.content.cold_start.nearest import VectorsOf
from recsys.data.arrays import Doubles, Floats, Indices, read_only
from recsys.data.matrix import Csr
from recsys.map_ordered import one_blas_thread
from recsys.retrieval.exact import normalised

_ROWS_AT_ONCE, _MOST_ROWS, _LEAST = 8192, 50_000, 1e-30

EVIDENCE = 10.0
"""Users after which an item's vector counts half as much as one that is known exactly."""


def neighbour_mean(means: Csr, items: Floats, *, full_length: bool) -> Floats:
    """Float32 (n, d): the mean of `items`, float32 (n_items, d), by each row of `means`, float32 CSR (n, n_items).

    `full_length`: the mean is brought to the mean length of what is in it; directions that differ shorten a mean.
    """
    mean: Floats = means @ np.asarray(items)
    if not full_length:
        return read_only(mean)
    return read_only(_with_lengths(mean, means @ lengths(items)))


def summed(one: Floats, other: Floats) -> Floats:
    """Float32 (n, d): the sum of two directions, (n, d), with the length of `one`, or of `other` if that is zero."""
    length = lengths(one)
    return read_only(_with_lengths(normalised(one) + normalised(other), np.where(length > 0, length, lengths(other))))


def as_long_as(vectors: Floats, others: Floats) -> Floats:
    """Float32 (n, d): `vectors`, (n, d), with the lengths of `others`, (n, d); as they are if that is zero."""
    length = lengths(others)
    return read_only(_with_lengths(vectors, np.where(length > 0, length, lengths(vectors))))


def lengths(vectors: Floats) -> Floats:
    """Float32 (n,): the length of each of `vectors`, float32 (n, d)."""
    length: Floats = np.sqrt(np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64)).astype(np.float32)
    return length


def _with_lengths(vectors: Floats, wanted: Floats) -> Floats:
    return np.ascontiguousarray(normalised(vectors) * wanted[:, None], dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Ridge:
    """A linear map from content to learned vectors; `coefficients`: float64 (d_content, d)."""

    coefficients: Doubles

    def __call__(self, vectors: VectorsOf, targets: Indices) -> Floats:
        """Float32 (n, d): the learned vectors of `targets`, int32 (n,); zero if nothing is known of an item."""
        mapped = np.empty((len(targets), self.coefficients.shape[1]), np.float32)
        for start in range(0, len(targets), _ROWS_AT_ONCE):
            block = slice(start, start + _ROWS_AT_ONCE)
            mapped[block] = vectors(targets[block]).astype(np.float64) @ self.coefficients
        return read_only(mapped)


def fit_ridge(vectors: VectorsOf, warm: Indices, items: Floats, degree: Floats, *, strength: float) -> Ridge:
    """The map A that minimises sum_i w_i |y_i - A'x_i|^2 + strength * m |A|^2 over the items `warm`, int32 (n,).

    x_i are content vectors, y_i rows of `items`, float32 (n_items, d); w_i = n_i / (n_i + EVIDENCE), n_i the
    `degree`, float32 (n_items,): a vector learned from few users says less. m is the mean of the diagonal of X'WX.
    (Hoerl, Kennard 1970.) Up to 50,000 items, evenly spaced.
    """
    chosen = warm[np.linspace(0, len(warm) - 1, min(len(warm), _MOST_ROWS)).astype(np.intp)]
    with one_blas_thread():
        gram, right = _normal_equations(vectors, chosen, items, degree)
        mean = max(float(np.trace(gram)) / len(gram), _LEAST)
        np.fill_diagonal(gram, gram.diagonal() + strength * mean)
        return Ridge(read_only(cho_solve(cho_factor(gram, lower=True), right)))


def _normal_equations(vectors: VectorsOf, chosen: Indices, items: Floats, degree: Floats) -> tuple[Doubles, Doubles]:
    size = vectors(chosen[:1]).shape[1]
    gram, right = np.zeros((size, size)), np.zeros((size, items.shape[1]))
    for start in range(0, len(chosen), _ROWS_AT_ONCE):
        some = chosen[start : start + _ROWS_AT_ONCE]
        content = vectors(some).astype(np.float64)
        weighted = content * (degree[some] / (degree[some] + EVIDENCE))[:, None]
        gram += content.T @ weighted
        right += weighted.T @ items[some]
    return gram, right
