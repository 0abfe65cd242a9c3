"""What the sections of a pipeline.toml are made of: paths, durations, a table that refuses unknown keys."""

import os
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    PlainValidator,
    ValidationInfo,
)

from recsys.address import Address, is_address
from recsys.errors import ConfigError
from recsys.remote import SCHEMES, RemotePath
from recsys.remote.remote_path import WEB

DATA_DIR_VARIABLE = "RECSYS_DATA_DIR"
"""Names the folder that `$RECSYS_DATA_DIR` in a path stands for; `data` in the working folder if it is unset."""

LARGEST_SEED = 2**32 - 1
"""The largest that every library takes."""

LONGEST_SECONDS = 36_500 * 86_400
"""The longest duration, a hundred years."""

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|d|w)")
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def data_dir() -> Path:
    """The folder of data sets."""
    return Path(os.environ.get(DATA_DIR_VARIABLE) or "data").absolute()


def seconds_of(value: Any) -> int:
    """The seconds of a duration such as "28d", or of a whole number. Raises ValueError."""
    seconds = _whole_seconds(value)
    if seconds > LONGEST_SECONDS:
        raise ValueError(f"expected at most '{duration_text(LONGEST_SECONDS)}'")
    return seconds


def _whole_seconds(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _DURATION.fullmatch(str(value).strip())
    if match is None:
        raise ValueError("expected a duration such as '28d', '12h' or '90m', or a number of seconds")
    return int(float(match[1]) * _UNIT_SECONDS[match[2]])


def duration_text(seconds: int) -> str:
    """The duration as written in a configuration, in the largest unit (days to seconds) that is whole: '28d'."""
    unit = next(unit for unit in ("d", "h", "m", "s") if seconds % _UNIT_SECONDS[unit] == 0)
    return f"{seconds // _UNIT_SECONDS[unit]}{unit}"


def resolved_path(path: Path, info: ValidationInfo) -> Path:
    """`path` from the configuration file's folder on, with `$RECSYS_DATA_DIR` filled in."""
    text = str(path)
    for form in (f"${{{DATA_DIR_VARIABLE}}}", f"${DATA_DIR_VARIABLE}"):
        text = text.replace(form, str(data_dir()))
    base = (info.context or {}).get("base", Path.cwd())
    return Path(os.path.normpath(base / text))


FilePath = Annotated[Path, AfterValidator(resolved_path)]
"""A path; relative ones start at the configuration file's folder."""


def _written(path: Path | RemotePath) -> str:
    return path.address.written if isinstance(path, RemotePath) else str(path)


def _input_path(value: Any, info: ValidationInfo) -> Path | RemotePath:
    if isinstance(value, RemotePath):
        return value
    if not isinstance(value, str | Path):
        raise ValueError("expected a path, or an address such as s3://bucket/folder")
    text = str(value)
    if not is_address(text) or text == f"${{{DATA_DIR_VARIABLE}}}":
        return resolved_path(Path(_checked_path(text)), info)
    return _checked_address(RemotePath(Address(text)))


def _checked_address(path: RemotePath) -> RemotePath:
    try:
        path.address.check_without_secret()
        if "${" not in path.address.written:  # else when its variables are set
            path.check()
    except ConfigError as error:
        raise ValueError(str(error)) from None
    return path


def _checked_path(text: str) -> str:
    if (scheme := text.partition(":/")[0]).lower() in SCHEMES and scheme != text:
        raise ValueError(f"{text!r} is no address; expected two slashes: {scheme}://")
    return text


InputPath = Annotated[Path | RemotePath, PlainValidator(_input_path), PlainSerializer(_written, return_type=str)]
"""A path, or the address of files in an object store or on a web server."""


def _store_path(value: Any, info: ValidationInfo) -> Path | RemotePath:
    path = _input_path(value, info)
    if isinstance(path, RemotePath) and "${" not in path.address.written:
        check_store_address(path)
    return path


def check_store_address(path: RemotePath) -> None:
    """Raise ValueError unless an address is one of a folder in an object store."""
    if path.target.kind == WEB or path.pattern:
        raise ValueError(f"{path}: expected a folder, or an address as s3://bucket/folder, gs:// or abfs://")


StorePath = Annotated[Path | RemotePath, PlainValidator(_store_path), PlainSerializer(_written, return_type=str)]
"""A folder, or the address of one in an object store."""


def _listed(value: Any) -> Any:
    listed = [value] if isinstance(value, str | Path | RemotePath) else value
    if not isinstance(listed, list | tuple) or any(not str(path).strip() for path in listed):
        raise ValueError("expected a path, or a list of paths")
    return listed


AnyPaths = tuple[Path | RemotePath, ...]
"""Files, folders and patterns, as a section holds them."""

InputPaths = Annotated[tuple[InputPath, ...], BeforeValidator(_listed)]
"""Files, folders and patterns; one alone needs no list."""

Duration = Annotated[int, BeforeValidator(seconds_of)]
"""Whole seconds, written as a number or as '28d', '12h', '90m', '30s' or '4w'."""


def _seconds_if_set(value: Any) -> int | None:
    return None if value is None or value == "auto" else seconds_of(value)


DurationOrAuto = Annotated[int | None, BeforeValidator(_seconds_if_set)]
"""A duration, or None for "auto"."""


def _names_if_set(value: Any) -> Any:
    return None if value == "auto" else value


NamesOrAuto = Annotated[tuple[str, ...] | None, BeforeValidator(_names_if_set)]
"""Names, or None for "auto"."""


class Section(BaseModel):
    """A table of the file: frozen, nothing unknown, no silent conversions between types."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)
