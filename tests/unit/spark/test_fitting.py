"""The model of a matrix in blocks: the vectors of the users on the driver, and neighbours."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsys.config import ComputeConfig, PrepareConfig
from recsys.data.cleaning import build_matrix
from recsys.data.event_weights import EventWeights
from recsys.models.factors.als import AlsConfig
from recsys.models.registry import fit_model
from recsys.spark.cleaning import SparkCleaned, clean_events
from recsys.spark.driver_matrix import DriverMatrix, driver_matrix
from recsys.spark.event_files import EventFiles, write_events
from recsys.spark.fitting import fit_in_blocks

COMPUTE = ComputeConfig(engine="spark")
ALS = AlsConfig(factors=6, iterations=1, start="random", solver="compiled", neighbours=4, neighbours_share=0.5)


@pytest.fixture(scope="module")
def cleaned(spark: Any, random_log: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[EventFiles, SparkCleaned]:
    folder = tmp_path_factory.mktemp("fitting")
    files = write_events(random_log(n=2_000), folder / "events", n_files=2)
    (folder / "cleaned").mkdir()
    weights = EventWeights()
    return files, clean_events(spark, files, PrepareConfig(), weights, scratch=folder / "cleaned", block_entries=800)


def of_driver(spark: Any, cleaned: tuple[EventFiles, SparkCleaned], most_entries: int) -> DriverMatrix:
    files, train = cleaned
    items = files.items.take(train.item_positions)
    return driver_matrix(
        spark, train.users, train.user_positions, users=files.users, items=items, most_entries=most_entries
    )


def test_all_users_on_the_driver_give_the_model_of_one_machine(
    spark, random_log, cleaned: tuple[EventFiles, SparkCleaned], tmp_path: Path
) -> None:
    driver = of_driver(spark, cleaned, 1_000_000)
    matrix = build_matrix(random_log(n=2_000), PrepareConfig(), weights=EventWeights())[0]
    assert driver.is_whole
    assert driver.matrix.users.ids.equals(matrix.users.ids)
    assert (driver.matrix.csr != matrix.csr).nnz == 0
    found = fit_in_blocks(spark, cleaned[1], driver, ALS, scratch=tmp_path / "fit", compute=COMPUTE)
    here = fit_model(matrix, ALS)
    scores, expected = (model.embeddings.users @ model.embeddings.scoring_items.T for model in (found, here))
    np.testing.assert_allclose(scores, expected, atol=2e-3)
    assert found.neighbours is not None
    assert here.neighbours is not None
    assert (found.neighbours.weights != here.neighbours.weights).nnz == 0
    assert found.neighbours.strength == pytest.approx(here.neighbours.strength, rel=1e-3)


def test_of_a_sample_the_vectors_are_those_of_all(
    spark, cleaned: tuple[EventFiles, SparkCleaned], tmp_path: Path
) -> None:
    some, whole = of_driver(spark, cleaned, 400), of_driver(spark, cleaned, 1_000_000)
    assert not some.is_whole
    one, other = (
        fit_in_blocks(spark, cleaned[1], each, ALS, scratch=tmp_path / f"fit{len(each.row)}", compute=COMPUTE)
        for each in (some, whole)
    )
    np.testing.assert_allclose(one.embeddings.users, other.embeddings.users[some.row], atol=1e-5)
    np.testing.assert_allclose(one.embeddings.items, other.embeddings.items, atol=1e-5)
