"""Candidates: the settings of ALS that the short search tries first, and the dimensions it may choose.

Each was among the best on some real log: sparse or dense, with repeats or ratings. They are only where the search
begins; one that is poor on a log costs one small fit.
"""

from collections.abc import Mapping

from recsys.tuning.space import Value

CANDIDATES: tuple[Mapping[str, Value], ...] = (
    {
        "weighting": "degree",
        "user_degree_exponent": 0.2,
        "item_degree_exponent": 0.5,
        "alpha": 10.0,
        "regularization": 20.0,
        "start": "spectral",
    },
    {
        "weighting": "degree",
        "user_degree_exponent": 0.15,
        "item_degree_exponent": 0.43,
        "alpha": 20.0,
        "regularization": 4.0,
        "start": "random",
    },
    {
        "weighting": "degree",
        "user_degree_exponent": 0.1,
        "item_degree_exponent": 0.5,
        "alpha": 20.0,
        "regularization": 50.0,
        "start": "spectral",
    },
    {"weighting": "log", "alpha": 2.0, "regularization": 20.0, "start": "spectral"},
    {"weighting": "bm25", "bm25_k1": 1.0, "bm25_b": 0.6, "alpha": 0.3, "regularization": 12.0, "start": "spectral"},
    {"weighting": "bm25", "bm25_k1": 5.0, "bm25_b": 0.8, "alpha": 1.0, "regularization": 40.0, "start": "spectral"},
    {"weighting": "bm25", "bm25_k1": 5.0, "bm25_b": 0.8, "alpha": 0.3, "regularization": 12.0, "start": "spectral"},
)
"""Keys of `[model]`."""

FACTORS = (8, 16, 32, 64, 128, 256, 512)
"""The dimensions that are tried."""

_ROWS_PER_FACTOR = 8  # of the smaller side of the matrix: with fewer the vectors memorise it
_NUMBERS = 40_000_000  # of all vectors, 160 MB; above it 128 factors, the stated default
_ALWAYS = 128


def sizes(n_users: int, n_items: int) -> tuple[int, ...]:
    """Those of FACTORS that suit a matrix of this shape, at least the smallest."""
    most = min(min(n_users, n_items) // _ROWS_PER_FACTOR, max(_ALWAYS, _NUMBERS // (n_users + n_items)))
    return tuple(size for size in FACTORS if size <= max(most, FACTORS[0]))
