"""Entries of the registry: Algorithm for a model that can be served, Baseline for one that can only be compared."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from recsys.models.factors.config import FactorModelConfig
from recsys.models.factors.model import FactorModel
from recsys.models.recommender import Recommender


@dataclass(frozen=True)
class Bounds:
    """The range of a setting in a search, `low` to `high`.

    `log`: searched on a logarithmic scale. `whole`: integers only.
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False


def _available() -> str | None:
    return None


@dataclass(frozen=True)
class Algorithm:
    """A model that learns embeddings, and so can be trained, published and served.

    `config`: its `[model]` section. What it can do follows from the class it derives from, see
    `recsys.models.factors.config`.
    `fit(matrix, config, *, progress)` returns a FactorModel. With an IterativeConfig it also takes `on_iteration`,
    with a WarmStartConfig also `start`, the Embeddings to start from.
    `load(folder, users)` reads what the `save` of the model wrote; without `users` the users' vectors are left out.
    `folds_in_exactly`: whether fold-in gives a row of training its trained vector, so that users' vectors are not
    needed; if not, fold-in is the best guess for the history.
    `unavailable`: returns what is not installed, such as "needs gensim ..."; None if nothing is missing.
    `tunable`: the numbers of its section that `recsys tune` may search, by key; the popularity exponent and the
    iterations are found within each fit and need no bounds.
    """

    config: type[FactorModelConfig]
    fit: Callable[..., FactorModel]
    load: Callable[..., FactorModel]
    folds_in_exactly: bool = True
    unavailable: Callable[[], str | None] = _available
    tunable: Mapping[str, Bounds] = field(default_factory=dict)


@dataclass(frozen=True)
class Baseline:
    """A model that can only be compared with.

    `fit(matrix, progress)` returns it; that of EASE also takes `regularization`. `check_size`: raises ModelError if
    there are too many items for it.
    """

    fit: Callable[..., Recommender]
    check_size: Callable[[int], None] | None = None
