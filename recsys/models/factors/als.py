"""Alternating least squares on implicit feedback: the solver is implicit's, or our own.

The objective is that of Hu, Koren, Volinsky, "Collaborative Filtering for Implicit Feedback Datasets" (2008):

    sum over all users u and items i of  c_ui (p_ui - x_u . y_i)^2  +  regularization (sum |x_u|^2 + sum |y_i|^2)

For stored entries p_ui is 1 and c_ui the stored confidence; for all others p_ui = 0 and c_ui = 1. A stored confidence
replaces the 1, rather than being added to it. The regularization is the same for every row. Our own solver takes
`unobserved_weight` in place of the 1, and a regularization that grows with a row's entries: `AlsObjective`.
One iteration improves every user's vector, then every item's, by three steps of conjugate gradient from its last
value: Takacs, Pilaszy, Tikk, "Applications of the Conjugate Gradient Method for Implicit Feedback Collaborative
Filtering" (2011). A row without entries gets the zero vector. `recsys.models.factors.als_model` solves the users once
more, exactly, for the items that a fit ends with.
"""

import logging
import time
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from pydantic import Field, StrictBool, field_serializer, model_validator

from recsys.config import FilePath
from recsys.config.database import unset
from recsys.data.arrays import Floats
from recsys.data.confidence import ConfidenceConfig
from recsys.data.matrix import Csr
from recsys.errors import ModelError
from recsys.models.factors.als_compiled import fit_compiled
from recsys.models.factors.als_implicit import fit_implicit
from recsys.models.factors.als_task import AlsFit, AlsTask, OnVectors
from recsys.models.factors.config import WarmStartConfig
from recsys.models.factors.implicit_input import check_solvable
from recsys.models.factors.objective import AlsObjective
from recsys.progress import Progress, silent

logger = logging.getLogger(__name__)


class AlsConfig(ConfidenceConfig, WarmStartConfig):
    """Alternating least squares on implicit feedback."""

    algorithm: Literal["als"] = Field("als", description="alternating least squares on implicit feedback")
    popularity_exponent: float = Field(
        0.1, ge=-1, le=1, description="scores are multiplied by n_users_of_item ** this"
    )
    regularization: float = Field(20.0, ge=0, le=1_000_000, description="added to the diagonal of every solve")
    regularization_exponent: float = Field(
        0.0,
        ge=0,
        le=2,
        description='solver = "compiled": the regularization of a row is multiplied by (its entries + '
        "unobserved_weight * all it could have) ** this",
    )
    unobserved_weight: float = Field(
        1.0,
        gt=0,
        le=1_000_000,
        description='solver = "compiled": what a pair that is not in the log weighs in the fit',
    )
    iterations: int = Field(5, ge=1, le=10_000, description="at most; one iteration solves all users, then all items")
    start: Literal["spectral", "random"] = Field(
        "spectral",
        description="what the fit starts from: singular vectors of the normalised matrix, or random vectors",
    )
    solver: Literal["implicit", "compiled"] = Field(
        "implicit",
        description="implicit's solver, or our own of compiled loops, which is quicker and needs less memory "
        "(docs/training.md)",
    )
    item_factors: FilePath | None = Field(
        None,
        exclude_if=unset,
        description="vectors of the items that Spark MLlib's ALS learned, in place of a fit: the folder of a saved "
        "`ALSModel`, or Parquet of `id` and `features`; users are solved for them (docs/training.md)",
    )
    item_labels: FilePath | None = Field(
        None,
        exclude_if=unset,
        description="item_factors: the folder of the saved `StringIndexerModel` whose labels the ids number; without "
        "it the ids are those of the log",
    )
    threads: int = Field(0, ge=0, le=1024, description="of the solver; 0 means all cores")
    gpu: StrictBool = Field(False, description="train on a GPU if implicit has one")
    log_loss: StrictBool = Field(
        False,
        description="compute the training loss after every iteration (slower), before users are solved exactly",
    )

    not_learned = WarmStartConfig.not_learned | {"threads", "gpu", "log_loss"}

    @property
    def objective(self) -> AlsObjective:
        """What is minimised, apart from the confidences."""
        return AlsObjective(self.regularization, self.regularization_exponent, self.unobserved_weight)

    @field_serializer("item_factors", "item_labels", when_used="json")
    def _by_name(self, path: Path | None) -> str | None:
        """Files by their names: the same on every machine and in every folder."""
        return None if path is None else path.name

    @model_validator(mode="before")
    @classmethod
    def _nothing_to_stop(cls, given: Any) -> Any:
        """Without a fit there are no iterations of which the best could be found."""
        no_fit = isinstance(given, dict) and given.get("item_factors") is not None
        return {"early_stopping": False, **given} if no_fit else given

    @model_validator(mode="after")
    def _vectors_are_given_or_learned(self) -> Self:
        if self.item_labels is not None and self.item_factors is None:
            raise ValueError("item_labels needs `item_factors`, whose ids it labels")
        if self.item_factors is None:
            return self
        if "factors" not in self.model_fields_set:
            raise ValueError("item_factors needs `factors`, the length of its vectors (the rank of MLlib's model)")
        if self.continuity == "warm":
            raise ValueError('continuity = "warm" is of a model that is fitted; item_factors has its vectors')
        return self

    @model_validator(mode="after")
    def _the_solver_can(self) -> Self:
        if self.solver == "compiled" and self.gpu:
            raise ValueError('gpu = true needs solver = "implicit", got solver = "compiled"')
        for key, plain in (("regularization_exponent", 0), ("unobserved_weight", 1)):
            value = getattr(self, key)
            if self.solver == "implicit" and value != plain:
                raise ValueError(f'{key} = {value:g} needs solver = "compiled", got solver = "implicit"')
        return self


def fit_als(
    confidence: Csr,
    config: AlsConfig,
    *,
    start: tuple[Floats, Floats] | None = None,
    overwrite_start: bool = False,
    progress: Progress = silent,
    on_iteration: OnVectors | None = None,
) -> AlsFit:
    """Factorise `confidence`: canonical float32 (n_users, n_items), alpha multiplied in. It is not modified.

    `start`: users float32 (n_users, d) and items float32 (n_items, d) to start from, copied unless
    `overwrite_start`; without it the solver draws random ones from `config.seed`. On the CPU the result is the same
    to the bit for any number of threads. A GPU, used if `config.gpu` is set and implicit has one, draws other
    random vectors. `on_iteration`: a fit of fewer iterations would end with the vectors it is called with.
    Raises DataError if `confidence` is not canonical, ModelError if it is empty or too large, `start` does not fit,
    or the vectors are not finite.
    """
    _check_input(confidence, start, config.factors)
    started = time.perf_counter()
    with_solver = fit_compiled if config.solver == "compiled" else fit_implicit
    fit = with_solver(AlsTask(confidence, config, start, overwrite_start, progress, on_iteration))
    size = (*confidence.shape, confidence.nnz, config.factors)
    logger.info("als users=%d items=%d entries=%d factors=%d seconds=%.2f", *size, time.perf_counter() - started)
    return fit


def _check_input(confidence: Csr, start: tuple[Floats, Floats] | None, factors: int) -> None:
    check_solvable("als", confidence)
    for name, array, rows in zip(("users", "items"), start or (), confidence.shape, strict=False):
        if array.shape != (rows, factors) or array.dtype != np.float32:
            raise ModelError(f"als: start {name} {array.dtype} {array.shape}, expected float32 ({rows}, {factors})")
        if not np.isfinite(array).all():
            raise ModelError(f"als: start {name} hold NaN or infinity")
