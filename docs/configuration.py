"""Writes docs/configuration.md from the configuration's own models: `python docs/configuration.py`."""

import types
import typing
from pathlib import Path
from typing import Any, Literal

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from recsys.config import Duration, Section, duration_text
from recsys.config.base import DurationOrAuto, NamesOrAuto
from recsys.content.encoder import EncoderKind
from recsys.content.registry import DEFAULT as DEFAULT_ENCODER
from recsys.content.registry import ENCODERS
from recsys.models.algorithm import Algorithm
from recsys.models.registry import DEFAULT, publishable
from recsys.pipeline_config import PipelineConfig

TARGET = Path(__file__).with_suffix(".md")

_HEAD = """# Configuration

Every key of `pipeline.toml`, written from the code by `python docs/configuration.py`. Relative paths start at the
file's folder; `$RECSYS_DATA_DIR` in a path stands for the folder of data sets (`data` in the working folder if it
is unset). An unknown key is an error that suggests the nearest known one. Any key can be overridden for one run:
`recsys run pipeline.toml --set model.factors=64`.

A duration is a number and a unit, as in `"28d"`: `s` seconds, `m` minutes, `h` hours, `d` days, `w` weeks; a number
without a unit is seconds.

`workspace` (default `"workspace"`) stands at the top of the file, before any table: the folder of the steps' outputs
and of the report.
"""


def render() -> str:
    """The whole page."""
    sections = [(name, field) for name, field in PipelineConfig.model_fields.items() if name != "workspace"]
    return _HEAD + "".join(_section(name, field) for name, field in sections)


def _section(name: str, field: FieldInfo) -> str:
    if name == "model":
        return _model_section()
    if name == "content":
        return _content_section()
    model = _section_type(field.annotation)
    summary = (model.__doc__ or "").partition(": ")[2]
    inner = {key: each for key, each in model.model_fields.items() if _is_section(each.annotation)}
    plain = {key: each for key, each in model.model_fields.items() if key not in inner}
    page = f"\n## [{name}]\n\n{summary[0].upper()}{summary[1:]}\n\n{_table(plain)}"
    return page + "".join(_section(f"{name}.{key}", each) for key, each in inner.items())


def _content_section() -> str:
    names = ", ".join(f"`{name}`" for name in ENCODERS)
    head = (
        "\n## [[content]]\n\nVectors made of what `[items]` says, for items with few events or none. One table per\n"
    )
    head += f"source. `encoder` is one of {names}; the default is `{DEFAULT_ENCODER}`. Each has its own keys.\n"
    return head + "".join(_encoder(name, kind) for name, kind in ENCODERS.items())


def _encoder(name: str, kind: EncoderKind) -> str:
    fields = {key: field for key, field in kind.config.model_fields.items() if key != "encoder"}
    return f'\n### encoder = "{name}"\n\n{kind.config.__doc__}\n\n{_table(fields)}'


def _model_section() -> str:
    names = ", ".join(f"`{name}`" for name in publishable())
    head = f"\n## [model]\n\nWhat is learned, and how. `algorithm` is one of {names}; the default is `{DEFAULT}`.\n"
    head += "Each has its own keys and defaults. A key of another algorithm is an error.\n"
    return head + "".join(_algorithm(name, algorithm) for name, algorithm in publishable().items())


def _algorithm(name: str, algorithm: Algorithm) -> str:
    fields = {key: field for key, field in algorithm.config.model_fields.items() if key != "algorithm"}
    return f'\n### algorithm = "{name}"\n\n{algorithm.config.__doc__}\n\n{_table(fields)}'


_FILES = ("path", "paths")
"""Required, unless a database is named."""


def _table(fields: dict[str, FieldInfo]) -> str:
    required_first = sorted(fields.items(), key=lambda each: not (each[1].is_required() or each[0] in _FILES))
    rows = "".join(_row(key, field) for key, field in required_first)
    return f"| key | default | meaning |\n| :-- | :-- | :-- |\n{rows}"


def _row(key: str, field: FieldInfo) -> str:
    duration = "a duration" if _is_duration(field) else ""
    meaning = [field.description or "", _choices(field.annotation), duration, "" if duration else _range(field)]
    return f"| `{key}` | {_default(field)} | {'; '.join(part for part in meaning if part)} |\n"


def _default(field: FieldInfo) -> str:
    value: Any = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "required"
    if value is None and any(_is_of(field, kind) for kind in (DurationOrAuto, NamesOrAuto)):
        return '`"auto"`'
    if value is None or value in ((), {}):
        return "none"
    return f"`{_toml(duration_text(value) if _is_duration(field) else value)}`"


def _is_duration(field: FieldInfo) -> bool:
    # pydantic takes the annotation apart and keeps what came with the type.
    return _is_of(field, Duration)


def _is_of(field: FieldInfo, kind: Any) -> bool:
    return all(part in field.metadata for part in typing.get_args(kind)[1:])


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | Path):
        return f'"{value}"'
    return f"[{', '.join(map(_toml, value))}]" if isinstance(value, tuple) else str(value)


def _choices(annotation: Any) -> str:
    if typing.get_origin(annotation) is not Literal:
        return ""
    return "one of " + ", ".join(f"`{choice}`" for choice in typing.get_args(annotation))


def _range(field: FieldInfo) -> str:
    """The bounds of a number, as text."""
    bounds = {
        name: getattr(part, name)
        for part in field.metadata
        for name in ("ge", "gt", "le", "lt")
        if hasattr(part, name)
    }
    lowest = f"{bounds['ge']:,}" if "ge" in bounds else f"above {bounds.get('gt', 0):,}"
    highest = f"up to {bounds['le']:,}" if "le" in bounds else f"below {bounds.get('lt', 0):,}"
    return f"{lowest} {highest.removeprefix('up ')}" if len(bounds) == 2 else ""


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Section)


def _section_type(annotation: Any) -> type[Section]:
    if typing.get_origin(annotation) is tuple:  # of which there may be several
        return _section_type(typing.get_args(annotation)[0])
    kinds = typing.get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
    return next(kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Section))


if __name__ == "__main__":
    TARGET.write_text(render(), encoding="utf-8")
