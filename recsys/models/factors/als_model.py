"""AlsModel: what ALS learned, and the exact solve that makes a vector for a user who was not in training."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np

from recsys.data.arrays import Doubles, Floats, Indices
from recsys.data.confidence import ConfidenceWeighting, fit_confidence
from recsys.data.emphasis import emphasised
from recsys.data.id_map import IdMap
from recsys.data.loading import damage_named, number_in
from recsys.data.matrix import Csr, InteractionMatrix
from recsys.errors import ModelError
from recsys.models.algorithm import Algorithm
from recsys.models.factors.als import AlsConfig, fit_als
from recsys.models.factors.als_task import OnVectors
from recsys.models.factors.embeddings import Embeddings, popularity_scale
from recsys.models.factors.fold_in import UserEquations
from recsys.models.factors.mllib_factors import FactorFiles
from recsys.models.factors.model import OnIteration
from recsys.models.factors.model_file import NAME, neighbours_setting, read_model_file, strength_in, write_model_file
from recsys.models.factors.objective import AlsObjective
from recsys.models.factors.spectral import spectral_start
from recsys.models.neighbours.weights import NeighbourWeights, with_neighbours_part
from recsys.progress import Progress, silent


@dataclass(frozen=True, eq=False)
class AlsModel:
    """A FactorModel learned by alternating least squares.

    A user's vector is the exact solution for the item vectors: that of training, and that of a history folded in.
    `weighting`: turns counts into confidence. `regularization`, `regularization_exponent`, `unobserved_weight`: see
    `AlsObjective`. `losses`: training loss after each iteration, empty unless `log_loss`; the exact solution of the
    users after the last one is not in it.
    """

    embeddings: Embeddings
    weighting: ConfidenceWeighting
    regularization: float
    losses: tuple[float, ...] = ()
    neighbours: NeighbourWeights | None = None
    regularization_exponent: float = 0.0
    unobserved_weight: float = 1.0

    algorithm: ClassVar[str] = "als"

    @property
    def item_degree(self) -> Floats:
        """float32 (n_items,): distinct users of each item in training."""
        return self.weighting.item_degree

    def fold_in(self, history: Csr, emphasis: Floats | None = None) -> Floats:
        """Float32 (n, d): for each row of `history` the vector that training gives such a row, to the bit.

        Raises DataError if `history` is not over the items of training, ModelError if a row has no unique solution.
        """
        return self.equations.solve(emphasised(self.weighting.apply(history), emphasis))

    def trained_vectors(self, user_idx: Indices, history: Csr) -> Floats:
        """Float32 (n, d): the history folded in, because the fit ends so; see `FactorModel`."""
        return self.fold_in(history)

    def contributions(self, history: Csr, targets: Indices, *, emphasis: Floats | None = None) -> Doubles:
        """Float64 (k, m): what each entry of `history`, a single row, adds to the scores of `targets`, int32 (k,)."""
        scale = self.embeddings.item_scale[targets].astype(np.float64)
        confidence = emphasised(self.weighting.apply(history), emphasis)
        parts = self.equations.contributions(confidence, targets) * scale[:, None]
        return with_neighbours_part(parts, self.neighbours, history, targets, emphasis=emphasis)

    @property
    def objective(self) -> AlsObjective:
        """What the fit minimised, apart from the confidences."""
        return AlsObjective(self.regularization, self.regularization_exponent, self.unobserved_weight)

    @cached_property
    def equations(self) -> UserEquations:
        """What every fold-in needs, cached: two float64 (d, d) and the item vectors.

        Items without users in training do not count as not chosen, whatever vectors they were given.
        """
        return UserEquations.of(self.embeddings.items, self.objective, counted=self.item_degree > 0)

    def rotated(self, rotation: Floats) -> "AlsModel":
        """The same model in another basis. `rotation`: float32 (d, d), orthogonal."""
        return self.with_embeddings(self.embeddings.rotated(rotation))

    def with_embeddings(self, embeddings: Embeddings) -> "AlsModel":
        """The same model with other embeddings for the same users and items."""
        return replace(self, embeddings=embeddings)

    def with_neighbours(self, neighbours: NeighbourWeights | None) -> "AlsModel":
        """The same vectors with these neighbours."""
        return replace(self, neighbours=neighbours)

    def save(self, folder: Path) -> None:
        """Write embeddings, weighting, neighbours and model.json into `folder`, which is made if missing."""
        self.embeddings.save(folder)
        if self.neighbours is not None:
            self.neighbours.save(folder)
        self.weighting.save(folder)
        write_model_file(
            folder, "als", **asdict(self.objective), losses=list(self.losses), **neighbours_setting(self.neighbours)
        )

    @staticmethod
    def load(folder: Path, *, users: bool = True) -> "AlsModel":
        """Map what `save` wrote, `users`: see `Embeddings.load`. Raises ArtifactError if it is missing or damaged."""
        settings = read_model_file(folder)
        with damage_named(folder / NAME, "regularization and losses"):
            regularization, losses = number_in(settings, "regularization"), tuple(map(float, settings["losses"]))
            exponent = number_in(settings, "regularization_exponent", 0.0)
            unobserved = number_in(settings, "unobserved_weight", 1.0)
        embeddings = Embeddings.load(folder, users=users)
        neighbours = NeighbourWeights.load(folder, len(embeddings.items), strength_in(settings, folder))
        return AlsModel(
            embeddings, ConfidenceWeighting.load(folder), regularization, losses, neighbours, exponent, unobserved
        )


def train_als(
    matrix: InteractionMatrix,
    config: AlsConfig,
    *,
    start: Embeddings | None = None,
    progress: Progress = silent,
    on_iteration: OnIteration | None = None,
) -> AlsModel:
    """Weigh the counts of `matrix`, factorise them, solve all users exactly, and scale items by their popularity.

    The iterations improve users, then items, and leave the users behind the items; so the fit ends with the users.
    `start`: embeddings of the same users and items to start from; they are not modified.
    With `config.item_factors` nothing is fitted: items have the vectors of that file.
    Raises DataError if `matrix` holds nothing, or the file is wrong; ModelError if the fit fails.
    """
    weighting = fit_confidence(matrix.csr, config)
    scale = popularity_scale(weighting.item_degree, config.popularity_exponent)

    def model(users: Floats, items: Floats, losses: tuple[float, ...] = ()) -> AlsModel:
        objective = asdict(config.objective)
        return AlsModel(Embeddings(users, items, scale), weighting, losses=losses, **objective)

    if config.item_factors is not None:
        return _with_given_items(matrix, config, model, weighting, progress, on_iteration)
    # Computed before the confidence, so that the two are never in memory together.
    first = _first_vectors(matrix.csr, config, progress) if start is None else (start.users, start.items)
    confidence = weighting.apply(matrix.csr)
    fit = fit_als(
        confidence,
        config,
        start=first,
        overwrite_start=start is None,
        progress=progress,
        on_iteration=on_iteration and _with_model(on_iteration, model),
    )
    equations = UserEquations.of(fit.items, config.objective)
    users = equations.solve(confidence, out=fit.users, threads=config.threads or None, progress=progress)
    return model(users, fit.items, fit.losses)


def _with_given_items(
    matrix: InteractionMatrix,
    config: AlsConfig,
    model: Callable[[Floats, Floats], AlsModel],
    weighting: ConfidenceWeighting,
    progress: Progress,
    on_iteration: OnIteration | None,
) -> AlsModel:
    """The model of item vectors that another program learned: only the users are solved."""
    items = given_items(matrix.items, config)
    items[weighting.item_degree == 0] = 0
    equations = UserEquations.of(items, config.objective)
    users = equations.solve(weighting.apply(matrix.csr), threads=config.threads or None, progress=progress)
    done = model(users, items)
    if on_iteration is not None:
        on_iteration(1, done)
    return done


def given_items(items: IdMap, config: AlsConfig) -> Floats:
    """float32 (n_items, factors): the vectors of `config.item_factors`. Raises ModelError if there is none."""
    if config.item_factors is None:
        raise ModelError("als: no item_factors are named")
    return FactorFiles(config.item_factors, config.item_labels).read(items, config.factors)


def _with_model(on_iteration: OnIteration, model: Callable[[Floats, Floats], AlsModel]) -> OnVectors:
    def on_vectors(done: int, users: Floats, items: Floats) -> None:
        on_iteration(done, model(users, items))

    return on_vectors


def _first_vectors(csr: Csr, config: AlsConfig, progress: Progress) -> tuple[Floats, Floats] | None:
    """The start of the fit; None if the solver draws random vectors."""
    if config.start == "random":
        return None
    return spectral_start(csr, config.factors, seed=config.seed, progress=progress)


ALS = Algorithm(AlsConfig, train_als, AlsModel.load)
