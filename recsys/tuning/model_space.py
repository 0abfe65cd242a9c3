"""The space of each algorithm: from a point to the settings of `[model]`, and back.

The numbers that an algorithm lets be searched are those that it names itself (`Algorithm.tunable`); ALS has
coordinates of its own. The iterations and the popularity exponent are found within each fit.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol, get_args

from recsys.data.confidence import fit_confidence
from recsys.data.matrix import Csr
from recsys.models.algorithm import Bounds
from recsys.models.factors.als import AlsConfig
from recsys.models.factors.config import FactorModelConfig
from recsys.models.registry import publishable
from recsys.tuning.settings import Setting, short
from recsys.tuning.space import Point, Space, has_meaning

_FOUND = ("iterations", "popularity_exponent")


class ModelSpace(Protocol):
    """The settings of one `[model]` section that can be searched."""

    @property
    def space(self) -> Space:
        """The coordinates."""

    @property
    def groups(self) -> Mapping[str, tuple[str, ...]]:
        """Coordinates that make one step of an ablation, by the name of the step."""

    def point(self, train: Csr) -> Point:
        """The point whose settings are those of the section, except for rounding, and what a fit finds."""

    def settings(self, point: Point, train: Csr) -> dict[str, Setting]:
        """The settings at `point`. `train`: float32 CSR (n_users, n_items), the training matrix."""


def space_of(model: FactorModelConfig) -> ModelSpace:
    """The space of a `[model]` section."""
    return _AlsSpace(model) if isinstance(model, AlsConfig) else _PlainSpace(model)


def found_in_fit(model: FactorModelConfig) -> tuple[str, ...]:
    """The settings that are found within each fit of `model`."""
    return tuple(name for name in _FOUND if name in type(model).model_fields)


@dataclass(frozen=True)
class _PlainSpace:
    """Every coordinate is a setting. `factors`, if it can be searched, is at most what the section has."""

    model: FactorModelConfig

    @property
    def space(self) -> Space:
        ranges = dict(publishable()[self.model.algorithm].tunable)
        if "factors" in ranges:
            bounds = ranges["factors"]
            ranges["factors"] = replace(bounds, low=min(bounds.low, self.model.factors), high=self.model.factors)
        return Space({}, ranges)

    @property
    def groups(self) -> Mapping[str, tuple[str, ...]]:
        return {name: (name,) for name in (*self.space.ranges, *found_in_fit(self.model))}

    def point(self, train: Csr) -> Point:
        return {name: getattr(self.model, name) for name in (*self.space.ranges, *found_in_fit(self.model))}

    def settings(self, point: Point, train: Csr) -> dict[str, Setting]:
        names = (*self.space.ranges, *found_in_fit(self.model))
        return {name: short(point[name]) for name in names if name in point}


@dataclass(frozen=True)
class _AlsSpace:
    """ALS in coordinates that mean the same under every weighting.

    Confidences differ by orders of magnitude between weightings, and so do good values of alpha and of the
    regularization. So a point has `strength`, the mean confidence of a stored entry, instead of alpha, and
    `penalty`, the regularization divided by the strength, instead of the regularization.
    """

    model: AlsConfig

    @property
    def space(self) -> Space:
        choices = {name: get_args(AlsConfig.model_fields[name].annotation) for name in ("weighting", "start")}
        return Space(choices, _ALS_RANGES)

    @property
    def groups(self) -> Mapping[str, tuple[str, ...]]:
        return {
            "weighting": ("weighting", *_WEIGHTING),
            "alpha, regularization": ("strength", "penalty"),
            "start, iterations": ("start", "iterations"),
            "popularity_exponent": ("popularity_exponent",),
        }

    def point(self, train: Csr) -> Point:
        model = self.model
        point: Point = {name: getattr(model, name) for name in ("weighting", "start", *found_in_fit(model))}
        point |= {name: getattr(model, name) for name in _WEIGHTING if has_meaning(name, point)}
        strength = model.alpha * _mean_confidence(train, model)
        return {**point, "strength": strength, "penalty": model.regularization / strength}

    def settings(self, point: Point, train: Csr) -> dict[str, Setting]:
        names = ("weighting", "start", *_WEIGHTING, *found_in_fit(self.model))
        keys = {name: short(point[name]) for name in names if name in point}
        strength = float(point["strength"])
        alpha = short(strength / _mean_confidence(train, self.model.model_copy(update=keys)))
        return {**keys, "alpha": alpha, "regularization": short(float(point["penalty"]) * strength)}


_ALS_RANGES = {
    "strength": Bounds(0.5, 200, log=True),
    "penalty": Bounds(0.05, 30, log=True),
    "user_degree_exponent": Bounds(0, 1),
    "item_degree_exponent": Bounds(0, 1),
    "bm25_k1": Bounds(0.1, 300, log=True),
    "bm25_b": Bounds(0, 1),
}
_WEIGHTING = ("user_degree_exponent", "item_degree_exponent", "bm25_k1", "bm25_b")


def _mean_confidence(train: Csr, model: AlsConfig) -> float:
    """Of a stored entry, with alpha 1."""
    return float(fit_confidence(train, model.model_copy(update={"alpha": 1.0})).apply(train).data.mean())
