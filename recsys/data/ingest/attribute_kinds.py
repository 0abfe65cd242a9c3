"""Kinds of attributes: as declared, as their columns are typed, or as most of their values look."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recsys.config import ItemsConfig
from recsys.data.attributes import AttributeFacts, Kind, kind_of
from recsys.data.ingest.attribute_columns import as_texts
from recsys.data.ingest.attribute_values import Spelling, are_codes, have_one_length, read_as
from recsys.data.ingest.columns import EXACT_FLOATS, mask
from recsys.errors import DataError

TOLERATED_SHARE = 0.05
"""A guess of a kind allows this share of values that are not of it."""

FEWEST_FOR_ONE = 5
"""From this many known values on, a guess allows one value that is not of the kind, whatever its share."""

_GUESSED: tuple[Kind, ...] = ("boolean", "number", "date", "list")
_ALMOST = 0.5
_SAMPLE = 1_000

PlaceOf = Callable[[int], str]
"""The file and line of a row."""


@dataclass(frozen=True, eq=False)
class _Coded:
    """Text by its distinct values: `distinct` (k,), `index` int64 (n,) of each row, -1 if it is unknown."""

    distinct: pa.StringArray
    index: NDArray[np.int64]

    @staticmethod
    def of(column: pa.StringArray) -> "_Coded":
        coded = column.dictionary_encode()
        if not len(coded.dictionary):
            return _Coded(pa.array([""]), np.full(len(column), -1, np.int64))
        index = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
        return _Coded(coded.dictionary, index)

    @property
    def n_rows(self) -> NDArray[np.int64]:
        """int64 (k,): rows of each distinct value."""
        return np.bincount(self.index[self.index >= 0], minlength=len(self.distinct))

    def rows_of(self, values: pa.Array) -> pa.Array:
        """(n,): the values of all rows, from those of the distinct texts."""
        return values.take(pa.array(self.index, mask=self.index < 0))

    def without(self, spellings: frozenset[str]) -> tuple["_Coded", dict[str, int]]:
        """The text with the rows of these spellings unknown, and the number of rows of each spelling."""
        trimmed = pc.utf8_trim_whitespace(self.distinct)
        is_null = mask(pc.is_in(trimmed, value_set=pa.array(sorted(spellings), pa.string())))
        found = {str(self.distinct[at].as_py()): int(self.n_rows[at]) for at in np.flatnonzero(is_null)}
        index = np.where((self.index >= 0) & is_null[self.index], -1, self.index) if found else self.index
        return _Coded(self.distinct, index), found


@dataclass(frozen=True, eq=False)
class _Reading:
    """Distinct values read as one kind. `unreadable`: int64 (m,), rows that are not of it, in their order."""

    kind: Kind
    values: pa.Array
    unreadable: NDArray[np.int64]

    @staticmethod
    def of(coded: _Coded, kind: Kind, spelling: Spelling) -> "_Reading":
        values = read_as(kind, coded.distinct, spelling)
        if kind == "number" and not spelling.declared:
            values = pc.if_else(are_codes(coded.distinct), pa.scalar(None, values.type), values)
        bad = mask(values.is_null())
        return _Reading(kind, values, np.flatnonzero((coded.index >= 0) & bad[coded.index]))


def typed_attribute(
    name: str, column: pa.Array, config: ItemsConfig, *, place_of: PlaceOf
) -> tuple[pa.Array, AttributeFacts]:
    """The values of an attribute in all rows of a catalogue, of one kind, and the facts about them.

    `column`: (n,) of text, int64, float64, bool, date32, timestamp[us] or lists of text; null is unknown.
    Raises DataError if the kind is declared and no value is of it.
    """
    declared: Kind | None = config.types.get(name)
    if not pa.types.is_string(column.type):
        if declared in (None, kind_of(column.type)):
            return _native(column, declared is not None, place_of)
        column = as_texts(column)
    coded, spellings = _Coded.of(column).without(frozenset(config.nulls) - {""})
    known = int(np.count_nonzero(coded.index >= 0))
    spelling = Spelling(config.decimal, config.list_separator, declared is not None)
    reading = _guessed(coded, spelling, known) if declared is None else _Reading.of(coded, declared, spelling)
    facts = AttributeFacts(
        reading.kind, declared is not None, len(column), len(column) - known, null_spellings=spellings
    )
    shown = _Shown(coded, place_of)
    if declared is None and reading.kind == "text":
        return coded.rows_of(coded.distinct), shown.almost(facts, _nearly(coded, spelling, known))
    if known and len(reading.unreadable) == known:
        row = int(reading.unreadable[0])
        raise DataError(
            f"items.types.{name}: none of {known} values is a {reading.kind}, such as {shown.value(row)!r} at"
            f" {place_of(row)}"
        )
    return coded.rows_of(reading.values), shown.unreadable(facts, reading)


@dataclass(frozen=True, eq=False)
class _Shown:
    """Rows as facts show them."""

    coded: _Coded
    place_of: PlaceOf

    def value(self, row: int) -> str:
        return str(self.coded.distinct[self.coded.index[row]].as_py())[:60]

    def unreadable(self, facts: AttributeFacts, reading: _Reading) -> AttributeFacts:
        n = len(reading.unreadable)
        if not n:
            return facts
        row = int(reading.unreadable[0])
        return replace(
            facts,
            n_unknown=facts.n_unknown + n,
            n_unreadable=n,
            unreadable_at=self.place_of(row),
            unreadable=self.value(row),
        )

    def almost(self, facts: AttributeFacts, reading: _Reading | None) -> AttributeFacts:
        if reading is None or not len(reading.unreadable):
            return facts
        row = int(reading.unreadable[0])
        return replace(
            facts,
            almost=reading.kind,
            n_against=len(reading.unreadable),
            against_at=self.place_of(row),
            against=self.value(row),
        )


def _guessed(coded: _Coded, spelling: Spelling, known: int) -> _Reading:
    """The reading with the fewest unreadable rows, if these are few; else the text as it is."""
    as_text = _Reading("text", coded.distinct, np.empty(0, np.int64))
    reading = _nearly(coded, spelling, known)
    if reading is None or len(reading.unreadable) > _tolerated(known):
        return as_text
    is_code = mask(are_codes(coded.distinct))
    of_codes = reading.kind == "number" and is_code.any() and have_one_length(coded.distinct)
    return as_text if of_codes else reading


def _tolerated(known: int) -> int:
    return max(int(TOLERATED_SHARE * known), int(known >= FEWEST_FOR_ONE))


def _nearly(coded: _Coded, spelling: Spelling, known: int) -> _Reading | None:
    """The reading with the fewest unreadable rows, if at least half of the rows are readable."""
    sample = _sampled(coded)
    readings = [_Reading.of(coded, kind, spelling) for kind in _GUESSED if _is_possible(sample, kind, spelling)]
    best = min(readings, key=lambda each: len(each.unreadable), default=None)
    return None if best is None or len(best.unreadable) > _ALMOST * known else best


def _sampled(coded: _Coded) -> pa.StringArray:
    """Evenly spaced distinct texts that rows hold."""
    used = np.flatnonzero(coded.n_rows)
    return coded.distinct.take(pa.array(used[:: -(-len(used) // _SAMPLE) or 1]))


def _is_possible(sample: pa.StringArray, kind: Kind, spelling: Spelling) -> bool:
    return int(read_as(kind, sample, spelling).null_count) < len(sample)


def _native(column: pa.Array, declared: bool, place_of: PlaceOf) -> tuple[pa.Array, AttributeFacts]:
    """A column that is of its kind as it was stored; an infinite number is none."""
    facts = AttributeFacts(kind_of(column.type), declared, len(column), n_unknown=column.null_count)
    if not pa.types.is_floating(column.type):
        return column, facts
    infinite = np.flatnonzero(mask(pc.fill_null(pc.is_inf(column), False)))
    if len(infinite):
        row = int(infinite[0])
        facts = replace(
            facts,
            n_unknown=facts.n_unknown + len(infinite),
            n_unreadable=len(infinite),
            unreadable_at=place_of(row),
            unreadable=str(column[row].as_py()),
        )
        column = pc.if_else(pc.is_finite(column), column, pa.scalar(None, pa.float64()))
    return _whole_if_possible(column), facts


def _whole_if_possible(column: pa.Array) -> pa.Array:
    """Floats that are all whole are integers that once had gaps (2008.0)."""
    if column.null_count == len(column):
        return column
    whole = pc.and_(pc.equal(pc.floor(column), column), pc.less(pc.abs(column), EXACT_FLOATS))
    return column.cast(pa.int64()) if pc.all(whole).as_py() else column
