"""Lines: rows of the log as CSV text, and dirty rows, each broken in one known way as in real logs."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recsys.data.synthetic.calendar import END, START
from recsys.data.synthetic.events import EVENT_NAMES, EventChunk
from recsys.data.synthetic.world import item_id, user_id

EVENT_COLUMNS = ("user_id", "item_id", "timestamp", "event", "quantity")

_DAY = 86_400


@dataclass(frozen=True, eq=False)
class Names:
    """Every text that a field can hold, as one binary array per column."""

    users: pa.BinaryArray
    items: pa.BinaryArray
    days: pa.BinaryArray
    times: pa.BinaryArray
    events: pa.BinaryArray
    quantities: pa.BinaryArray

    @staticmethod
    def of(n_accounts: int, n_items: int) -> "Names":
        """The texts of a log of `n_accounts` readers and bots and `n_items` items."""
        days = np.arange(START, END, _DAY).astype("datetime64[s]").astype("datetime64[D]")
        return Names(
            users=_binary([user_id(user) for user in range(n_accounts)]),
            items=_binary([item_id(item) for item in range(n_items)]),
            days=_binary([str(day) for day in days]),
            times=_binary([f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}Z" for s in range(_DAY)]),
            events=_binary(list(EVENT_NAMES)),
            quantities=_binary([str(quantity) for quantity in range(10)]),
        )

    def columns(self, chunk: EventChunk) -> dict[str, pa.BinaryArray]:
        """The fields of a chunk: binary arrays (n,) by column name, in the order of EVENT_COLUMNS."""
        day, second = np.divmod(chunk.timestamp - START, _DAY)
        fields = (
            _take(self.users, chunk.user_idx),
            _take(self.items, chunk.item_idx),
            pc.binary_join_element_wise(_take(self.days, day), _take(self.times, second), b"T"),
            _take(self.events, chunk.event),
            _take(self.quantities, chunk.quantity),
        )
        return dict(zip(EVENT_COLUMNS, fields, strict=True))


def joined(columns: dict[str, pa.BinaryArray]) -> pa.BinaryArray:
    """One line per row: a binary array (n,), each ending with a newline."""
    return pc.binary_join_element_wise(pc.binary_join_element_wise(*columns.values(), b","), b"", b"\n")


def line_bytes(lines: pa.BinaryArray) -> memoryview:
    """All lines of a binary array one after the other, without a copy."""
    _, offsets, data = lines.buffers()
    bounds = np.frombuffer(offsets, np.int32)[lines.offset : lines.offset + len(lines) + 1]
    return memoryview(data)[int(bounds[0]) : int(bounds[-1])] if len(lines) else memoryview(b"")


def _binary(texts: list[str]) -> pa.BinaryArray:
    return pa.array([text.encode() for text in texts], pa.binary())


def _take(texts: pa.BinaryArray, at: NDArray[np.integer]) -> pa.BinaryArray:
    return pc.take(texts, pa.array(at))


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


def dirty_lines(
    columns: dict[str, pa.BinaryArray], numbers: range, rng: np.random.Generator
) -> tuple[pa.BinaryArray, list[str]]:
    """Dirty lines made from random rows of `columns` (binary arrays by name, in the file's order).

    `numbers`: running numbers of the dirty rows; the kinds alternate.
    Returns the lines, a binary array (len(numbers),), and the kind of each.
    """
    sources = rng.integers(0, max(len(columns["user_id"]), 1), len(numbers))
    kinds = [DIRT_KINDS[number % len(DIRT_KINDS)] for number in numbers]
    lines = [_dirty_line(columns, int(at), kind) for at, kind in zip(sources, kinds, strict=True)]
    return pa.array(lines, pa.binary()), kinds


def _dirty_line(columns: dict[str, pa.BinaryArray], at: int, kind: str) -> bytes:
    fields = {name: column[at].as_py() for name, column in columns.items()}
    if kind in _BROKEN:
        name, value = _BROKEN[kind]
        fields[name] = value
    if kind == "too_few_fields":
        del fields["event"], fields["quantity"]
    return b",".join(fields.values()) + b"\n"


def scattered(lines: pa.BinaryArray, dirty: pa.BinaryArray, rng: np.random.Generator) -> pa.BinaryArray:
    """`lines` in order with the `dirty` lines inserted at random places; both binary arrays."""
    places = np.concatenate([np.arange(len(lines)), rng.integers(0, max(len(lines), 1), len(dirty)) + 0.5])
    return pc.take(pa.concat_arrays([lines, dirty]), pa.array(np.argsort(places, kind="stable")))
