"""Training: from counts to a model that answers, and the model as files."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from recsys.config import ModelConfig
from recsys.data.arrays import Floats, Indices
from recsys.data.confidence import ConfidenceWeighting, fit_confidence
from recsys.data.matrix import Csr, InteractionMatrix
from recsys.errors import ArtifactError
from recsys.models.factors.als import OnIteration, fit_als
from recsys.models.factors.embeddings import Embeddings
from recsys.models.factors.fold_in import Doubles, fold_in, gram_matrix
from recsys.models.factors.reasons import contributions
from recsys.models.factors.spectral import spectral_start
from recsys.progress import Progress, silent

_FIT_FILE = "fit.json"


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """Embeddings, and what it takes to make a vector for somebody who was not in training.

    `weighting`: what turned counts into confidence. `regularization`: of the fit. `losses`: training loss after each
    iteration, empty unless it was asked for.
    """

    embeddings: Embeddings
    weighting: ConfidenceWeighting
    regularization: float
    losses: tuple[float, ...] = ()

    def fold_in(self, history: Csr) -> Floats:
        """Float32 (n, d): a user vector for each row of `history`, canonical float32 (n, n_items); see `fold_in`."""
        return fold_in(
            history,
            self.embeddings.items,
            weighting=self.weighting,
            regularization=self.regularization,
            gram=self.gram,
        )

    def contributions(self, history: Csr, targets: Indices) -> Doubles:
        """Float64 (k, m): what each stored entry of `history`, a single row, adds to the scores of `targets`.

        `targets`: int32 (k,), item positions. A row sums to the score that `fold_in(history)` gives its target.
        """
        scale = self.embeddings.item_scale[targets].astype(np.float64)
        unscaled = contributions(
            self.weighting.apply(history),
            self.embeddings.items,
            targets,
            regularization=self.regularization,
            gram=self.gram,
        )
        return unscaled * scale[:, None]

    @cached_property
    def gram(self) -> Doubles:
        """Float64 (d, d): Y'Y of the item vectors, made once; every fold-in needs it."""
        return gram_matrix(self.embeddings.items)

    def save(self, folder: Path) -> None:
        """Write the embeddings, the weighting and fit.json into `folder`, which is made if missing."""
        self.embeddings.save(folder)
        self.weighting.save(folder)
        fit = {"regularization": self.regularization, "losses": list(self.losses)}
        (folder / _FIT_FILE).write_text(json.dumps(fit) + "\n", encoding="utf-8")

    @staticmethod
    def load(folder: Path) -> "TrainedModel":
        """Map what `save` wrote. Raises ArtifactError where it is missing or damaged."""
        try:
            fit = json.loads((folder / _FIT_FILE).read_text(encoding="utf-8"))
            regularization, losses = float(fit["regularization"]), tuple(map(float, fit["losses"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ArtifactError(f"{folder / _FIT_FILE}: expected regularization and losses: {error}") from error
        return TrainedModel(Embeddings.load(folder), ConfidenceWeighting.load(folder), regularization, losses)


def train_model(
    matrix: InteractionMatrix,
    config: ModelConfig,
    *,
    start: Embeddings | None = None,
    progress: Progress = silent,
    watch: OnIteration | None = None,
) -> TrainedModel:
    """Weigh the counts of `matrix`, factorise them, and scale items for scoring by their popularity.

    `start`: embeddings of the same users and items to set out from; they are not modified. `watch`: as in `fit_als`.
    Raises DataError where `matrix` holds nothing, ModelError where the fit refuses.
    """
    weighting = fit_confidence(matrix.csr, config)
    # Before the confidence is made: the two would lie in memory side by side.
    first = _start(matrix.csr, config, progress) if start is None else (start.users, start.items)
    fit = fit_als(
        weighting.apply(matrix.csr),
        config,
        start=first,
        overwrite_start=start is None,
        progress=progress,
        watch=watch,
    )
    scale = popularity_scale(weighting.item_degree, config.popularity_exponent)
    return TrainedModel(Embeddings(fit.users, fit.items, scale), weighting, config.regularization, fit.losses)


def _start(csr: Csr, config: ModelConfig, progress: Progress) -> tuple[Floats, Floats] | None:
    """Where the fit sets out from; None lets the solver draw at random."""
    if config.start == "random":
        return None
    return spectral_start(csr, config.factors, seed=config.seed, progress=progress)


def popularity_scale(item_degree: Floats, exponent: float) -> Floats:
    """Float32 (n_items,): item_degree ** exponent, divided by its mean; a degree below 1 counts as 1."""
    raw = np.maximum(item_degree, 1).astype(np.float64) ** exponent
    scale: Floats = (raw / raw.mean()).astype(np.float32)
    return scale
