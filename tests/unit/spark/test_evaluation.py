"""The evaluation on Spark is the local one: per user, by slice, coverage and lists, for factors and baselines."""

from pathlib import Path

import numpy as np
import pytest

from recsys.config import EvaluateConfig, PrepareConfig
from recsys.data.event_weights import EventWeights
from recsys.data.splits.split import Split, make_split
from recsys.evaluation.evaluator import evaluate
from recsys.evaluation.measures import Measures
from recsys.models.factors.als import AlsConfig
from recsys.models.factors.model import FactorRecommender
from recsys.models.registry import fit_baseline, fit_model
from recsys.retrieval.exact import ExactSearch
from recsys.spark.chunk_holdout import EvaluatedRows
from recsys.spark.evaluation import StoredRows, block_bounds, evaluate_in_blocks

CUTOFFS = (3, 10)


@pytest.fixture(scope="module")
def split(random_log) -> Split:
    log = random_log(seed=2, n_users=700, n_items=80, n=16_000)
    weights = EventWeights(kinds={"buy": 2.0, "view": 1.0}, seen_kinds=("buy",))
    return make_split(log, EvaluateConfig(split="last_n", last_n=3), prepare=PrepareConfig(), weights=weights)


@pytest.mark.parametrize("name", ["als", "popular", "item_knn", "ease"])
def test_every_number_is_that_of_the_local_evaluator(spark, split: Split, tmp_path: Path, name: str) -> None:
    model = fit_model(split.train, AlsConfig(factors=8, neighbours=5, neighbours_share=0.5))
    recommender = fit_baseline(name, split.train)
    if name == "als":
        recommender = FactorRecommender("als", model, ExactSearch(model.embeddings.scoring_items))
    vectors = model.embeddings.items
    local = evaluate(recommender, split, cutoffs=CUTOFFS, item_vectors=vectors)
    rows = EvaluatedRows(np.arange(len(split.user_ids)), split.queries_history, split.holdout, split.queries_seen)
    measures = Measures.of(split, CUTOFFS, vectors)
    found = evaluate_in_blocks(spark, recommender, StoredRows.write(rows, tmp_path / "rows"), measures)
    assert len(block_bounds(len(split.user_ids), cores=2)) > 2, "several blocks"
    assert found.per_user.keys() == local.per_user.keys()
    for metric, values in local.per_user.items():
        np.testing.assert_allclose(found.per_user[metric], values, atol=1e-6, err_msg=metric)
    for band, table in local.by_band.items():
        for metric, values in table.items():
            np.testing.assert_allclose(found.by_band[band][metric], values, atol=1e-6, err_msg=f"{band} {metric}")
    assert found.overall == local.overall
    assert found.n_short == local.n_short
    assert (found.lists == local.lists).all()


@pytest.mark.parametrize(("n", "blocks"), [(1, 1), (511, 1), (512, 2), (100_000, 4)])
def test_blocks_cover_all_users(n: int, blocks: int) -> None:
    bounds = block_bounds(n, cores=2)
    assert (bounds[0], bounds[-1], len(bounds) - 1) == (0, n, blocks)
