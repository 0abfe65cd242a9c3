"""GloVe: factors of the logarithm of how often items occur in the same histories.

Pennington, Socher, Manning (2014). GloVe: Global Vectors for Word Representation.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import Field

from recsys.data.arrays import Doubles
from recsys.data.matrix import Csr, InteractionMatrix, presence
from recsys.errors import ModelError
from recsys.map_ordered import map_blas
from recsys.models.algorithm import Algorithm, Bounds
from recsys.models.factors.config import FactorModelConfig
from recsys.models.factors.linear import LinearFactorModel, linear_model
from recsys.models.neighbours.nearest import nearest_items
from recsys.progress import Progress, silent

EXPONENT = 0.75
"""Of the weight of a pair, as in the paper."""

_ROWS_AT_ONCE = 256


class GloveConfig(FactorModelConfig):
    """GloVe: the logarithm of co-occurrence within histories, factorised by weighted least squares."""

    algorithm: Literal["glove"] = Field("glove", description="GloVe over histories")
    factors: int = Field(64, ge=1, le=4096, description="dimension of the embeddings")
    sweeps: int = Field(10, ge=1, le=1000, description="times that all vectors are solved, each side in turn")
    regularization: float = Field(
        1.0, gt=0, le=1_000_000, description="pulls vectors and biases towards zero; the paper has none"
    )
    full_weight: float = Field(
        100.0,
        gt=0,
        le=1_000_000,
        description="users of both items from which on a pair counts fully (x_max of the paper)",
    )
    pairs: int = Field(
        500, ge=1, le=100_000, description="pairs of each item that are kept, those with the most users"
    )


@dataclass(frozen=True, eq=False)
class GloveVectors:
    """What was learned: log X_ij is about `items[i]` . `contexts[j]` + `item_bias[i]` + `context_bias[j]`.

    `items`, `contexts`: float64 (n_items, d). `item_bias`, `context_bias`: float64 (n_items,). Zero for an item
    without a pair.
    """

    items: Doubles
    contexts: Doubles
    item_bias: Doubles
    context_bias: Doubles


def train_glove(matrix: InteractionMatrix, config: GloveConfig, *, progress: Progress = silent) -> LinearFactorModel:
    """Factorise the co-occurrences of the items, and rank by what the items of a history predict.

        score(u, j) = (sum over i in H of v_i) . v_j,    v = w + w~ of `fit_glove`

    The sum of both vectors is what the paper uses. Weights of entries are ignored.
    Raises ModelError if no user has used two items.
    """
    pairs = co_occurrences(matrix.csr, config.pairs, progress=progress)
    if pairs.nnz == 0:
        raise ModelError("glove: nothing to learn from: no user has used two items")
    learned = fit_glove(pairs, config, progress=progress)
    vectors = (learned.items + learned.contexts).astype(np.float32)
    return linear_model(
        "glove",
        matrix.csr,
        sources=vectors,
        items=vectors,
        transform="presence",
        popularity_exponent=config.popularity_exponent,
    )


def co_occurrences(csr: Csr, pairs: int, *, progress: Progress = silent) -> Csr:
    """Float32 CSR (n_items, n_items), symmetric, its diagonal empty: users of both items.

    A pair is kept if it is among the `pairs` with the most users of one of its items; ties by lower position.
    """
    seen = presence(csr)
    kept = nearest_items(seen.T.tocsr(), seen, min(pairs, csr.shape[1]), stage="glove, pairs", progress=progress)
    both = kept.maximum(kept.T).tocsr()
    both.sort_indices()
    return both


def fit_glove(pairs: Csr, config: GloveConfig, *, progress: Progress = silent) -> GloveVectors:
    """Minimise, by solving for one side at a time, `sweeps` times,

        J = sum over X_ij > 0 of f(X_ij) (w_i . w~_j + b_i + b~_j - log X_ij)^2
            + lambda (|w|^2 + |w~|^2 + |b|^2 + |b~|^2)

    with f(x) = min(1, (x / `full_weight`)^0.75) and lambda the `regularization`. `pairs`: X, float32 CSR
    (n_items, n_items), symmetric. With one side held, the (w_i, b_i) of every item are a least squares problem of
    their own, so J never rises. The paper has lambda = 0 and descends by AdaGrad.
    """
    weights = np.minimum(1, (pairs.data.astype(np.float64) / config.full_weight) ** EXPONENT)
    targets = np.log(pairs.data.astype(np.float64))
    rng, n_items = np.random.default_rng(config.seed), pairs.shape[0]
    items = np.zeros((n_items, config.factors + 1))
    contexts = np.zeros_like(items)
    contexts[:, :-1] = rng.standard_normal((n_items, config.factors)) / np.sqrt(config.factors)
    for sweep in range(config.sweeps):
        for fixed, solved in ((contexts, items), (items, contexts)):
            _solve_side(pairs, weights, targets, fixed=fixed, solved=solved, ridge=config.regularization)
        progress("glove", sweep + 1, config.sweeps)
    return GloveVectors(items[:, :-1], contexts[:, :-1], items[:, -1], contexts[:, -1])


def _solve_side(
    pairs: Csr, weights: Doubles, targets: Doubles, *, fixed: Doubles, solved: Doubles, ridge: float
) -> None:
    """Fill every row of `solved` with its minimum, given `fixed`: vectors and, last, biases; (n_items, d + 1)."""

    def solve(start: int) -> None:
        for row in range(start, min(start + _ROWS_AT_ONCE, len(solved))):
            entries = slice(pairs.indptr[row], pairs.indptr[row + 1])
            other = fixed[pairs.indices[entries]]
            solved[row] = _solution(other, weights[entries], targets[entries], ridge)

    for _ in map_blas(solve, range(0, len(solved), _ROWS_AT_ONCE)):
        pass


def _solution(other: Doubles, weight: Doubles, target: Doubles, ridge: float) -> Doubles:
    """(w, b) that minimise sum_j weight_j (w . v_j + b + b_j - target_j)^2 + ridge (|w|^2 + b^2).

    `other`: float64 (m, d + 1), v_j and b_j. `weight`, `target`: float64 (m,). The result: float64 (d + 1,).
    """
    design = other.copy()
    design[:, -1] = 1
    weighted = design * weight[:, None]
    normal = weighted.T @ design
    normal.flat[:: len(normal) + 1] += ridge
    return np.asarray(np.linalg.solve(normal, weighted.T @ (target - other[:, -1])), np.float64)


GLOVE = Algorithm(
    GloveConfig,
    train_glove,
    LinearFactorModel.load,
    tunable={
        "regularization": Bounds(0.05, 20, log=True),
        "full_weight": Bounds(3, 300, log=True),
        "pairs": Bounds(50, 1000, log=True, whole=True),
        "sweeps": Bounds(2, 20, log=True, whole=True),
    },
)
