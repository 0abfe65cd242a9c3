"""train on Spark: the accepted configuration, fitted on blocks of the matrix; files and summary of every train."""

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipelines.spark.weighing import BLOCKS, weigh_again
from pipelines.steps.summaries import PrepareSummary, TrainSummary
from pipelines.steps.tied_fit import fit_tied
from pipelines.steps.train import as_chosen, complete_and_save
from pipelines.steps.training_data import weighed_anew
from pipelines.steps.workspace import Workspace
from recsys.config import ComputeConfig
from recsys.data.arrays import Floats, Indices
from recsys.data.matrix import Csr, InteractionMatrix
from recsys.errors import ConfigError, StorageError
from recsys.models.factors.als import AlsConfig
from recsys.models.factors.als_model import AlsModel
from recsys.models.factors.config import FactorModelConfig
from recsys.models.factors.continuity import EarlierEmbeddings, carried_items, carried_rows, rotation_to
from recsys.models.factors.model import FactorModel
from recsys.models.neighbours.blend import blended
from recsys.models.registry import fit_blend
from recsys.pipeline_config import PipelineConfig
from recsys.progress import Progress
from recsys.spark.als import train_als
from recsys.spark.failures import named_failures
from recsys.spark.prior import FittedBlocks
from recsys.spark.row_blocks import StoredBlocks, reading_cells
from recsys.spark.sample import sample_rows
from recsys.spark.session import open_session
from recsys.spark.sides import Facts
from recsys.spark.spectral import Start
from recsys.spark.stored_vectors import StoredVectors, rotated, write_blocks
from recsys.spark.whole_files import remove_unfinished

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

log = logging.getLogger(__name__)


def train(
    config: PipelineConfig, workspace: Workspace, *, progress: Progress, min_recall_share: float = 0.9
) -> TrainSummary:
    """Fit the model on the whole matrix in blocks, and write its vectors; see `pipelines.steps.train.train`."""
    check_model(config.model)
    prepared = workspace.require("prepare", config)
    chosen, before = as_chosen(config, workspace), workspace.summary(PrepareSummary)
    scratch = config.compute.scratch_in(config.workspace) / "train"
    spark, cleaning = open_session(config.compute), None
    with (
        _no_fuller(scratch),
        workspace.output("train", config) as output,
        named_failures("while the model was trained"),
    ):
        if weighed_anew(workspace):
            data, again = output.folder / "data", scratch / "again"
            shutil.rmtree(again, ignore_errors=True)
            cleaning = weigh_again(spark, chosen, prepared, before, folder=data, scratch=again)
            remove_unfinished(data)
            prepared = data
        matrix = InteractionMatrix.load(prepared / "matrix")
        fitting = SparkFitting.of(spark, prepared, matrix, config.compute, scratch, progress)
        fit = fit_tied(matrix, chosen, fitting, log_mark=before.fingerprints.log, min_recall_share=min_recall_share)
        output.summary = summary = complete_and_save(
            fit,
            matrix,
            chosen,
            config,
            workspace,
            output,
            learned_from=fitting.learned_from[1],
            pull=fitting.with_prior,
            cleaning=cleaning,
            progress=progress,
        )
    shutil.rmtree(scratch, ignore_errors=True)  # only now: a run that is cut short goes on from what is there
    return summary


@contextmanager
def _no_fuller(scratch: Path) -> Iterator[None]:
    """Remove `scratch` if the block finds a disk full: what is there may be what filled it."""
    try:
        yield
    except StorageError:
        shutil.rmtree(scratch, ignore_errors=True)
        raise


def check_model(config: FactorModelConfig) -> AlsConfig:
    """The settings as Spark takes them. Raises ConfigError if it cannot train the model."""
    if not isinstance(config, AlsConfig):
        raise ConfigError(
            f'model.algorithm: compute.engine = "spark" trains "als", got {config.algorithm!r}; expected "als", or '
            'compute.engine = "local"'
        )
    if config.item_factors is not None:
        raise ConfigError(
            'model.item_factors: compute.engine = "spark" fits its vectors itself; expected compute.engine = "local"'
        )
    if config.gpu:
        raise ConfigError('model.gpu: compute.engine = "spark" trains on no GPU; expected gpu = false')
    return config


@dataclass(eq=False)
class SparkFitting:
    """A `Fitting` on Spark.

    `matrix`: mapped. `learned_from`: what neighbours are learned from, positions int32 (n,) of users, and their rows;
    all of them, or users drawn at random. `users`: those of the last model that it returned; None before.
    """

    spark: "SparkSession"
    blocks: tuple[StoredBlocks, StoredBlocks]
    matrix: InteractionMatrix
    compute: ComputeConfig
    scratch: Path
    progress: Progress
    learned_from: tuple[NDArray[np.int32], Csr]
    users: StoredVectors | None = None

    @staticmethod
    def of(
        spark: "SparkSession",
        prepared: Path,
        matrix: InteractionMatrix,
        compute: ComputeConfig,
        scratch: Path,
        progress: Progress,
    ) -> "SparkFitting":
        """On what prepare wrote into `prepared`."""
        users, items = (StoredBlocks.load(prepared / BLOCKS / name) for name in ("users", "items"))
        learned_from = np.arange(matrix.n_users, dtype=np.int32), matrix.csr
        if matrix.csr.nnz > compute.sample_events:
            with reading_cells(spark):
                learned_from = sample_rows(spark, users, compute.sample_events)
            drawn = len(learned_from[0])
            log.info("neighbours are learned from %d of %d users, drawn at random", drawn, matrix.n_users)
        return SparkFitting(spark, (users, items), matrix, compute, scratch, progress, learned_from)

    def fit(self, config: FactorModelConfig, start: EarlierEmbeddings | None) -> FactorModel:
        """The model of `config`, its users mapped from a file."""
        settings = check_model(config)
        if settings.solver == "implicit":
            log.info('model.solver: on Spark that of solver = "compiled" does the work')
        fit = train_als(
            self.spark,
            *self.blocks,
            settings,
            scratch=self.scratch / "fit",
            compute=self.compute,
            start=None if start is None else _Carried(start, self.matrix),
            progress=self.progress,
        )
        assert fit.users is not None
        self.users = fit.users
        model = fit.model(self._mapped(self.users))
        position, rows = self.learned_from
        blend = fit_blend(rows, config, progress=self.progress)
        placed = blend if blend is None else replace(blend, users=position[blend.users])
        return blended(model, placed, config.neighbours_share)

    def aligned(self, model: FactorModel, earlier: EarlierEmbeddings) -> FactorModel:
        """`model` turned: items by the driver, users in tasks."""
        rotation = rotation_to(model.embeddings.items, self.matrix.items, earlier)
        assert self.users is not None
        self.users = rotated(self.spark, self.users, rotation, self.scratch / "aligned")
        users, items = self._mapped(self.users), model.embeddings.items @ rotation
        return model.with_embeddings(replace(model.embeddings, users=users, items=items))

    def with_prior(self, model: AlsModel, rare: Indices, mean: Floats, *, strength: float) -> AlsModel:
        """A `Pull` of the last model: rare items and all users are solved in tasks."""
        assert self.users is not None
        fitted = FittedBlocks(self.spark, *self.blocks, self.compute, self.scratch / "prior")
        filled, self.users = fitted.with_prior(model, self.users, rare, mean, strength=strength)
        return filled.with_embeddings(replace(filled.embeddings, users=self._mapped(self.users)))

    def _mapped(self, users: StoredVectors) -> Floats:
        """The vectors in one file, which is mapped: their pages are not held."""
        path = users.folder.with_suffix(".npy")
        users.save_npy(path)
        mapped: Floats = np.load(path, mmap_mode="r", allow_pickle=False)
        return mapped


@dataclass(frozen=True, eq=False)
class _Carried:
    """Writes the vectors of an earlier version for the present ids, as `carried_over` makes them, block by block."""

    earlier: EarlierEmbeddings
    matrix: InteractionMatrix

    def __call__(self, users: Facts, items: Facts, folder: Path) -> Start:
        factors = self.earlier.embeddings.factors
        items_now = carried_items(self.earlier, self.matrix.items, items.lengths)
        carried = (
            (number, first, carried_rows(self.earlier, self.matrix.users, slice(first, stop)))
            for number, (first, stop) in enumerate(pairwise(users.bounds.tolist()))
        )
        of_items = (
            (number, first, items_now[first:stop])
            for number, (first, stop) in enumerate(pairwise(items.bounds.tolist()))
        )
        return Start(
            write_blocks(carried, folder / "users", factors, gram=True),
            write_blocks(of_items, folder / "items", factors, gram=True),
        )
