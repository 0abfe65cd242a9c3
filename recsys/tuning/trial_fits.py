"""The fits of a short search: each is tried once, as long as the work allows it."""

import json
import logging
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from recsys.errors import ModelError
from recsys.models.factors.als import AlsConfig
from recsys.models.factors.config import FactorModelConfig, IterativeConfig
from recsys.models.neighbours.learning_users import steps_of
from recsys.progress import Progress
from recsys.tuning.early_stopping import explored
from recsys.tuning.measured import EXPONENTS, SHARES, Measured, Within, best_of
from recsys.tuning.settings import found_in_fit
from recsys.tuning.validation import ValidationSet
from recsys.tuning.work import WorkBudget, fit_work, neighbours_work, work_on

logger = logging.getLogger(__name__)

_ROUGHLY = (2, 4, 8)
_FINELY = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15)
"""Iterations of ALS after which a fit is measured, which may cost more than an iteration."""

_FEW_SHARES = (0.0, 0.3, 1.0)

_USUAL = 4  # iterations that a fit takes as a rule; with less work left it is not begun


@dataclass(frozen=True, eq=False)
class Tried:
    """A fit: the `model` with what was found within it, its measurements, and the number of users trained on.

    `cut`: the end of the work, or of the time, ended it. `half_life_days`: with which its events were weighed.
    """

    model: FactorModelConfig
    curve: tuple[Measured, ...]
    n_users: int
    cut: bool = False
    half_life_days: float | None = None

    @property
    def best(self) -> Measured:
        """The best of its measurements."""
        return best_of(self.curve)

    @property
    def score(self) -> float:
        """The mean over the validation users."""
        return self.best.score


def score_of(tried: Tried) -> float:
    """For sorting."""
    return tried.score


def best_fit(tried: Iterable[Tried]) -> Tried:
    """The best; of equal ones the first."""
    return max(tried, key=score_of)


@dataclass(eq=False)
class Fits:
    """All fits of one search, in order. No settings are fitted twice on the same matrix.

    `keys`: the settings that may be found within a fit, among others. `keep_on`: asked after every measurement.
    `failure`: why the last fit failed that did.
    """

    keys: frozenset[str]
    budget: WorkBudget
    progress: Progress
    keep_on: Callable[[], bool]
    tried: list[Tried] = field(default_factory=list)
    failure: str = ""
    _known: dict[str, Tried | None] = field(default_factory=dict)
    _kinds: set[bool] = field(default_factory=set)
    _learned: set[str] = field(default_factory=set)

    def fit(
        self, data: ValidationSet, model: FactorModelConfig, *, roughly: bool = False, share: float = 1.0
    ) -> Tried | None:
        """Fit `model` on the train side of `data`; None if it fails, or `share` of the work is done.

        One rough fit and one other are always made. `roughly`: few iterations of ALS, and fewer measurements.
        """
        model = _shorter(model) if roughly else model
        key = f"{_name(data)} {roughly} {_key(model)}"
        if key in self._known:
            return self._known[key]
        work = work_on(data, model, iterations=_USUAL, measurements=_USUAL)
        if roughly in self._kinds and not (self.budget.allows(work, share) and self.keep_on()):
            return None
        self._known[key] = tried = self._fit(data, model, roughly=roughly, share=share)
        if tried is not None:
            self._kinds.add(roughly)
            self.tried.append(tried)
        return tried

    def _fit(self, data: ValidationSet, model: FactorModelConfig, *, roughly: bool, share: float) -> Tried | None:
        self.budget.used += self._learning_neighbours(data, model)
        before, measured, cut = self.budget.used, 0, False

        def keep_on(done: int, score: float) -> bool:
            nonlocal measured, cut
            measured += 1
            self.budget.used = before + work_on(data, model, iterations=done, measurements=measured)
            self.progress("settings", min(self.budget.used, self.budget.limit), self.budget.limit)
            cut = not (self.budget.used < share * self.budget.limit and self.keep_on())
            return not cut

        shares = (
            (_FEW_SHARES if roughly else SHARES) if "neighbours_share" in self.keys else (model.neighbours_share,)
        )
        within = Within(self._exponents(model), shares, _measured_after(model, roughly), tradeoff=not roughly)
        try:
            curve = explored(data, model, keep_on=keep_on, within=within)
        except ModelError as error:
            self.failure = str(error)
            logger.warning("settings that cannot be fitted are passed over: %s", error)
            return None
        last = model.iterations if isinstance(model, IterativeConfig) else 1
        cut = cut and curve[-1].iterations < last
        return Tried(self._as_found(model, best_of(curve)), curve, data.train.n_users, cut, data.half_life_days)

    def _learning_neighbours(self, data: ValidationSet, model: FactorModelConfig) -> float:
        """The work of learning neighbours that are not known yet."""
        key = f"{_name(data)} {model.neighbours}"
        if key in self._learned:
            return 0.0
        self._learned.add(key)
        steps = steps_of(data.train.csr, model.neighbours) if model.neighbours else 0.0
        return neighbours_work(data.train.n_items, model, steps=steps)

    def _exponents(self, model: FactorModelConfig) -> tuple[float, ...]:
        return EXPONENTS if "popularity_exponent" in self.keys else (model.popularity_exponent,)

    def _as_found(self, model: FactorModelConfig, best: Measured) -> FactorModelConfig:
        found = {name: getattr(best, name) for name in found_in_fit(model) if name in self.keys}
        if "neighbours" in self.keys and best.neighbours_share == 0:
            found["neighbours"] = 0
        return model.model_copy(update=found)


def rough_work(data: ValidationSet, model: FactorModelConfig) -> float:
    """Nanoseconds of a rough fit of ALS on `data`."""
    return work_on(data, model, iterations=_ROUGHLY[-1], measurements=len(_ROUGHLY))


def rough_fit_work(data: ValidationSet, model: FactorModelConfig) -> float:
    """The part of `rough_work` that does not depend on the number of validation users."""
    train = data.train.csr
    return fit_work(train.shape, train.nnz, model, iterations=_ROUGHLY[-1])


def _shorter(model: FactorModelConfig) -> FactorModelConfig:
    if not isinstance(model, AlsConfig):
        return model
    return model.model_copy(update={"iterations": min(model.iterations, _ROUGHLY[-1])})


def _measured_after(model: FactorModelConfig, roughly: bool) -> Collection[int] | None:
    if not isinstance(model, AlsConfig):
        return None  # others say themselves after how many they can be measured
    return _ROUGHLY if roughly else _FINELY


def _name(data: ValidationSet) -> str:
    """Tells the matrices of one search apart."""
    return f"{data.train.n_users} {data.half_life_days}"


def _key(model: FactorModelConfig) -> str:
    """What a fit depends on, less what is found within it; the same text for the same settings."""
    found = set(found_in_fit(model))
    return json.dumps(model.model_dump(mode="json", exclude=found), sort_keys=True)
