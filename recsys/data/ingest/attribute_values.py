"""Attributes written as text, read as values of one kind."""

import ast
import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from recsys.data.attributes import Kind
from recsys.data.ingest.attribute_columns import in_range
from recsys.data.ingest.columns import cast_or_null

_PLAIN = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_SPACED = "^[+-]?\\d{1,3}([ \u00a0\u202f'\u2019]\\d{3})+(\\.\\d+)?$"
_GROUPED = r"^[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?$"
_SURELY_GROUPED = r"^[+-]?[1-9]\d{0,2}(,\d{3})+((,\d{3})|(\.\d+))$"
_FRACTION = r"^[+-]?\d*\.\d+$"
_COMMA_FRACTION = r"^[+-]?\d*,(\d{1,2}|\d{4,})$"
_WHOLE = r"^[+-]?\d{1,18}(\.0*)?$"
_CODE = r"^[+-]?0\d+$"

_DAY = r"(000[1-9]|00[1-9]\d|0[1-9]\d\d|[1-9]\d{3})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
_CLOCK = r"[ T]([01]\d|2[0-3])(:[0-5]\d(:[0-5]\d(\.\d{1,9})?)?)?"
_ZONE = r"(Z|[+-]\d\d(:?[0-5]\d)?)"
_MONTH, _YEAR = r"^\d{4}-(0[1-9]|1[0-2])$", r"^[1-9]\d{3}$"

_TRUTH = {"true": True, "false": False}
_DECLARED_TRUTH = _TRUTH | {"t": True, "f": False, "yes": True, "no": False, "y": True, "n": False}
_DECLARED_TRUTH |= {"1": True, "0": False, "1.0": True, "0.0": False, "on": True, "off": False}


@dataclass(frozen=True)
class Spelling:
    """How values are spelled. `declared`: whether the kind of the attribute is set, not guessed."""

    decimal: str = "."
    separator: str = "|"
    declared: bool = False


def read_as(kind: Kind, text: pa.StringArray, spelling: Spelling) -> pa.Array:
    """(k,): the values of distinct `text` (k,) as int64, float64, bool, date32, timestamp[us] in UTC, list or string.

    Null where a text is not of the kind. White space around a value is ignored, but kept in texts.
    """
    return text if kind == "text" else _READERS[kind](pc.utf8_trim_whitespace(text), spelling)


def are_codes(text: pa.StringArray) -> pa.BooleanArray:
    """(k,): whether a text is digits after a leading zero, which a code may be and a number hardly is."""
    return pc.match_substring_regex(pc.utf8_trim_whitespace(text), _CODE)


def have_one_length(text: pa.StringArray) -> bool:
    """Whether all texts that look like numbers are digits only, and of one length, as codes are."""
    text = pc.utf8_trim_whitespace(text)
    numbers = text.filter(pc.match_substring_regex(text, r"^[+-]?[\d.,]*\d[\d.,]*$"))
    all_digits = pc.all(pc.match_substring_regex(numbers, r"^\d+$")).as_py()
    return bool(all_digits) and len(pc.unique(pc.utf8_length(numbers))) <= 1


def _numbers(text: pa.StringArray, spelling: Spelling) -> pa.Array:
    """int64 if every number is whole and has up to 18 digits, else float64; infinite ones are none."""
    plain = _plain_numbers(text, spelling.decimal)
    if not pc.any(pc.invert(pc.match_substring_regex(plain, _WHOLE))).as_py():
        return pc.replace_substring_regex(plain, r"^\+|\.0*$", "").cast(pa.int64())
    numbers = plain.cast(pa.float64())
    return pc.if_else(pc.is_finite(numbers), numbers, pa.scalar(None, pa.float64()))


def _plain_numbers(text: pa.StringArray, decimal: str) -> pa.StringArray:
    """The numbers without separators of thousands and with a decimal point; null if a text is no number.

    Spaces and apostrophes between thousands are clear. `1,200` is read as 1200 only if another value of the column
    shows that the comma separates thousands, as `9.50` or `1,234.50` does, and none that it is a decimal sign.
    """
    if decimal == ",":
        text = _swapped(text)
    text = pc.if_else(_matches(text, _SPACED), pc.replace_substring_regex(text, r"[^\d.+-]", ""), text)
    if _commas_group(text):
        text = pc.if_else(_matches(text, _GROUPED), pc.replace_substring(text, ",", ""), text)
    else:
        text = pc.if_else(_matches(text, _SURELY_GROUPED), pc.replace_substring(text, ",", ""), text)
    return pc.if_else(_matches(text, _PLAIN), text, pa.scalar(None, pa.string()))


def _commas_group(text: pa.StringArray) -> bool:
    shown = pc.any(pc.or_(_matches(text, _FRACTION), _matches(text, _SURELY_GROUPED))).as_py()
    return bool(shown) and not pc.any(_matches(text, _COMMA_FRACTION)).as_py()


def _swapped(text: pa.StringArray) -> pa.StringArray:
    """Points for commas, and commas for points."""
    for before, after in ((".", "\x00"), (",", "."), ("\x00", ",")):
        text = pc.replace_substring(text, before, after)
    return text


def _matches(text: pa.StringArray, pattern: str) -> pa.BooleanArray:
    return pc.match_substring_regex(text, pattern)


def _truth(text: pa.StringArray, spelling: Spelling) -> pa.BooleanArray:
    known = _DECLARED_TRUTH if spelling.declared else _TRUTH
    at = pc.index_in(pc.utf8_lower(text), value_set=pa.array(known))
    return pa.array(list(known.values())).take(at)


def _dates(text: pa.StringArray, spelling: Spelling) -> pa.Array:
    """date32 if no value has a time of day, else timestamp[us] in UTC. A declared date may be a year or a month."""
    text = pc.replace_substring_regex(pc.utf8_upper(text), r" ?(UTC|Z)$", "Z")
    text = pc.replace_substring_regex(text, r" ([+-]\d\d:?\d\d)$", r"\1")
    if spelling.declared:
        text = pc.if_else(_matches(text, _YEAR), pc.binary_join_element_wise(text, "-01", ""), text)
        text = pc.if_else(_matches(text, _MONTH), pc.binary_join_element_wise(text, "-01", ""), text)
    days = _cast(text, f"^{_DAY}$", pa.date32())
    times = pc.replace_substring_regex(text, r"(\.\d{6})\d+", r"\1")
    naive, zoned = (
        _cast(times, f"^{_DAY}{_CLOCK}$", pa.timestamp("us")),
        _cast(times, f"^{_DAY}{_CLOCK}{_ZONE}$", pa.timestamp("us", "UTC")).cast(pa.timestamp("us")),
    )
    if naive.null_count + zoned.null_count == 2 * len(text):
        return days
    return pc.coalesce(days.cast(pa.timestamp("us")), naive, in_range(zoned))


def _cast(text: pa.StringArray, pattern: str, kind: pa.DataType) -> pa.Array:
    return cast_or_null(pc.if_else(_matches(text, pattern), text, pa.scalar(None, pa.string())), kind)


def _lists(text: pa.StringArray, spelling: Spelling) -> pa.ListArray:
    """Lists as JSON or Python write them; of a declared attribute also members between separators."""
    with warnings.catch_warnings(action="ignore"):  # of text that is odd Python
        members = [None if value is None else _members(value, spelling) for value in text.to_pylist()]
    return pa.array(members, pa.list_(pa.string()))


def _members(text: str, spelling: Spelling) -> list[str] | None:
    found = _bracketed(text) if text.startswith("[") and text.endswith("]") else None
    if found is None and spelling.declared:
        found = [part.strip() for part in text.split(spelling.separator)]
    return None if found is None else [member for member in found if member]


def _bracketed(text: str) -> list[str] | None:
    for parse in (json.loads, ast.literal_eval):
        try:
            found: Sequence[object] = parse(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        nested = any(isinstance(member, dict | list | tuple | set) for member in found)
        return None if nested else [_member(member) for member in found if member is not None]
    return None


def _member(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


_READERS: Mapping[Kind, Callable[[pa.StringArray, Spelling], pa.Array]] = {
    "number": _numbers,
    "boolean": _truth,
    "date": _dates,
    "list": _lists,
}
