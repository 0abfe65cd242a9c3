"""Settings: what a search changes in a configuration, and the settings of the events at a point."""

from collections.abc import Iterable, Mapping

from recsys.pipeline_config import PipelineConfig
from recsys.tuning.space import EVENT_WEIGHT, Point, Value

Setting = Value | None | Mapping[str, float]
Settings = dict[str, dict[str, Setting]]
"""Section to key to value, as in pipeline.toml; None if the key is left out."""


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
    return float(short(float(point[name])))


def short(value: Value) -> Value:
    """Floats to three digits, so that what is written down is what was measured."""
    return float(f"{value:.3g}") if isinstance(value, float) else value
