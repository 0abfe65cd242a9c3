"""Settings: what a point of the space means in a configuration, and back.

The numbers of `[model]` that can be searched are those that its algorithm names (`Algorithm.tunable`); ALS has
coordinates of its own. The iterations and the popularity exponent are found within each fit.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol, get_args

from recsys.data.confidence import fit_confidence
from recsys.data.matrix import Csr
from recsys.models.algorithm import Bounds
from recsys.models.factors.als import AlsConfig
from recsys.models.factors.config import FactorModelConfig
from recsys.models.registry import publishable
from recsys.pipeline_config import PipelineConfig
from recsys.tuning.space import EVENT_WEIGHT, Point, Space, Value, has_meaning

Setting = Value | None | Mapping[str, float]
Settings = dict[str, dict[str, Setting]]
"""Section to key to value, as in pipeline.toml; None if the key is left out."""

FOUND = ("iterations", "popularity_exponent", "neighbours_share")


def applied(config: PipelineConfig, settings: Settings) -> PipelineConfig:
    """`config` with `settings` instead of its own."""
    return config.model_copy(
        update={name: getattr(config, name).model_copy(update=keys) for name, keys in settings.items()}
    )


def changed(config: PipelineConfig, settings: Settings) -> Settings:
    """Those of `settings` that `config` does not have already."""
    different = {
        name: {key: value for key, value in keys.items() if getattr(getattr(config, name), key) != value}
        for name, keys in settings.items()
    }
    return {name: keys for name, keys in different.items() if keys}


def flat(settings: Settings) -> dict[str, Setting]:
    """By dotted key, as `--set` takes them: "log.event_weights.view"."""
    found: dict[str, Setting] = {}
    for section, keys in settings.items():
        for key, value in keys.items():
            if isinstance(value, Mapping):
                found |= {f"{section}.{key}.{kind}": weight for kind, weight in value.items()}
            else:
                found[f"{section}.{key}"] = value
    return found


def event_settings(point: Point, config: PipelineConfig) -> Settings:
    """The settings of the events at `point`; none, unless they are searched too."""
    settings: Settings = {}
    weights = {name.removeprefix(EVENT_WEIGHT): _number(point, name) for name in point if _is_weight(name)}
    if weights:
        settings["log"] = {"event_weights": {**config.log.event_weights, **weights}}
    if "decay" in point:
        settings["prepare"] = {"half_life_days": _number(point, "half_life_days") if point["decay"] else None}
    return settings


def events_point(config: PipelineConfig, names: Iterable[str]) -> Point:
    """The event settings of `config` among the coordinates `names`."""
    known, weights = list(names), config.log.event_weights
    point: Point = {name: weights.get(name.removeprefix(EVENT_WEIGHT), 1.0) for name in known if _is_weight(name)}
    half_life = config.prepare.half_life_days
    if "decay" in known:
        point["decay"] = half_life is not None
    if "decay" in known and half_life is not None:
        point["half_life_days"] = half_life
    return point


def _is_weight(name: str) -> bool:
    return name.startswith(EVENT_WEIGHT)


def _number(point: Point, name: str) -> float:
    return float(_short(float(point[name])))


def _short(value: Value) -> Value:
    """Floats to three digits, so that what is written down is what was measured."""
    return float(f"{value:.3g}") if isinstance(value, float) else value


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
    without = () if model.neighbours else ("neighbours_share",)
    return tuple(name for name in FOUND if name in type(model).model_fields and name not in without)


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
        return {name: _short(point[name]) for name in names if name in point}


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
            "neighbours_share": ("neighbours_share",),
        }

    def point(self, train: Csr) -> Point:
        model = self.model
        point: Point = {name: getattr(model, name) for name in ("weighting", "start", *found_in_fit(model))}
        point |= {name: getattr(model, name) for name in _WEIGHTING if has_meaning(name, point)}
        strength = model.alpha * _mean_confidence(train, model)
        return {**point, "strength": strength, "penalty": model.regularization / strength}

    def settings(self, point: Point, train: Csr) -> dict[str, Setting]:
        names = ("weighting", "start", *_WEIGHTING, *found_in_fit(self.model))
        keys = {name: _short(point[name]) for name in names if name in point}
        strength = float(point["strength"])
        alpha = _short(strength / _mean_confidence(train, self.model.model_copy(update=keys)))
        return {**keys, "alpha": alpha, "regularization": _short(float(point["penalty"]) * strength)}


_ALS_RANGES = {
    "strength": Bounds(0.1, 200, log=True),
    "penalty": Bounds(0.05, 60, log=True),
    "user_degree_exponent": Bounds(0, 1),
    "item_degree_exponent": Bounds(0, 1),
    "bm25_k1": Bounds(0.1, 300, log=True),
    "bm25_b": Bounds(0, 1),
}
_WEIGHTING = ("user_degree_exponent", "item_degree_exponent", "bm25_k1", "bm25_b")


def _mean_confidence(train: Csr, model: AlsConfig) -> float:
    """Of a stored entry, with alpha 1."""
    return float(fit_confidence(train, model.model_copy(update={"alpha": 1.0})).apply(train).data.mean())
