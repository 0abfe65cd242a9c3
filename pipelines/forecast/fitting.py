"""Memory of training: what grows with entries, users, items and factors. One function for each part of a fit."""

import os
from dataclasses import dataclass

from pipelines.forecast.terms import Moment, Term
from recsys.models.factors.als import AlsConfig
from recsys.models.factors.config import FactorModelConfig
from recsys.models.factors.spectral import COLUMNS_AT_ONCE, OVERSAMPLING

_FLOAT = 4


@dataclass(frozen=True)
class Shape:
    """The matrix that is factorised."""

    users: int
    items: int
    entries: int

    @property
    def rows(self) -> int:
        """Vectors in all."""
        return self.users + self.items


def matrix_bytes(shape: Shape) -> int:
    """CSR: a float32 value and an int32 column an entry, an int32 a row."""
    return 8 * shape.entries + 4 * shape.users


def vectors_bytes(shape: Shape, model: FactorModelConfig) -> int:
    """User and item vectors, float32."""
    return _FLOAT * model.factors * shape.rows


def fit_moments(shape: Shape, model: FactorModelConfig, *, mapped: bool) -> list[Moment]:
    """fit_model on a matrix of `shape`, read-only and `mapped` from files, or made in memory."""
    matrix = Term.of("matrix, mapped from its files" if mapped else "matrix", matrix_bytes(shape))
    if not isinstance(model, AlsConfig):
        return [_estimated_moment(shape, model).beside((matrix,))]
    confidence = Term.of("confidence", _FLOAT * shape.entries)
    moments = []
    if model.start == "spectral":
        moments += spectral_moments(shape, model)
    return [moment.beside((matrix,)) for moment in (*moments, als_moment(shape, model, confidence))]


def _estimated_moment(shape: Shape, model: FactorModelConfig) -> Moment:
    """An estimate for every model but ALS: two copies of the matrix, the vectors, the solver's copies of them."""
    copies = Term.of("copies of the matrix", 2 * matrix_bytes(shape))
    vectors = Term.of("vectors, and the solver's copies", 3 * vectors_bytes(shape, model))
    return Moment(model.algorithm, (copies, vectors))


def spectral_moments(shape: Shape, model: AlsConfig) -> list[Moment]:
    """spectral_start, beside the matrix: its last pass over users and items."""
    values = Term.of("normalised values", _FLOAT * shape.entries)
    columns = min(model.factors + OVERSAMPLING, shape.users, shape.items)
    threads = min(
        os.cpu_count() or 1, -(-columns // COLUMNS_AT_ONCE)
    )  # each holds some columns of a product, of both sides
    product = threads * _FLOAT * min(COLUMNS_AT_ONCE, columns) * shape.rows
    block = _FLOAT * columns * shape.users
    blocks = Term.of("item directions", _FLOAT * columns * shape.items)
    # The users' block of a pass, and its orthonormal basis.
    users = Term.of("users' blocks", block + max(block, product))
    return [Moment("spectral start", (values, blocks, users))]


def als_moment(shape: Shape, model: AlsConfig, confidence: Term) -> Moment:
    """fit_als: implicit's transpose, the vectors, and, where they are drawn at random, what they are drawn into."""
    transposed = Term.of(
        "transposed confidence (implicit)", matrix_bytes(Shape(shape.items, shape.users, shape.entries))
    )
    vectors = vectors_bytes(shape, model)
    start = 0 if model.start == "spectral" else _FLOAT * model.factors * max(shape.users, shape.items)
    return Moment("als", (confidence, transposed, Term.of("vectors", vectors), Term.of("start of the fit", start)))
