"""ALS on blocks: the vectors of the local solver, whichever way vectors go to the blocks, and after a kill."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from recsys.config import ComputeConfig
from recsys.data.arrays import Floats
from recsys.data.id_map import IdMap
from recsys.data.matrix import Csr, InteractionMatrix, csr_from_pairs
from recsys.errors import ArtifactError, ModelError
from recsys.models.factors.als import AlsConfig
from recsys.models.factors.als_model import train_als as train_locally
from recsys.spark.als import SparkFit, train_als
from recsys.spark.checkpoints import Checkpoints
from recsys.spark.row_blocks import StoredBlocks
from recsys.spark.sides import Facts
from recsys.spark.spectral import Start
from recsys.spark.stored_vectors import write_whole

TOLERANCE = 1e-3
"""Largest relative difference of a vector between the two engines after five iterations."""

SHIPPED = ComputeConfig(engine="spark", broadcast_mib=0)
WHOLE = ComputeConfig(engine="spark")


def a_matrix(n_users: int = 90, n_items: int = 40, n: int = 1200) -> InteractionMatrix:
    """Users and items of unequal lengths; the last of each have no entry."""
    rng = np.random.default_rng(5)
    user, item = ((rng.random(n) ** 2 * (size - 2)).astype(np.int32) for size in (n_users, n_items))
    csr = csr_from_pairs(user, item, np.ones(n, np.float32), (n_users, n_items))
    users, items = (
        IdMap.of(pa.array([f"{name}{at:03d}" for at in range(size)]))[0]
        for name, size in (("u", n_users), ("i", n_items))
    )
    return InteractionMatrix(users, items, csr)


def farthest(found: Floats, expected: Floats) -> float:
    """The largest difference of a row, relative to the mean length of the rows.

    After a turn that brings them as close as it can: the sign of an eigenvector, and so the basis of a fit, hangs
    on the last bits.
    """
    left, _, right = np.linalg.svd(found.T @ expected)
    found = found @ (left @ right)
    return float(np.linalg.norm(found - expected, axis=1).max() / np.linalg.norm(expected, axis=1).mean())


@dataclass(frozen=True)
class Stored:
    """A matrix as Spark stores it, both sides, and how to fit it."""

    users: StoredBlocks
    items: StoredBlocks
    folder: Path

    def fit(self, spark: Any, config: AlsConfig, compute: ComputeConfig = WHOLE, **options: Any) -> SparkFit:
        return train_als(
            spark, self.users, self.items, config, scratch=self.folder / "fit", compute=compute, **options
        )


@pytest.fixture
def stored(store_blocks: Callable[..., StoredBlocks], tmp_path: Path) -> Stored:
    csr = a_matrix().csr
    transposed = Csr(csr.T.tocsr())
    transposed.sort_indices()
    return Stored(store_blocks(csr, tmp_path / "u", 500), store_blocks(transposed, tmp_path / "i", 500), tmp_path)


@pytest.mark.parametrize(
    ("compute", "settings"),
    [
        (WHOLE, {"log_loss": True, "iterations": 2}),
        (SHIPPED, {"weighting": "bm25", "start": "random", "regularization_exponent": 0.5, "iterations": 2}),
        (SHIPPED, {"factors": 48, "unobserved_weight": 0.5, "iterations": 1}),  # more than the matrix has dimensions
    ],
)
def test_vectors_are_those_of_the_local_solver(
    spark: Any, stored: Stored, compute: ComputeConfig, settings: dict[str, Any]
) -> None:
    config = AlsConfig.model_validate({"factors": 8, "regularization": 5.0, "solver": "compiled"} | settings)
    local = train_locally(a_matrix(), config)
    fit = stored.fit(spark, config, compute)
    assert fit.users is not None
    model = fit.model(fit.users.whole())
    found, expected = model.embeddings, local.embeddings
    assert farthest(found.items, expected.items) < TOLERANCE
    assert farthest(found.users, expected.users) < TOLERANCE
    np.testing.assert_allclose(found.users @ found.items.T, expected.users @ expected.items.T, atol=TOLERANCE)
    assert np.array_equal(model.item_degree, local.item_degree)
    assert model.losses == pytest.approx(local.losses, rel=1e-4)
    assert [path.name for path in (stored.folder / "fit").iterdir()] == ["users"]


class KilledError(Exception):
    """Raised where a driver would be killed."""


def test_a_fit_that_was_cut_short_goes_on_after_its_last_iteration(spark: Any, stored: Stored) -> None:
    config = AlsConfig(factors=4, iterations=3, solver="compiled", start="random")
    seen = list[int]()

    def kill(stage: str, done: float, total: float | None) -> None:
        if stage == "als":
            seen.append(int(done))
            if len(seen) == 2:
                raise KilledError

    with pytest.raises(KilledError):
        stored.fit(spark, config, progress=kill)
    (state,) = (stored.folder / "fit" / "fit").iterdir()
    assert json.loads((state / "state.json").read_text())["iteration"] == 2
    fit = stored.fit(spark, config, progress=kill, with_users=False)
    assert seen == [1, 2, 3]
    assert farthest(fit.items, train_locally(a_matrix(), config).embeddings.items) < TOLERANCE


def test_states_of_another_matrix_or_of_other_settings_are_not_used(spark: Any, stored: Stored) -> None:
    ended = stored.fit(spark, AlsConfig(factors=4, iterations=1, solver="compiled", start="random"), with_users=False)
    state = stored.folder / "fit" / "fit" / "iteration-00009"
    state.mkdir(parents=True)
    (state / "state.json").write_text('{"identity": "another", "iteration": 9}', encoding="utf-8")
    other = AlsConfig(factors=4, iterations=1, solver="compiled", start="random", regularization=0.5)
    fit = stored.fit(spark, other, with_users=False)
    assert not state.exists()
    assert not np.allclose(fit.items, ended.items)


def test_numbers_that_are_not_finite_end_the_fit_with_the_likely_cause(spark: Any, stored: Stored) -> None:
    def huge(users: Facts, items: Facts, folder: Path) -> Start:
        vectors = (np.full((each.bounds[-1], 4), 1e25, np.float32) for each in (users, items))
        return Start(*map(write_whole, vectors, (users.bounds, items.bounds), (folder / "users", folder / "items")))

    config = AlsConfig(factors=4, solver="compiled")
    with pytest.raises(
        ModelError, match=r"not finite within 5 iterations.*regularization 20 .* confidences up to \d"
    ):
        stored.fit(spark, config, start=huge)


def test_a_damaged_file_is_named_and_states_go_so_that_the_next_run_begins_anew(tmp_path: Path) -> None:
    state = tmp_path / "iteration-00001"
    vectors = write_whole(np.ones((6, 2), np.float32), np.array([0, 3, 6]), state / "items")
    file = vectors.table / vectors.places[1].file
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(ArtifactError, match=rf"{file}: expected vectors in blocks"), Checkpoints.damaged_go(tmp_path):
        vectors.gram()
    assert not state.exists()
