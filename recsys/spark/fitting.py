"""Fitting: the model of a training matrix in blocks, with the vectors of those users alone that the driver holds."""

from pathlib import Path
from typing import TYPE_CHECKING

from recsys.config import ComputeConfig
from recsys.models.factors.als import AlsConfig
from recsys.models.factors.model import FactorModel
from recsys.models.neighbours.blend import blended
from recsys.models.registry import fit_blend
from recsys.progress import Progress, silent
from recsys.spark.als import train_als
from recsys.spark.cleaning import SparkCleaned
from recsys.spark.driver_matrix import DriverMatrix

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def fit_in_blocks(
    spark: "SparkSession",
    train: SparkCleaned,
    driver: DriverMatrix,
    config: AlsConfig,
    *,
    scratch: Path,
    compute: ComputeConfig,
    progress: Progress = silent,
) -> FactorModel:
    """Fit `config` on all users of `train`; neighbours, and the vectors of users, are those of `driver` alone.

    If it has all users, the model is that of `fit_model` up to the order of sums.
    """
    fit = train_als(
        spark,
        train.users,
        train.items,
        config,
        scratch=scratch,
        compute=compute,
        with_users=False,
        progress=progress,
    )
    matrix = driver.matrix
    users = fit.model().fold_in(matrix.csr)
    return blended(fit.model(users), fit_blend(matrix.csr, config, progress=progress), config.neighbours_share)
