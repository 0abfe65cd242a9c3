"""Dirt: rows as real logs have them, each broken in one known way."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_BROKEN = {
    "missing_user": ("user_id", b""),
    "missing_item": ("item_id", b""),
    "bad_time": ("timestamp", b"2026-02-30 25:61"),
    "unknown_event": ("event", b"teleport"),
    "negative_value": ("quantity", b"-1"),
    "nan_value": ("quantity", b"NaN"),
    "bad_utf8": ("user_id", b"u\xe9\xff0001"),
    "too_many_fields": ("quantity", b"1,surplus,fields"),
}

DIRT_KINDS = (*_BROKEN, "too_few_fields", "repeat")
"""Every kind of planted row. A "repeat" is a good row logged twice; a reader must refuse all the others."""


def dirty_lines(columns: dict[str, Any], numbers: range, rng: np.random.Generator) -> tuple[Any, list[str]]:
    """Dirty lines made from random rows of `columns` (binary arrays by name, in the file's order).

    `numbers`: running numbers of the dirty rows; the kinds take turns.
    Returns the lines, a binary array (len(numbers),), and the kind of each.
    """
    sources = rng.integers(0, max(len(columns["user_id"]), 1), len(numbers))
    kinds = [DIRT_KINDS[number % len(DIRT_KINDS)] for number in numbers]
    lines = [_dirty_line(columns, int(at), kind) for at, kind in zip(sources, kinds, strict=True)]
    return pa.array(lines, pa.binary()), kinds


def _dirty_line(columns: dict[str, Any], at: int, kind: str) -> bytes:
    fields = {name: column[at].as_py() for name, column in columns.items()}
    if kind in _BROKEN:
        name, value = _BROKEN[kind]
        fields[name] = value
    if kind == "too_few_fields":
        del fields["event"], fields["quantity"]
    return b",".join(fields.values()) + b"\n"


def strewn(lines: Any, dirty: Any, rng: np.random.Generator) -> Any:
    """`lines` in their order with `dirty` ones at random places after some of them; both binary arrays."""
    places = np.concatenate([np.arange(len(lines)), rng.integers(0, max(len(lines), 1), len(dirty)) + 0.5])
    return pc.take(pa.concat_arrays([lines, dirty]), pa.array(np.argsort(places, kind="stable")))
