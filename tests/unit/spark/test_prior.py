"""Rare items and users solved again on blocks are those of one machine."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from recsys.config import ComputeConfig
from recsys.content.cold_start.prior import with_prior
from recsys.data.arrays import Floats
from recsys.data.confidence import ConfidenceConfig, fit_confidence
from recsys.data.matrix import Csr, csr_from_pairs
from recsys.models.factors.als_model import AlsModel
from recsys.models.factors.embeddings import Embeddings
from recsys.spark.prior import FittedBlocks
from recsys.spark.row_blocks import StoredBlocks, split_rows
from recsys.spark.stored_vectors import write_whole


def farthest(found: Floats, expected: Floats) -> float:
    """The largest difference of a row, relative to the mean length of the rows."""
    return float(np.linalg.norm(found - expected, axis=1).max() / np.linalg.norm(expected, axis=1).mean())


def test_rare_items_are_pulled_in_tasks_as_on_one_machine(
    spark: Any, store_blocks: Callable[..., StoredBlocks], tmp_path: Path
) -> None:
    """In blocks of which one has no rare item, with vectors shipped and a weighting that looks at users and items."""
    rng = np.random.default_rng(4)
    user, item = ((rng.random(900) ** 2 * size).astype(np.int32) for size in (80, 40))
    csr = csr_from_pairs(user, item, np.ones(900, np.float32), (80, 40))
    transposed = Csr(csr.T.tocsr())
    transposed.sort_indices()
    blocks = store_blocks(csr, tmp_path / "u", 400), store_blocks(transposed, tmp_path / "i", 400)
    items, users = (rng.standard_normal((n, 8), dtype=np.float32) for n in (40, 80))
    degree = np.diff(transposed.indptr)
    rare = np.flatnonzero(degree <= np.sort(degree)[8]).astype(np.int32)
    mean = rng.standard_normal((len(rare), 8), dtype=np.float32)
    weighting = fit_confidence(csr, ConfidenceConfig(weighting="bm25"))
    model = AlsModel(Embeddings(users, items, np.ones(40, np.float32)), weighting, 2.0, regularization_exponent=0.5)
    bounds = np.array([*(block.first for block in split_rows(csr, 400)), 80])
    stored = write_whole(users, bounds, tmp_path / "vectors")

    fitted = FittedBlocks(spark, *blocks, ComputeConfig(engine="spark", broadcast_mib=0), tmp_path / "prior")
    found, solved = fitted.with_prior(model, stored, rare, mean, strength=3.0)

    expected = with_prior(model, rare, mean, strength=3.0, csr=csr)
    assert farthest(found.embeddings.items[rare], items[rare]) > 0.1, "they moved"
    assert farthest(found.embeddings.items, expected.embeddings.items) < 1e-5
    assert farthest(solved.whole(), expected.embeddings.users) < 1e-5
    others = np.setdiff1d(np.arange(40), rare)
    assert np.array_equal(found.embeddings.items[others], items[others]), "those of other items stay"
