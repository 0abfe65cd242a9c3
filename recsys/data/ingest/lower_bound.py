"""LowerBound: the moment from which on rows are fetched anew, as their database and as Arrow compare it.

Both sides make the same comparison, so that every row is either kept or fetched. A row without a time, or with one
that cannot be compared, is always fetched.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys.data.arrays import Seconds
from recsys.errors import ConfigError

_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_DAY = 86_400
_DIGITS = "^[0-9]{1,18}$"


@dataclass(frozen=True)
class TimeColumn:
    """A column of times. `kind`: the type of its values. `unit`: `log.timestamp_unit`. `is_sqlite`: values are text.

    Raises ConfigError if it cannot be compared.
    """

    name: str
    kind: pa.DataType
    unit: str
    is_sqlite: bool

    def __post_init__(self) -> None:
        if pa.types.is_timestamp(self.kind) or pa.types.is_date32(self.kind):
            return
        number = pa.types.is_integer(self.kind)
        if not number and not self.is_sqlite:
            raise ConfigError(
                f"log.incremental: column {self.name!r} (log.timestamp) is {self.kind}; expected times, dates or "
                "whole numbers; cast it in log.query"
            )
        if self.unit not in (*_PER_SECOND, *(() if number else ("iso",))):
            raise ConfigError(
                f"log.incremental: needs log.timestamp_unit, which says how column {self.name!r} counts; "
                f"expected one of {', '.join(_PER_SECOND)}{'' if number else ', iso'}"
            )

    def seconds(self, column: pa.Array) -> Seconds:
        """int64: the times of a column that has any, in seconds since 1970; of text by the day."""
        if pa.types.is_date32(self.kind):
            found = pc.multiply(column.view(pa.int32()).cast(pa.int64()), _DAY)
        elif pa.types.is_timestamp(self.kind):
            found = pc.divide(column.view(pa.int64()), _PER_SECOND[self.kind.unit])
        elif self.unit == "iso":
            days = pc.utf8_slice_codeunits(_text(column), 0, 10)
            found = pc.strptime(days, "%Y-%m-%d", "s", error_is_null=True).view(pa.int64())
        else:
            found = pc.divide(_integers(column), _PER_SECOND[self.unit])
        return np.asarray(found.drop_null().to_numpy(zero_copy_only=False), np.int64)


@dataclass(frozen=True)
class LowerBound:
    """Rows of `column` from `second` on, in seconds since 1970, are fetched; of text in ISO 8601, from its day on."""

    column: TimeColumn
    second: int

    def as_sql(self, name: str) -> str:
        """The condition of the rows to fetch. `name`: of the column, quoted."""
        kind, unit = self.column.kind, self.column.unit
        if pa.types.is_date32(kind):
            return f"({name} >= DATE '{self.day}' OR {name} IS NULL)"
        if pa.types.is_timestamp(kind):
            moment = f"{datetime.fromtimestamp(self.second, UTC):%Y-%m-%d %H:%M:%S}"
            literal = f"TIMESTAMP '{moment}'" if kind.tz is None else f"TIMESTAMP WITH TIME ZONE '{moment}+00:00'"
            return f"({name} >= {literal} OR {name} IS NULL)"
        if unit == "iso":
            return f"(CAST({name} AS TEXT) >= '{self.day}' OR {name} IS NULL)"
        if pa.types.is_integer(kind):
            return f"({name} >= {self._number} OR {name} IS NULL)"
        odd = f"{name} GLOB '*[^0-9]*' OR {name} = '' OR {name} IS NULL"
        return f"({odd} OR CAST({name} AS INTEGER) >= {self._number})"

    @property
    def day(self) -> str:
        """Its day: 2024-01-31."""
        return f"{datetime.fromtimestamp(self.second, UTC):%Y-%m-%d}"

    @property
    def _number(self) -> int:
        return self.second * _PER_SECOND[self.column.unit]

    def keeps(self, column: pa.Array) -> pa.BooleanArray:
        """(n,): which rows of a copy stay, because they are before it; null for a row without a time."""
        kind, unit = self.column.kind, self.column.unit
        if pa.types.is_date32(kind):
            return pc.less(column, pa.scalar(self.second // _DAY, pa.int32()).cast(kind))
        if pa.types.is_timestamp(kind):
            return pc.less(column, pa.scalar(self.second * _PER_SECOND[kind.unit], pa.int64()).cast(kind))
        if unit == "iso":
            return pc.less(_text(column), self.day)
        return pc.less(_integers(column), self._number)


def _text(column: pa.Array) -> pa.StringArray:
    return column.cast(pa.string())


def _integers(column: pa.Array) -> pa.Int64Array:
    """The whole numbers of a column, also of text; null for anything else."""
    if pa.types.is_integer(column.type):
        return column.cast(pa.int64())
    text = _text(column)
    return pc.if_else(pc.match_substring_regex(text, _DIGITS), text, None).cast(pa.int64())
