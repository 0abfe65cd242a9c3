"""Memory of the baselines' fits, beside the training matrix and the model."""

from collections.abc import Callable

from pipelines.forecast.fitting import Shape, matrix_bytes
from pipelines.forecast.terms import MIB, Moment, Term

_NEIGHBOURS = 100
_BLOCK = 64 * MIB
"""A dense block of similarities (32 MiB), and the sparse product it is made from."""


def baseline_moment(name: str, shape: Shape) -> Moment:
    """What the baseline `name` adds while it is fitted; nothing to speak of for one that only counts."""
    return Moment(f"baseline {name}", tuple(_TERMS[name](shape)) if name in _TERMS else ())


def _neighbours(shape: Shape, values: int) -> list[Term]:
    """`values`: bytes an entry of weighing the matrix; its transpose comes after, and the neighbours found."""
    found = 12 * min(_NEIGHBOURS, shape.items) * shape.items
    return [
        Term.of(
            "weighted matrix and its transpose", max(values * shape.entries, 4 * shape.entries + matrix_bytes(shape))
        ),
        Term.of("neighbours and blocks of similarities", 2 * found + _BLOCK),
    ]


def _ease(shape: Shape) -> list[Term]:
    blocks = 3 * 1024 * 4 * shape.items
    return [Term.of("item-to-item matrix of EASE", 4 * shape.items**2 + blocks + 4 * _BLOCK)]


def _dense(shape: Shape, factors: int) -> list[Term]:
    sparse = Term.of("copies of the matrix", 2 * matrix_bytes(shape))
    return [sparse, Term.of("dense vectors", 4 * factors * (2 * shape.users + 2 * shape.items))]


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
    "item2vec": lambda shape: [Term.of("histories and vectors", 24 * shape.entries + 8 * 64 * shape.items)],
}
