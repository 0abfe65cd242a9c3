"""Baselines by name, as `evaluate.baselines` lists them."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from recsys.data.matrix import InteractionMatrix
from recsys.errors import ConfigError
from recsys.models.item_knn import ItemKnnRecommender
from recsys.models.popularity import PopularityRecommender
from recsys.models.recommender import Recommender

BASELINES: Mapping[str, Callable[[InteractionMatrix], Recommender]] = MappingProxyType(
    {"popular": PopularityRecommender.fit, "item_knn": ItemKnnRecommender.fit}
)


def fit_baseline(name: str, matrix: InteractionMatrix) -> Recommender:
    """Fit the baseline called `name`. Raises ConfigError, with the known names, for any other."""
    if name not in BASELINES:
        raise ConfigError(f"evaluate.baselines: {name!r} is unknown; expected any of {', '.join(BASELINES)}")
    return BASELINES[name](matrix)
