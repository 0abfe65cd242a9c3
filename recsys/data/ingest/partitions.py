"""Hive partitions: columns whose values are in the names of folders, such as `date=2024-01-01/hour=03/part-0.csv`."""

import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import PurePath
from urllib.parse import unquote_to_bytes

import pyarrow as pa

from recsys.data.ingest.input_files import InputFile, location_of
from recsys.data.ingest.source import Batches, Columns, Parse, RawBatch

logger = logging.getLogger(__name__)

_NULL = b"__HIVE_DEFAULT_PARTITION__"
_COMPARED_ROWS = 1_000

CONTRADICTED = "but the folder's name says"
"""In the warning of `PartitionColumns`."""

Partitions = Mapping[str, bytes | None]
"""The values in the names of a file's folders, by column; None is a null."""


def partitions_of(path: InputFile) -> Partitions:
    """The columns in the names of the folders of `path`, URL-decoded; of two with one name the inner one."""
    pairs = (part.partition("=") for part in location_of(path).parent.parts)
    return {
        _decoded(name).decode("utf-8", "replace"): _value(text) for name, equals, text in pairs if equals and name
    }


def joined_times(partitions: Partitions, names: Iterable[str]) -> Partitions:
    """The times of those `names` that join columns of folders by slashes, as `year/month/day/hour` or `date/hour`.

    ISO 8601 text; None if a part is a null. A name is left out if a part of it is not in `partitions`.
    """
    parts = {name: [partitions.get(part, b"") for part in name.split("/")] for name in names if "/" in name}
    return {name: _joined(values) for name, values in parts.items() if b"" not in values}


def _joined(values: list[bytes | None]) -> bytes | None:
    known = [value.zfill(2) for value in values if value is not None]
    if len(known) < len(values):
        return None
    n_days = 1 if b"-" in known[0] else 3
    days, clock = known[:n_days], known[n_days:]
    return b"-".join(days) + (b"T" + b":".join(clock if len(clock) > 1 else [*clock, b"00"]) if clock else b"")


def _decoded(text: str) -> bytes:
    return unquote_to_bytes(os.fsencode(text))


def _value(text: str) -> bytes | None:
    value = _decoded(text)
    return None if value == _NULL else value


def above_partitions(folder: PurePath) -> PurePath:
    """`folder` itself, or the innermost one above it that is in no folder of a partition."""
    outer = next((at for at in reversed((folder, *folder.parents)) if "=" in at.name), None)
    return folder if outer is None else outer.parent


@dataclass(eq=False)
class PartitionColumns:
    """Adds the columns in the names of folders to the batches of files, for every key whose column a file lacks.

    A column that is in a file too is the file's; the first value that differs from the folder's is logged.
    """

    told: bool = False

    def added(self, batches: Batches, columns: Columns, path: InputFile) -> Batches:
        """The batches of the file `path` with those of `columns` that are in the names of its folders."""
        found = {key: columns.in_path[name] for key, name in columns.names.items() if name in columns.in_path}
        return _wrapped(batches, partial(self._with, found, columns, path)) if found else batches

    def _with(self, found: Partitions, columns: Columns, path: InputFile, parse: Parse) -> RawBatch:
        batch = parse()
        for key in found.keys() & set(batch.rows.schema.names):
            self._compare(batch, key, found[key], name=columns.names[key])
        missing = {key: _constant(found[key], len(batch)) for key in found if key not in batch.rows.schema.names}
        if not missing:
            return batch
        present = {key: batch.rows.column(key) for key in batch.rows.schema.names}
        arrays = {key: (present | missing)[key] for key in columns.names if key in present or key in missing}
        return replace(batch, rows=pa.RecordBatch.from_arrays(list(arrays.values()), names=list(arrays)))

    def _compare(self, batch: RawBatch, key: str, value: bytes | None, *, name: str) -> None:
        if self.told or value is None:
            return
        expected = value.decode("utf-8", "replace")
        for row, found in enumerate(batch.rows.column(key)[:_COMPARED_ROWS].to_pylist()):
            if not _is_same(found, expected):
                self.told = True
                logger.warning(
                    f"%s:%d: column %r is %r, {CONTRADICTED} %r; the files' values are used",
                    batch.origin,
                    batch.positions[row],
                    name,
                    found.decode("utf-8", "replace") if isinstance(found, bytes) else found,
                    expected,
                )
                return


def _wrapped(batches: Batches, wrap: "partial[RawBatch]") -> Iterator[Parse]:
    return (partial(wrap, parse) for parse in batches)


def _constant(value: bytes | None, n_rows: int) -> pa.Array:
    return pa.nulls(n_rows, pa.binary()) if value is None else pa.repeat(pa.scalar(value, pa.binary()), n_rows)


def _is_same(found: object, expected: str) -> bool:
    """Equal as text or as a number; a time is the same as its day or hour."""
    text = found.decode("utf-8", "replace") if isinstance(found, bytes) else str(found)
    if text == expected or text.startswith((f"{expected} ", f"{expected}T")):
        return True
    try:
        return float(text) == float(expected)
    except ValueError:
        return False
