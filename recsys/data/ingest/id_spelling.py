"""How ids are spelled: floats of whole numbers, numbers that have lost digits, and spellings of a missing id.

Each rule looks at one id alone, so that an id never depends on the other rows of a log.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recsys.data.ingest.columns import EXACT_FLOATS, cast_or_null, mask

Flags = NDArray[np.bool_]

_WHOLE_FLOAT = rb"^(-?[1-9]\d*|0)\.0+$"
# Python, C and Excel write an exponent with its sign and two digits; Java leaves the sign out, but has a point.
_EXPONENT = rb"^[+-]?(\d{1,3}([.,]\d+)?[eE]\+\d{2,3}|\d[.,]\d+[eE]\d{1,3})$"
_FEWEST_DIGITS_LOST = len(str(int(EXACT_FLOATS)))
_INVISIBLE = "".join(chr(code) for code in range(0x3001) if chr(code).isspace()) + "\u200b\u2060\ufeff"


def whole_floats(ids: pa.BinaryArray) -> Flags:
    """bool (k,): whole numbers written as floats, such as 101.0, -1.0 or 101.00; not 0101.0, which is a code."""
    if not holds(ids, b"."):
        return np.zeros(len(ids), np.bool_)
    return mask(pc.fill_null(pc.match_substring_regex(ids, _WHOLE_FLOAT), False))


def without_tails(ids: pa.BinaryArray, floats: Flags) -> pa.BinaryArray:
    """(k,): the ids, those of `floats` without what follows the point."""
    if not floats.any():
        return ids
    return pc.if_else(pa.array(floats), pc.replace_substring_regex(ids, rb"\.0+$", b""), ids)


def lost_digits(ids: pa.BinaryArray, floats: Flags) -> Flags:
    """bool (k,): numbers in exponent form, such as 1.2e+18, 1E+12, 1,23457E+18 or 1.2E18, and floats from 2**53 on.

    1e5 and 12E45 are text, because product codes look so. `floats`: those of `whole_floats`.
    """
    lost = np.zeros(len(ids), np.bool_)
    if holds(ids, b"eE"):
        lost = mask(pc.fill_null(pc.match_substring_regex(ids, _EXPONENT), False))
    long = mask(pc.fill_null(pc.greater(pc.binary_length(ids), _FEWEST_DIGITS_LOST), False))
    for at in np.flatnonzero(floats & long):
        lost[at] = abs(float(ids[at].as_py())) >= EXACT_FLOATS
    return lost


def trimmed(ids: pa.BinaryArray) -> pa.StringArray:
    """(k,): the ids without white space around them, no-break and invisible spaces too; null if not UTF-8."""
    text = cast_or_null(ids, pa.string())
    if pc.all(pc.string_is_ascii(text)).as_py() in (True, None):
        return pc.ascii_trim_whitespace(text)
    return pc.utf8_trim(text, _INVISIBLE)


def null_spellings(text: pa.StringArray, spellings: tuple[str, ...]) -> dict[str, Flags]:
    """Which of the ids, without white space around them, are one of `spellings`: bool (k,) by spelling found."""
    if not spellings:
        return {}
    found = pc.unique(text.filter(pc.is_in(text, pa.array(spellings, pa.string()))))
    return {name: mask(pc.fill_null(pc.equal(text, name), False)) for name in found.to_pylist()}


def holds(ids: pa.BinaryArray, signs: bytes) -> bool:
    """Whether any of the ids holds one of the bytes `signs`; cheaper than a search in each id."""
    _, offsets, data = ids.buffers()
    if offsets is None or data is None or not len(ids):
        return False
    ends = np.frombuffer(offsets, np.int32)[ids.offset : ids.offset + len(ids) + 1]
    text = np.frombuffer(data, np.uint8)[ends[0] : ends[-1]]
    return any(bool((text == sign).any()) for sign in signs)
