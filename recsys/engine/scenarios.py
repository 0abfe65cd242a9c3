"""Scenarios: named pages of a store's scenarios.toml, so that a shop's slots are configured and not coded."""

import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

from recsys.engine.filters import parse_filter
from recsys.engine.ids import MAX_ID_BYTES, whole_number
from recsys.errors import ConfigError, FilterError
from recsys.suggestions import unknown_key_hint
from recsys.validation_errors import problems_of

FILE_NAME = "scenarios.toml"
"""The file in the store's folder."""

MAX_ROWS, MAX_ROW = 20, 200
"""The most rows of a page, and the most items of a row."""

MAX_FILTER, MAX_TITLE = 4096, 200
"""Characters of the longest filter and title."""

RowKind = Literal["for_you", "because", "popular", "popular_lately", "new", "similar"]
"""for_you: the user's list. because: like an item of the user's history. popular: by popularity. popular_lately: by
popularity of late. new: the best new items for the user. similar: like the item of the row, or of the page."""

_SHOWN = 80
"""Characters of a value up to which a message repeats it."""


class Row(BaseModel):
    """One row of a page."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    kind: RowKind = Field(description="what the row lists")
    title: str | None = Field(
        None, max_length=MAX_TITLE, description="heading; `{title}` stands for that of the item the row is about"
    )
    k: Annotated[
        int, Field(ge=1, le=MAX_ROW, description="number of items wanted"), BeforeValidator(whole_number)
    ] = 10
    filter: Annotated[str, Field(max_length=MAX_FILTER, json_schema_extra={"format": "recsys-filter"})] | None = (
        Field(None, description="condition on the items' attributes")
    )
    diversity: float = Field(
        0.0, ge=0, le=1, description="0: the best items; 1: items as unlike each other as possible"
    )
    item_id: Annotated[str, StringConstraints(min_length=1, max_length=MAX_ID_BYTES)] | None = Field(
        None, description="item that a row of kind `similar` is about; default: that of the page"
    )


class Scenario(BaseModel):
    """A page with a name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: tuple[Row, ...] = Field(min_length=1, max_length=MAX_ROWS)
    keep_empty: bool = Field(False, description="list rows without items, too")


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    scenarios: dict[str, Scenario] = {}


def read_scenarios(path: Path) -> dict[str, Scenario]:
    """The scenarios of a file by name; none if there is no file.

    Raises ConfigError naming the line of what is no TOML, or the key, and what was expected.
    """
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
        scenarios = _File.model_validate(tree).scenarios
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    except ValidationError as error:
        raise ConfigError(
            "\n".join(f"{path}: {_explained(it['loc'], it['msg'], it['input'])}" for it in problems_of(error))
        ) from error
    for name, scenario in scenarios.items():
        for at, row in enumerate(scenario.rows):
            _check_filter(path, f"scenarios.{name}.rows.{at}.filter", row.filter)
    return scenarios


def _check_filter(path: Path, key: str, text: str | None) -> None:
    try:
        if text is not None:
            parse_filter(text)
    except FilterError as error:
        raise ConfigError(f"{path}: {key}: {error.pointing(text or '')}") from error


def _explained(place: tuple[int | str, ...], message: str, given: object) -> str:
    key = ".".join(map(str, place))
    if message.startswith("Extra inputs"):
        known = (
            Row.model_fields if "rows" in place else Scenario.model_fields if len(place) > 1 else _File.model_fields
        )
        return f"{key}: unknown key{unknown_key_hint(str(place[-1]), known)}"
    got = f"got {given!r}; " if isinstance(given, str | int | float) and len(str(given)) <= _SHOWN else ""
    return f"{key}: {got}{message.replace('Input should be', 'expected')}"
