"""Ids as callers of the library have them: texts, ints and numpy ints; lists, tuples, arrays and columns of these.

Messages name the parameter and the kind of what came. They never repeat what came: the HTTP service sends them on.
"""

import re
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import TypeAlias

from recsys.errors import InvalidRequestError

MAX_ID_BYTES = 256
"""Length of the longest id, in bytes of UTF-8."""

Id: TypeAlias = str | int
"""An external id; an int, also one of numpy, is taken as its digits."""

_WHOLE_FLOAT = re.compile(r"(-?[1-9]\d*|0)\.0+", re.ASCII)
"""A whole number written as a float, which no log keeps as an id: reading takes it as its digits."""

Ids: TypeAlias = Iterable[Id]
"""A list, tuple, numpy array, Arrow array or column of a data frame; never one text."""


def id_text(external_id: object, name: str) -> str:
    """The id as a text, by the rule of the log: "101.0" is "101".

    Raises InvalidRequestError, which calls it `name`, unless it is a text or an int.
    """
    if isinstance(external_id, str):
        return _without_tail(str.__str__(external_id))
    if isinstance(external_id, Integral) and not isinstance(external_id, bool):
        return str(int(external_id))
    raise InvalidRequestError(f"{name}: expected a text, got {_kind(external_id)}")


def id_texts(external_ids: object, name: str) -> tuple[str, ...]:
    """The ids as texts, in their order. Raises InvalidRequestError for one text, or if one of them is not an id."""
    if type(external_ids) is tuple and not external_ids:
        return external_ids
    values = listed(external_ids, f"{name}: expected a list of ids")
    return tuple(id_text(each, name) for each in values)


def _without_tail(text: str) -> str:
    found = _WHOLE_FLOAT.fullmatch(text) if text[-1:] == "0" else None
    return found[1] if found else text


def listed(values: object, expected: str) -> Iterable[object]:
    """`values` if they are a list of some kind. Raises InvalidRequestError, which starts with `expected`, if not.

    Texts, bytes and mappings are not lists, nor is a table or an array of other than one dimension.
    """
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise InvalidRequestError(f"{expected}, got {_kind(values)}")
    if (n_dimensions := getattr(values, "ndim", 1)) != 1:
        raise InvalidRequestError(f"{expected}, got {n_dimensions} dimensions")
    to_pylist = getattr(values, "to_pylist", None)  # the elements of an Arrow array are no Python values
    return values if to_pylist is None else to_pylist()


def checked_id(external_id: object, name: str) -> str:
    """The id as a text. Raises InvalidRequestError unless it is a text or an int, and within the bounds."""
    text = id_text(external_id, name)
    check_id(text, name)
    return text


def checked_ids(external_ids: object, name: str, most: int) -> tuple[str, ...]:
    """The ids as texts. Raises InvalidRequestError for one text, more than `most`, or if one of them is not an id."""
    texts = id_texts(external_ids, name)
    check_ids(texts, name, most)
    return texts


def check_ids(ids: tuple[str, ...], name: str, most: int) -> None:
    """Raise InvalidRequestError, which calls `ids` `name`, if there are more than `most`, or one is out of bounds."""
    if len(ids) > most:
        raise InvalidRequestError(f"{name}: {len(ids)} ids came; expected at most {most}")
    for external_id in ids:
        check_id(external_id, name)


def check_id(external_id: str, name: str) -> None:
    """Raise InvalidRequestError, which calls the id `name`, unless it is 1 to MAX_ID_BYTES bytes of UTF-8."""
    try:
        size = len(external_id.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise InvalidRequestError(f"{name}: holds a character that UTF-8 cannot encode") from error
    if not 1 <= size <= MAX_ID_BYTES:
        raise InvalidRequestError(f"{name}: {size} bytes of UTF-8; expected 1 to {MAX_ID_BYTES}")


def check_kept_id(external_id: str, name: str) -> None:
    """As `check_id`, of an id that a database is asked for: PostgreSQL cannot hold the character NUL."""
    check_id(external_id, name)
    if "\0" in external_id:
        raise InvalidRequestError(f"{name}: holds the character NUL, which cannot be kept")


def is_number(value: object) -> bool:
    """Whether `value` is a number of Python or numpy; True and False are none."""
    return type(value) is float or (isinstance(value, Real) and not isinstance(value, bool))


def whole_number(value: object) -> object:
    """3 for 3.0, as JSON has one kind of number; anything else as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _kind(value: object) -> str:
    if value is None:
        return "None"
    return "one text" if isinstance(value, str) else type(value).__name__
