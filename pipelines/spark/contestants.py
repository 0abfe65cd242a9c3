"""Contestants: the model and its baselines on Spark, and how the lists of each are measured."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from recsys.data.arrays import Doubles, Indices, read_only
from recsys.data.id_map import IdMap
from recsys.evaluation.evaluator import evaluation_of, measure_users
from recsys.evaluation.measures import Measures
from recsys.evaluation.results import Cohort, Evaluation
from recsys.models.factors.embeddings import Embeddings
from recsys.models.factors.model import FactorModel, FactorRecommender
from recsys.models.popularity import PopularityRecommender
from recsys.models.recommender import Queries, Recommender
from recsys.models.registry import baselines_of, fit_baseline, publishable
from recsys.pipeline_config import PipelineConfig
from recsys.progress import Progress
from recsys.retrieval.exact import ExactSearch
from recsys.spark.driver_matrix import DriverMatrix, item_sums
from recsys.spark.evaluation import StoredRows, evaluate_in_blocks
from recsys.spark.splitting import SparkSplit

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@dataclass(frozen=True, eq=False)
class Contest:
    """The users to measure, and what the lists of every model are measured with.

    `degree`: int32 (n_items,), training users of each item; `weight`: float64 (n_items,), the sum of its weights.
    """

    spark: "SparkSession"
    split: SparkSplit
    driver: DriverMatrix
    config: PipelineConfig
    rows: StoredRows
    measures: Measures
    degree: Indices
    weight: Doubles

    @staticmethod
    def of(
        spark: "SparkSession",
        split: SparkSplit,
        driver: DriverMatrix,
        config: PipelineConfig,
        model: FactorModel,
        folder: Path,
    ) -> "Contest":
        """`model`: its item vectors measure the diversity of all lists. `folder`: for the rows of the users."""
        degree, weight = item_sums(spark, split.train.items)
        users, cutoffs = driver.n_users, config.evaluate.cutoffs
        measures = Measures.of_counts(degree, users, split.evaluated.history, cutoffs, model.embeddings.items)
        return Contest(
            spark, split, driver, config, StoredRows.write(split.evaluated, folder), measures, degree, weight
        )

    @property
    def cohort(self) -> Cohort:
        """The users, and the items that are ranked for them."""
        return Cohort(
            users=IdMap(self.split.user_ids),
            items=self.split.items,
            popularity=read_only(self.degree),
            history=self.split.evaluated.history,
            holdout=self.split.evaluated.holdout,
        )

    def contestants(
        self, model: FactorModel, of_baselines: Mapping[str, Mapping[str, float]], progress: Progress
    ) -> Iterator[Recommender]:
        """One by one, so that only one is in memory. `of_baselines`: baseline to its settings.

        What is counted is counted for all users; other baselines learn from the driver's.
        """
        search = ExactSearch(model.embeddings.scoring_items)
        yield FactorRecommender(self.config.model.algorithm, model, search)
        counted = {
            "popular": lambda: PopularityRecommender.of_counts(self.degree.astype(np.int64)),
            "popular_weighted": lambda: PopularityRecommender.of_weights(self.weight),
        }
        for name in baselines_of(self.config.evaluate, len(self.split.items)):
            if name in counted:
                yield counted[name]()
            else:
                settings = of_baselines.get(name)
                yield fit_baseline(name, self.driver.matrix, settings=settings, progress=progress)

    def measure(self, recommender: Recommender, progress: Progress) -> Evaluation:
        """The lists of all users to measure; on the driver if users have vectors that only the driver has."""
        if isinstance(recommender, FactorRecommender):
            if not publishable()[recommender.model.algorithm].folds_in_exactly:
                return self._measured_here(recommender, progress)
            recommender = _without_users(recommender)
        return evaluate_in_blocks(self.spark, recommender, self.rows, self.measures, progress=progress)

    def _measured_here(self, recommender: Recommender, progress: Progress) -> Evaluation:
        started, users = time.perf_counter(), self.split.evaluated
        at, trained = self.driver.matrix.users.encode(self.split.user_ids)
        queries = Queries(users.history, at if trained.all() else None, users.seen)
        part = measure_users(recommender, queries, users.holdout, self.measures, progress=progress)
        return evaluation_of(recommender.name, [part], self.measures, seconds=time.perf_counter() - started)


def _without_users(recommender: Recommender) -> Recommender:
    """The same without the vectors of users, who are folded in: they need not go to the executors."""
    if not isinstance(recommender, FactorRecommender):
        return recommender
    vectors = recommender.model.embeddings
    nobody = Embeddings(np.zeros((0, vectors.factors), np.float32), vectors.items, vectors.item_scale)
    return FactorRecommender(recommender.name, recommender.model.with_embeddings(nobody), recommender.search)
