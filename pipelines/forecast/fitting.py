"""Memory of fitting the model and the baselines: what grows with entries, users, items and factors."""

import os
from collections.abc import Callable
from dataclasses import dataclass

from pipelines.forecast.terms import MIB, Phase, Term
from recsys.models.factors.als import AlsConfig
from recsys.models.factors.als_solver.sizes import block_entries
from recsys.models.factors.config import FactorModelConfig
from recsys.models.factors.fold_in import KEPT_BYTES, STACK_BYTES
from recsys.models.factors.glove import GloveConfig
from recsys.models.factors.spectral import OVERSAMPLING, ROWS_AT_ONCE
from recsys.models.neighbours.blend import SAMPLED
from recsys.models.neighbours.ease import needed_bytes
from recsys.models.neighbours.learning_users import WHOLE_GRAM

_FLOAT = 4


@dataclass(frozen=True)
class Shape:
    """The matrix that is factorised."""

    users: int
    items: int
    entries: int

    @property
    def rows(self) -> int:
        """Number of vectors."""
        return self.users + self.items


def matrix_bytes(shape: Shape) -> int:
    """CSR: a float32 value and an int32 column per entry, an int32 per row."""
    return 8 * shape.entries + 4 * shape.users


def vectors_bytes(shape: Shape, model: FactorModelConfig) -> int:
    """User and item vectors, float32."""
    return _FLOAT * model.factors * shape.rows


def weights_bytes(shape: Shape, model: FactorModelConfig) -> int:
    """The weights of neighbours as they are stored, CSR: at most `model.neighbours` of every item."""
    return (8 * min(model.neighbours, shape.items) + 4) * shape.items if model.neighbours else 0


def added_bytes(shape: Shape, model: FactorModelConfig, users: int) -> int:
    """What neighbours add to the scores of so many users, a sparse row each, as it is made."""
    of_user = model.neighbours * shape.entries / max(shape.users, 1)
    return round(_ADDED_BYTES * min(shape.items, of_user) * users)


def fit_phases(shape: Shape, model: FactorModelConfig, *, mapped: bool) -> list[Phase]:
    """fit_model on a matrix of `shape`, read-only and `mapped` from files, or made in memory."""
    matrix = Term.of("matrix, mapped from its files" if mapped else "matrix", matrix_bytes(shape))
    learned = Term.of("vectors", vectors_bytes(shape, model))
    beside = [phase.while_holding((learned, matrix)) for phase in neighbours_phases(shape, model)]
    if not isinstance(model, AlsConfig):
        return [_estimated_phase(shape, model).while_holding((matrix,)), *beside]
    confidence = Term.of("confidence", _FLOAT * shape.entries)
    phases = []
    if model.start == "spectral":
        phases += spectral_phases(shape, model)
    phases += [als_phase(shape, model, confidence), users_phase(shape, model, confidence)]
    return [*(phase.while_holding((matrix,)) for phase in phases), *beside]


def neighbours_phases(shape: Shape, model: FactorModelConfig) -> list[Phase]:
    """regress_on_neighbours and Blend without their matrix."""
    turned = matrix_bytes(Shape(shape.items, shape.users, shape.entries))
    weights = min(model.neighbours, shape.items) * shape.items
    found = Term.of("weights of neighbours", _FOUND_BYTES * weights)
    gram = Term.of("Gram matrix of a small catalogue", 4 * shape.items**2 if shape.items <= WHOLE_GRAM else 0)
    return [
        Phase("neighbours", (Term.of("transposed matrix", turned), found, gram)),
        Phase(
            "blend",
            (Term.of("weights of neighbours", 8 * weights), Term.of("scores", added_bytes(shape, model, SAMPLED))),
        ),
    ]


_FOUND_BYTES = 44
"""Of one weight: the arrays that are solved into, their places, and the sparse matrix that is made of them."""

_ADDED_BYTES = 24
"""Of one score that neighbours add: a sparse entry, in float32 and in float64."""


def _estimated_phase(shape: Shape, model: FactorModelConfig) -> Phase:
    """An estimate for every model but ALS: two copies of the matrix, the vectors, the solver's copies of them."""
    copies = Term.of("copies of the matrix", 2 * matrix_bytes(shape))
    vectors = Term.of("vectors, and the solver's copies", 3 * vectors_bytes(shape, model))
    pairs = (_glove_pairs(shape, model.pairs),) if isinstance(model, GloveConfig) else ()
    return Phase(model.algorithm, (copies, vectors, *pairs))


def spectral_phases(shape: Shape, model: AlsConfig) -> list[Phase]:
    """spectral_start without its matrix: the last pass over users and items."""
    values = Term.of("normalised values", _FLOAT * shape.entries)
    columns = min(model.factors + OVERSAMPLING, shape.users, shape.items)
    block = _FLOAT * columns * shape.users
    blocks = Term.of("item directions", _FLOAT * columns * shape.items)
    users = Term.of("user directions", block)
    # One per thread, one ahead, and the one that is written back.
    parts = Term.of("blocks of rows", min(block, ((os.cpu_count() or 1) + 2) * _FLOAT * columns * ROWS_AT_ONCE))
    return [Phase("spectral start", (values, blocks, users, parts))]


def als_phase(shape: Shape, model: AlsConfig, confidence: Term) -> Phase:
    """fit_als: what the solver holds, the vectors, and the array that random vectors are drawn into."""
    turned = Shape(shape.items, shape.users, shape.entries)
    if model.solver == "implicit":
        beside = Term.of("transposed confidence (implicit)", matrix_bytes(turned))
    else:  # two row pointers per user, and a block of columns per thread
        threads = model.threads or os.cpu_count() or 1
        blocks = 8 * threads * block_entries(shape.entries)
        beside = Term.of("blocks of the solver", 16 * shape.users + blocks)
    vectors = vectors_bytes(shape, model)
    start = 0 if model.start == "spectral" else _FLOAT * model.factors * max(shape.users, shape.items)
    return Phase("als", (confidence, beside, Term.of("vectors", vectors), Term.of("start of the fit", start)))


def users_phase(shape: Shape, model: AlsConfig, confidence: Term) -> Phase:
    """The exact solve of all users: the item vectors in double precision, up to a limit, and a stack per thread."""
    turned = 2 * _FLOAT * model.factors * shape.items
    kept = turned if turned <= KEPT_BYTES and shape.entries >= shape.items else 0
    stacks = min(4, os.cpu_count() or 1) * STACK_BYTES
    vectors = Term.of("vectors", vectors_bytes(shape, model))
    return Phase("users", (confidence, vectors, Term.of("turned item vectors", kept), Term.of("stacks", stacks)))


_NEIGHBOURS = 100
_BLOCK = 64 * MIB
"""A dense block of similarities (32 MiB), and the sparse product it is made from."""


def baseline_phase(name: str, shape: Shape) -> Phase:
    """What fitting the baseline `name` adds; no terms for one that only counts."""
    return Phase(f"baseline {name}", tuple(_TERMS[name](shape)) if name in _TERMS else ())


def _neighbours(shape: Shape, values: int) -> list[Term]:
    """`values`: bytes per entry while the matrix is weighted; then its transpose and the neighbours are held."""
    found = 12 * min(_NEIGHBOURS, shape.items) * shape.items
    return [
        Term.of(
            "weighted matrix and its transpose", max(values * shape.entries, 4 * shape.entries + matrix_bytes(shape))
        ),
        Term.of("neighbours and blocks of similarities", 2 * found + _BLOCK),
    ]


def _ease(shape: Shape) -> list[Term]:
    return [Term.of("item-to-item matrices of EASE", needed_bytes(shape.items))]


def _dense(shape: Shape, factors: int) -> list[Term]:
    sparse = Term.of("copies of the matrix", 2 * matrix_bytes(shape))
    return [sparse, Term.of("dense vectors", 4 * factors * (2 * shape.users + 2 * shape.items))]


def _glove_pairs(shape: Shape, pairs: int) -> Term:
    """A pair stands in two rows: as found, in the symmetric matrix, and with its weight and logarithm."""
    return Term.of("pairs of items", 60 * min(pairs, shape.items) * shape.items + _BLOCK)


def _svd(shape: Shape) -> list[Term]:
    return _dense(shape, max(1, min(512, min(shape.users, shape.items) // 10)) + 32)


_TERMS: dict[str, Callable[[Shape], list[Term]]] = {
    # Norms of rows and columns in float64 and float32, side by side.
    "item_knn": lambda shape: _neighbours(shape, 36),
    "item_knn_bm25": lambda shape: _neighbours(shape, 28),
    "rp3beta": lambda shape: _neighbours(shape, 28),
    "ease": _ease,
    "bpr": lambda shape: _dense(shape, 129),
    "svd": _svd,
    "glove": lambda shape: [*_dense(shape, 64), _glove_pairs(shape, GloveConfig().pairs)],
    "item2vec": lambda shape: [Term.of("histories and vectors", 24 * shape.entries + 8 * 64 * shape.items)],
}
