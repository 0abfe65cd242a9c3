"""From a point of the space to the settings of a configuration, and back."""

from typing import Any

from recsys.data.confidence import fit_confidence
from recsys.data.matrix import Csr
from recsys.errors import ConfigError
from recsys.models.factors.als import AlsConfig
from recsys.pipeline_config import PipelineConfig
from recsys.tuning.space import EVENT_WEIGHT, Point, has_meaning

Settings = dict[str, dict[str, Any]]
"""Section to key to value, as in pipeline.toml; None where the key is left out."""

_AS_THEY_ARE = ("weighting", "start", "user_degree_exponent", "item_degree_exponent", "bm25_k1", "bm25_b")
_FOUND = ("iterations", "popularity_exponent")


def als_section(config: PipelineConfig) -> AlsConfig:
    """The `[model]` section of `config`. Raises ConfigError if it is that of another algorithm."""
    if not isinstance(config.model, AlsConfig):
        raise ConfigError(f"model.algorithm: tune searches the settings of 'als', got {config.model.algorithm!r}")
    return config.model


def applied(config: PipelineConfig, settings: Settings) -> PipelineConfig:
    """`config` with `settings` in the place of its own."""
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


def event_settings(point: Point, config: PipelineConfig) -> Settings:
    """What `point` says of the events: nothing, unless they are searched too."""
    settings: Settings = {}
    weights = {name.removeprefix(EVENT_WEIGHT): _short(value) for name, value in point.items() if _is_weight(name)}
    if weights:
        settings["log"] = {"event_weights": {**config.log.event_weights, **weights}}
    if "decay" in point:
        settings["prepare"] = {"half_life_days": _short(point["half_life_days"]) if point["decay"] else None}
    return settings


def model_settings(point: Point, model: AlsConfig, train: Csr) -> Settings:
    """What `point` says of the model; `train`: the matrix under its event settings."""
    keys = {name: _short(point[name]) for name in (*_AS_THEY_ARE, *_FOUND) if name in point}
    keys["alpha"] = _short(point["strength"] / _mean_confidence(train, model.model_copy(update=keys)))
    keys["regularization"] = _short(point["penalty"] * point["strength"])
    return {"model": keys}


def point_of(config: PipelineConfig, train: Csr) -> Point:
    """The point whose settings are those of `config`, but for rounding; its events are not in it."""
    model = als_section(config)
    point: Point = {"weighting": model.weighting, "start": model.start}
    point |= {name: getattr(model, name) for name in _AS_THEY_ARE if has_meaning(name, point)}
    strength = model.alpha * _mean_confidence(train, model)
    found = {name: getattr(model, name) for name in _FOUND}
    return {**point, "strength": strength, "penalty": model.regularization / strength, **found}


def events_point(config: PipelineConfig, names: list[str]) -> Point:
    """The event settings of `config` among the coordinates `names`."""
    weights = config.log.event_weights
    point: Point = {name: weights.get(name.removeprefix(EVENT_WEIGHT), 1.0) for name in names if _is_weight(name)}
    if "decay" in names:
        point["decay"] = config.prepare.half_life_days is not None
        if point["decay"]:
            point["half_life_days"] = config.prepare.half_life_days
    return point


def _is_weight(name: str) -> bool:
    return name.startswith(EVENT_WEIGHT)


def _mean_confidence(train: Csr, model: AlsConfig) -> float:
    """Of a stored entry, with alpha 1."""
    return float(fit_confidence(train, model.model_copy(update={"alpha": 1.0})).apply(train).data.mean())


def _short(value: Any) -> Any:
    """Numbers to three digits: what is written down is what was measured."""
    return float(f"{value:.3g}") if isinstance(value, float) else value
