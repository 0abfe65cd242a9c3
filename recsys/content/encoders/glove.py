"""GloVe on histories: an item's vector says with which others it is chosen. See `recsys.models.factors.glove`."""

from typing import Literal

import numpy as np
from pydantic import Field

from recsys.config import LARGEST_SEED
from recsys.content.config import EncoderConfig
from recsys.content.encoder import EncoderKind
from recsys.content.history_vectors import HistoryVectors, histories_of
from recsys.data.items import Items
from recsys.data.matrix import InteractionMatrix
from recsys.errors import DataError
from recsys.models.factors.glove import GloveConfig, co_occurrences, fit_glove
from recsys.progress import Progress, silent

_MODEL = GloveConfig()


class GloveEncoderConfig(EncoderConfig):
    """GloVe on histories. It learns from who chose what, and so says nothing of an item that nobody chose."""

    encoder: Literal["glove"] = Field("glove", description="how the vectors are made")
    dimension: int = Field(100, ge=1, le=4096, description="of the vectors")
    sweeps: int = Field(
        _MODEL.sweeps, ge=1, le=1000, description="times that all vectors are solved, each side in turn"
    )
    regularization: float = Field(
        _MODEL.regularization, gt=0, le=1_000_000, description="pulls vectors and biases towards zero"
    )
    full_weight: float = Field(
        _MODEL.full_weight, gt=0, le=1_000_000, description="users of both items from which on a pair counts fully"
    )
    pairs: int = Field(
        _MODEL.pairs, ge=1, le=100_000, description="pairs of each item that are kept, those with the most users"
    )
    seed: int = Field(1, ge=0, le=LARGEST_SEED, description="of the first vectors")


def fit_glove_encoder(
    items: Items,
    config: GloveEncoderConfig,
    *,
    histories: InteractionMatrix | None = None,
    progress: Progress = silent,
) -> HistoryVectors:
    """The sum of both vectors of each item. Raises DataError if no user has used two items."""
    matrix = histories_of(histories, config.source_name)
    pairs = co_occurrences(matrix.csr, config.pairs, progress=progress)
    if pairs.nnz == 0:
        raise DataError(f"content {config.source_name!r}: nothing to learn from: no user has used two items")
    shared = config.model_dump(include={"sweeps", "regularization", "full_weight", "pairs", "seed"})
    learned = fit_glove(pairs, GloveConfig(factors=config.dimension, **shared), progress=progress)
    return HistoryVectors.of(matrix.items, (learned.items + learned.contexts).astype(np.float32))


GLOVE = EncoderKind(
    GloveEncoderConfig,
    fit_glove_encoder,
    HistoryVectors.load,
    reads=lambda items, config: (),
    learns_from_histories=lambda config: True,
)
