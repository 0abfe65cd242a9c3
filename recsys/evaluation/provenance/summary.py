"""Summary: facts with one JSON form, and the forms of their fields."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, PlainSerializer

from recsys.data.cleaning import CleaningSummary
from recsys.data.ingest.accounting import RowCounts

if TYPE_CHECKING:
    pass


Value = TypeVar("Value")


OrAbsent = Annotated[Value | None, Field(exclude_if=lambda value: value is None)]
"""A field that has no key in JSON if it is None."""


class Summary(BaseModel):
    """Facts with one JSON form: `model_dump(mode="json")` writes it, `model_validate` reads it. Frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, serialize_by_alias=True)


Rows = Annotated[RowCounts, PlainSerializer(RowCounts.to_dict)]


Cleaning = Annotated[CleaningSummary, PlainSerializer(CleaningSummary.to_dict)]


BaselineSettings = Annotated[dict[str, dict[str, float]], Field(exclude_if=lambda value: not value)]
"""Baseline to the settings that it found on the train side; no key in JSON if none did."""


def in_words(settings: Mapping[str, JsonValue]) -> str:
    """Settings as "factors 64, weighting log"."""
    return ", ".join(f"{key} {_value_in_words(value)}" for key, value in settings.items())


def _value_in_words(value: JsonValue) -> str:
    if value is None:
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


OfPrepare = Annotated[dict[str, JsonValue], Field(exclude_if=lambda value: not value)]
"""Settings of `[prepare]` that were chosen, by key; no key in JSON if none could be."""


def _all_in_words(settings: Mapping[str, JsonValue], prepare: Mapping[str, JsonValue]) -> str:
    return in_words({**settings, **{f"prepare.{key}": value for key, value in prepare.items()}})
