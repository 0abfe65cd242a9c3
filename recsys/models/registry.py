"""Baselines by name, as `evaluate.baselines` lists them; docs/baselines.md describes each."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType

from recsys.config import EvaluateConfig
from recsys.data.matrix import InteractionMatrix
from recsys.errors import ConfigError, ModelError
from recsys.models.factors import item2vec
from recsys.models.factors.bpr import BprRecommender
from recsys.models.factors.svd import fit_svd
from recsys.models.neighbours.ease import EaseRecommender, check_memory
from recsys.models.neighbours.item_knn import ItemKnnRecommender
from recsys.models.neighbours.rp3beta import fit_rp3beta
from recsys.models.popularity import PopularityRecommender
from recsys.models.recommender import Recommender
from recsys.progress import Progress, silent
from recsys.suggestions import nearest_name

BASELINES: Mapping[str, Callable[[InteractionMatrix, Progress], Recommender]] = MappingProxyType(
    {
        "popular": lambda matrix, progress: PopularityRecommender.fit(matrix),
        "popular_weighted": lambda matrix, progress: PopularityRecommender.fit_weighted(matrix),
        "item_knn": lambda matrix, progress: ItemKnnRecommender.fit(matrix, progress=progress),
        "item_knn_bm25": lambda matrix, progress: ItemKnnRecommender.fit_bm25(matrix, progress=progress),
        "rp3beta": lambda matrix, progress: fit_rp3beta(matrix, progress=progress),
        "ease": lambda matrix, progress: EaseRecommender.fit(matrix, progress=progress),
        "bpr": lambda matrix, progress: BprRecommender.fit(matrix, progress=progress),
        "svd": lambda matrix, progress: fit_svd(matrix, progress=progress),
        "item2vec": lambda matrix, progress: item2vec.fit_item2vec(matrix, progress=progress),
    }
)


def check_baselines(config: EvaluateConfig) -> None:
    """Raise ConfigError where a baseline is unknown, named twice, or cannot work with these settings.

    Looks at the settings and at what is installed, so ask before anything is fitted.
    """
    names = config.baselines
    for name in names:
        _check_known(name)
        if names.count(name) > 1:
            raise ConfigError(f"evaluate.baselines: {name!r} is named {names.count(name)} times; expected once")
    if "bpr" in names and config.split == "held_out_users":
        raise ConfigError(
            "evaluate.baselines: 'bpr' knows nobody but the users it was trained on, and evaluate.split = "
            "\"held_out_users\" asks for others; expected another split, or no 'bpr'"
        )
    if "item2vec" in names:
        item2vec.check_installed()


def check_fits(names: Sequence[str], train: Callable[[], InteractionMatrix]) -> None:
    """Raise ModelError where the matrix is too large for one of the baselines `names`; nothing is fitted.

    `train` makes the matrix; it is called only where one of them has a limit.
    """
    if "ease" in names:
        with _refusals():
            check_memory(train().n_items)


def fit_baseline(name: str, matrix: InteractionMatrix, *, progress: Progress = silent) -> Recommender:
    """Fit the baseline called `name`.

    Raises ConfigError, with the known names, for any other; ModelError where the baseline refuses the matrix.
    """
    _check_known(name)
    with _refusals():
        return BASELINES[name](matrix, progress)


def _check_known(name: str) -> None:
    if name in BASELINES:
        return
    nearest = nearest_name(name, BASELINES)
    hint = f", did you mean {nearest!r}?" if nearest else ""
    raise ConfigError(f"evaluate.baselines: {name!r} is unknown{hint}; expected any of {', '.join(BASELINES)}")


@contextmanager
def _refusals() -> Iterator[None]:
    """A model that refuses its matrix says why; this says where it was asked for."""
    try:
        yield
    except ModelError as error:
        raise ModelError(f"evaluate.baselines: {error}") from error
