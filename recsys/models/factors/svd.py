"""Truncated SVD of the normalised matrix (PureSVD)."""

from typing import Literal

import numpy as np
from pydantic import Field

from recsys.data.matrix import InteractionMatrix
from recsys.errors import ModelError
from recsys.models.algorithm import Algorithm, Bounds
from recsys.models.factors.config import FactorModelConfig
from recsys.models.factors.linear import LinearFactorModel, linear_model
from recsys.models.factors.spectral import inverse_root, log_sums, singular_vectors
from recsys.progress import Progress, silent


class SvdConfig(FactorModelConfig):
    """Truncated SVD of the normalised matrix."""

    algorithm: Literal["svd"] = Field("svd", description="truncated SVD of the normalised matrix")
    factors: int = Field(
        512, ge=1, le=4096, description="dimension of the embeddings, at most a tenth of the users or items"
    )
    popularity_exponent: float = Field(
        0.5, ge=-1, le=1, description="scores are multiplied by n_users_of_item ** this"
    )


def train_svd(matrix: InteractionMatrix, config: SvdConfig, *, progress: Progress = silent) -> LinearFactorModel:
    """Keep the `config.factors` leading directions of the normalised matrix, at most a tenth of all.

    All of them would reproduce the matrix itself, in which every item that a user has not seen scores zero.

        score(u, i) = (log(1 + r_u) D_i^-1/2 V) . V_i n_i^popularity_exponent

    V: right singular vectors of D_u^-1/2 log(1 + R) D_i^-1/2, D the sums of the rows and columns of log(1 + R); n_i:
    distinct users of item i. D_u^-1/2 changes no order and is left out. For a row of training this is the row of
    U S V', the truncated matrix; any other history is treated in the same way.
    Cremonesi, Koren, Turrin, "Performance of Recommender Algorithms on Top-N Recommendation Tasks" (2010), PureSVD,
    here on the normalised matrix. Raises ModelError if `matrix` holds nothing.
    """
    if matrix.csr.nnz == 0:
        raise ModelError("svd: nothing to learn from: the matrix holds no entries")
    rng = np.random.default_rng(config.seed)
    rank = max(1, min(config.factors, min(matrix.csr.shape) // 10))
    _, _, directions = singular_vectors(matrix.csr, rank, rng=rng, progress=progress)
    _, item_sums = log_sums(matrix.csr)
    return linear_model(
        "svd",
        matrix.csr,
        sources=directions * inverse_root(item_sums)[:, None],
        items=directions,
        transform="log",
        popularity_exponent=config.popularity_exponent,
    )


SVD = Algorithm(
    SvdConfig, train_svd, LinearFactorModel.load, tunable={"factors": Bounds(8, 4096, log=True, whole=True)}
)
