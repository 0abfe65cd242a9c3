"""The catalogue: titles and attributes of items, from one file."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys.config import ItemsConfig
from recsys.data.id_map import IdMap
from recsys.data.ingest.casting import as_text, cast_or_null, is_blank
from recsys.data.ingest.external_ids import code_ids, without_float_tails
from recsys.data.ingest.file_blocks import file_blocks
from recsys.data.ingest.log_files import log_files
from recsys.data.ingest.numeric_columns import as_numbers
from recsys.data.ingest.python_values import texts
from recsys.data.ingest.quarantine import Quarantine
from recsys.data.ingest.raw_rows import ITEM_ID, RawRows, Wanted
from recsys.data.ingest.refusals import NO_FAULT, Reason, Refusals, first_fault
from recsys.data.items import TITLE, Items
from recsys.errors import ConfigError, DataError

logger = logging.getLogger(__name__)


def read_items(config: ItemsConfig) -> Items:
    """Read titles and attributes of items.

    An id is text as it stands, as in the log. Where an id comes up more than once, the first value that is not
    empty counts, column by column. An attribute whose values are all numbers becomes an int64 or float64 column,
    unless leading zeros say that they are codes; other values are text. Rows without a usable id are left out, and
    a warning says how many and where.
    Raises DataError where the file is missing, damaged, lacks a column, or has no usable row.
    """
    wanted, path = _wanted(config), _one_file(config.path)
    with Quarantine(None, limit=0) as refused:
        blocks = [_checked(rows, refused) for rows in _rows(path, wanted)]
    if refused.counts:
        logger.warning("%s: rows left out:\n%s", path, refused.summary())
    if not sum(len(block[ITEM_ID]) for block in blocks):
        raise DataError(f"{path}: no row has a usable id in column {config.id!r}")
    columns = {key: _joined([block[key] for block in blocks]) for key in wanted.columns}
    ids, firsts = _first_of_each(columns)
    known = {_name(key): _typed(key, column) for key, column in firsts.items()}
    return Items(ids, pa.table(known)) if known else Items.without_attributes(ids)


def _one_file(path: Path) -> Path:
    files = log_files([path])
    if len(files) > 1:
        raise DataError(f"{path}: {len(files)} files match; a catalogue is one file")
    return files[0]


def _wanted(config: ItemsConfig) -> Wanted:
    """The columns to read; an attribute's key is its place in the configuration, then its name."""
    if config.title is not None and TITLE in config.attributes:
        raise ConfigError(f"items.attributes: {TITLE!r} is the name of the title's column; leave it out here")
    columns = {ITEM_ID: config.id} | ({TITLE: config.title} if config.title is not None else {})
    return Wanted("items", columns | {f"{_ATTRIBUTE}{name}": name for name in config.attributes}, keep=0)


_ATTRIBUTE = "attributes."


def _name(key: str) -> str:
    return key.removeprefix(_ATTRIBUTE)


def _rows(path: Path, wanted: Wanted) -> Iterator[RawRows]:
    return (parse() for parse in file_blocks(path, wanted, advance=lambda position: None))


def _checked(rows: RawRows, refused: Quarantine) -> dict[str, Any]:
    """The columns of the rows with a usable id, cleaned; `refused` counts the others."""
    ids, faults = code_ids(rows.columns[ITEM_ID], Reason.MISSING_ITEM)
    faults = first_fault(rows.faults, faults)
    columns = {key: _cleaned(column) for key, column in rows.columns.items() if key != ITEM_ID}
    columns[ITEM_ID] = ids.dictionary_decode()
    if faults is not None:
        bad = faults != NO_FAULT
        refused.add(Refusals(rows.source, rows.lines[bad], faults[bad], ()))
        columns = {key: column.filter(pa.array(~bad)) for key, column in columns.items()}
    return columns | {ITEM_ID: columns[ITEM_ID].cast(pa.string())}


def _cleaned(column: Any) -> Any:
    """Text, numbers or truth values; null where there is nothing."""
    kind = column.type
    text = as_text(column)
    if text is not None:
        return _decoded(pc.if_else(is_blank(text), pa.scalar(None, pa.string()), text))
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        number = column.cast(pa.float64(), safe=False)
        return pc.if_else(pc.is_nan(number), pa.scalar(None, pa.float64()), number)
    if pa.types.is_integer(kind):
        return column.cast(pa.int64())
    return column if pa.types.is_boolean(kind) else _decoded(texts(column.to_pylist()).view(pa.string()))


def _decoded(text: Any) -> Any:
    """Text that is not UTF-8 keeps what can be read of it: a title with a question mark is better than none."""
    checked = cast_or_null(text.view(pa.binary()), pa.string())
    if checked.null_count == text.null_count:
        return checked
    shown = [
        None if value is None else value.decode("utf-8", "replace") for value in text.view(pa.binary()).to_pylist()
    ]
    return pa.array(shown, pa.string())


def _joined(parts: list[Any]) -> Any:
    """One array of the blocks' parts, as text where the blocks differ in kind."""
    if len({str(part.type) for part in parts}) > 1:
        parts = [part.cast(pa.string()) for part in parts]
    return pa.concat_arrays(parts)


def _first_of_each(columns: dict[str, Any]) -> tuple[IdMap, dict[str, Any]]:
    """The id map, and for every other column the first known value of each id, in its order."""
    ids, row = IdMap.of(without_float_tails(columns[ITEM_ID]))
    others = {key: column for key, column in columns.items() if key != ITEM_ID}
    return ids, {key: _first_known(column, row, len(ids)) for key, column in others.items()}


def _first_known(column: Any, row: Any, n_ids: int) -> Any:
    at = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))[::-1]
    first = np.full(n_ids, -1, np.int64)
    # Of several assignments to one place the last one stays: the first row's, in reverse.
    first[row[at]] = at
    return column.take(pa.array(first, mask=first < 0))


def _typed(key: str, column: Any) -> Any:
    return column.cast(pa.string()) if key == TITLE else as_numbers(column)
