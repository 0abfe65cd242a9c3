"""Every model by name: those that can be served, and those that are only compared with (docs/baselines.md).

A new model that serves touches two files: its own, with its section, fit and `Algorithm`, and ALGORITHMS here.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from pydantic import SerializeAsAny, ValidationError, ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core import InitErrorDetails, PydanticCustomError

from recsys.config import EvaluateConfig
from recsys.data.matrix import Csr, InteractionMatrix
from recsys.errors import ArtifactError, ConfigError, ModelError
from recsys.models.algorithm import Algorithm, Baseline
from recsys.models.factors.als_model import ALS
from recsys.models.factors.bpr import BPR
from recsys.models.factors.config import FactorModelConfig, IterativeConfig, WarmStartConfig
from recsys.models.factors.embeddings import Embeddings
from recsys.models.factors.glove import GLOVE
from recsys.models.factors.item2vec import ITEM2VEC
from recsys.models.factors.model import FactorModel, FactorRecommender, OnIteration
from recsys.models.factors.model_file import read_model_file
from recsys.models.factors.svd import SVD
from recsys.models.neighbours.blend import Blend, blended
from recsys.models.neighbours.ease import EaseRecommender, check_memory
from recsys.models.neighbours.item_knn import ItemKnnRecommender
from recsys.models.neighbours.regression import regress_on_neighbours
from recsys.models.neighbours.rp3beta import fit_rp3beta
from recsys.models.popularity import PopularityRecommender
from recsys.models.recommender import Recommender
from recsys.progress import Progress, silent
from recsys.retrieval.exact import ExactSearch
from recsys.suggestions import nearest_name, unknown_key_hint

ALGORITHMS: dict[str, Algorithm | Baseline] = {
    "popular": Baseline(lambda matrix, progress: PopularityRecommender.fit(matrix)),
    "popular_weighted": Baseline(lambda matrix, progress: PopularityRecommender.fit_weighted(matrix)),
    "item_knn": Baseline(lambda matrix, progress: ItemKnnRecommender.fit(matrix, progress=progress)),
    "item_knn_bm25": Baseline(lambda matrix, progress: ItemKnnRecommender.fit_bm25(matrix, progress=progress)),
    "rp3beta": Baseline(lambda matrix, progress: fit_rp3beta(matrix, progress=progress)),
    "ease": Baseline(
        lambda matrix, progress, **settings: EaseRecommender.fit(matrix, progress=progress, **settings), check_memory
    ),
    "als": ALS,
    "bpr": BPR,
    "svd": SVD,
    "item2vec": ITEM2VEC,
    "glove": GLOVE,
}
"""Any of them may be a baseline; an `Algorithm` may also be `model.algorithm`."""

DEFAULT = "als"
"""The algorithm of a `[model]` section that names none."""

EASE_ITEMS = 2_000
"""Up to this many items EASE is compared with by default: its search is then some 10^10 operations, a few seconds."""


def publishable() -> dict[str, Algorithm]:
    """The models that can be trained, published and served, by name."""
    return {name: algorithm for name, algorithm in ALGORITHMS.items() if isinstance(algorithm, Algorithm)}


def model_config(tree: Mapping[str, Any]) -> FactorModelConfig:
    """The `[model]` section of plain values, for the algorithm that it names or DEFAULT. Raises ValidationError."""
    name = tree.get("algorithm", DEFAULT)
    if isinstance(name, str) and name in publishable():
        return publishable()[name].config.model_validate(tree)
    unknown = PydanticCustomError("algorithm", _expected_algorithm(name))
    details = InitErrorDetails(type=unknown, loc=("algorithm",), input=name)
    raise ValidationError.from_exception_data("model", [details])


def explain_model_key(tree: Mapping[str, Any], key: str) -> str:
    """The message for a `key` that the section must not have: which algorithms have it, or the nearest known key."""
    name = tree.get("algorithm", DEFAULT)
    owners = [repr(other) for other, each in publishable().items() if key in each.config.model_fields]
    if owners:
        return f"not a key of {name!r}; {' and '.join(owners)} {'has' if len(owners) == 1 else 'have'} it"
    return f"unknown key{unknown_key_hint(key, publishable()[name].config.model_fields)}"


def _by_algorithm(value: Any, handler: ValidatorFunctionWrapHandler) -> FactorModelConfig:
    if isinstance(value, FactorModelConfig):
        return value
    if isinstance(value, Mapping):
        return model_config(value)
    section: FactorModelConfig = handler(value)  # raises pydantic's own error
    return section


ModelConfig = Annotated[SerializeAsAny[FactorModelConfig], WrapValidator(_by_algorithm)]
"""`[model]`: the section of the algorithm that it names. Every algorithm of the registry has its own class."""


def fit_model(
    matrix: InteractionMatrix,
    config: FactorModelConfig,
    *,
    start: Embeddings | None = None,
    progress: Progress = silent,
    on_iteration: OnIteration | None = None,
) -> FactorModel:
    """Fit the model that `config` describes, and learn the weights of its neighbours.

    `start`: embeddings of the same users and items to start from, for a WarmStartConfig. `on_iteration`: see
    `OnIteration`; a model that has no iterations calls it once, with 1, after the fit. The models it is called with
    have no neighbours.
    Raises DataError if `matrix` holds nothing, ModelError if the fit fails or cannot take a start.
    """
    algorithm, options = _algorithm(config.algorithm), dict[str, Any]()
    if start is not None:
        if not isinstance(config, WarmStartConfig):
            raise ModelError(f"{config.algorithm}: cannot start from the vectors of an earlier fit")
        options["start"] = start
    if isinstance(config, IterativeConfig):
        options["on_iteration"] = on_iteration
    model = algorithm.fit(matrix, config, progress=progress, **options)
    if on_iteration is not None and not isinstance(config, IterativeConfig):
        on_iteration(1, model)
    return blended(model, fit_blend(matrix.csr, config, progress=progress), config.neighbours_share)


def fit_blend(csr: Csr, config: FactorModelConfig, *, progress: Progress = silent) -> Blend | None:
    """The neighbours that `config` asks for, learned from `csr` (n_users, n_items); None if it asks for none."""
    if config.neighbours == 0 or config.neighbours_share == 0:
        return None
    weights = regress_on_neighbours(
        csr,
        neighbours=config.neighbours,
        regularization=config.neighbours_regularization,
        progress=progress,
    )
    return Blend.of(weights, csr)


def load_model(folder: Path, *, users: bool = True) -> FactorModel:
    """Map a model that its `save` wrote. Raises ArtifactError if it is damaged or of an unknown algorithm.

    Without `users` the users' vectors are neither opened nor needed; the model must fold in exactly.
    """
    name = read_model_file(folder)["algorithm"]
    if name not in publishable():
        known = ", ".join(publishable())
        raise ArtifactError(f"{folder}: made by the unknown algorithm {name!r}; expected one of {known}")
    if not users and not publishable()[name].folds_in_exactly:
        raise ArtifactError(
            f"{folder}: made by {name!r}, whose users have vectors of their own that do not follow from their"
            ' histories; users cannot be folded in: expected users = "stored"'
        )
    return publishable()[name].load(folder, users=users)


def fit_baseline(
    name: str, matrix: InteractionMatrix, *, settings: Mapping[str, float] | None = None, progress: Progress = silent
) -> Recommender:
    """Fit the baseline called `name` with its default settings, but for `settings`, see `tuning.baseline_settings`.

    Raises ConfigError, with the known names, if it is unknown; ModelError if the model refuses the matrix.
    """
    known = _known(name)
    with _naming_the_key():
        if isinstance(known, Baseline):
            return known.fit(matrix, progress, **settings or {})
        model = fit_model(matrix, model_config({"algorithm": name}), progress=progress)
        return FactorRecommender(name, model, ExactSearch(model.embeddings.scoring_items))


def baselines_of(evaluate: EvaluateConfig, n_items: int) -> tuple[str, ...]:
    """The baselines of `evaluate`, by name, for a train side of `n_items` items."""
    if evaluate.baselines is not None:
        return evaluate.baselines
    return ("popular", "item_knn", "ease") if n_items <= EASE_ITEMS else ("popular", "item_knn")


def check_algorithms(model: FactorModelConfig, evaluate: EvaluateConfig) -> None:
    """Raise ConfigError if the model or a baseline is unknown or not installed, or a baseline is named twice.

    Checks only the settings and what is installed, so it can be called before anything is read or fitted.
    """
    _check_installed("model.algorithm", model.algorithm)
    named = evaluate.baselines or ()
    for name in named:
        _known(name)
        if (times := named.count(name)) > 1:
            raise ConfigError(f"evaluate.baselines: {name!r} is named {times} times; expected once")
        if name == model.algorithm:
            raise ConfigError(f"evaluate.baselines: {name!r} is the model itself (model.algorithm); leave it out")
        _check_installed("evaluate.baselines", name)


def check_fits(names: Sequence[str], train: Callable[[], InteractionMatrix]) -> None:
    """Raise ModelError if the matrix is too large for one of the baselines `names`; nothing is fitted.

    `train` makes the matrix; it is called only if one of them has a limit.
    """
    checks = [known.check_size for name in names if isinstance(known := _known(name), Baseline)]
    if limits := [check for check in checks if check is not None]:
        n_items = train().n_items
        with _naming_the_key():
            for check in limits:
                check(n_items)


def _algorithm(name: str) -> Algorithm:
    known = publishable()
    if name in known:
        return known[name]
    raise ConfigError(f"model.algorithm: got {name!r}; {_expected_algorithm(name)}")


def _expected_algorithm(name: object) -> str:
    nearest = nearest_name(str(name), publishable())
    hint = f"; did you mean {nearest!r}?" if nearest else ""
    only = " (it can only be a baseline)" if name in ALGORITHMS else ""
    return f"expected any of {', '.join(publishable())}{only}{hint}"


def _known(name: str) -> Algorithm | Baseline:
    if name in ALGORITHMS:
        return ALGORITHMS[name]
    nearest = nearest_name(name, ALGORITHMS)
    hint = f", did you mean {nearest!r}?" if nearest else ""
    raise ConfigError(f"evaluate.baselines: {name!r} is unknown{hint}; expected any of {', '.join(ALGORITHMS)}")


def _check_installed(key: str, name: str) -> None:
    known = ALGORITHMS[name]
    if isinstance(known, Algorithm) and (reason := known.unavailable()):
        raise ConfigError(f"{key}: {name!r} {reason}")


@contextmanager
def _naming_the_key() -> Iterator[None]:
    """Adds the configuration key to the error of a baseline that refuses its matrix."""
    try:
        yield
    except ModelError as error:
        raise ModelError(f"evaluate.baselines: {error}") from error
