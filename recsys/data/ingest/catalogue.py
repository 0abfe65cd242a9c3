"""The catalogue: titles and attributes of items, from one or several files."""

import logging
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys.config import ItemsConfig
from recsys.data.arrays import Indices
from recsys.data.id_map import IdMap
from recsys.data.ingest.accounting import Quarantine
from recsys.data.ingest.column_types import plain_columns
from recsys.data.ingest.columns import EXACT_FLOATS, as_text, cast_or_null, is_blank, texts_of
from recsys.data.ingest.external_ids import code_ids, without_float_tails
from recsys.data.ingest.file_source import FileSource
from recsys.data.ingest.line_tally import LineTally
from recsys.data.ingest.refusals import NO_FAULT, Reason, Refusals, first_fault
from recsys.data.ingest.repeated_items import RowPlaces, tell_repeated
from recsys.data.ingest.source import ITEM_ID, LONGEST_TEXT, Columns, RawBatch
from recsys.data.ingest.text_blocks import BLOCK_BYTES
from recsys.data.items import TITLE, Items
from recsys.errors import ConfigError, DataError

logger = logging.getLogger(__name__)

_ATTRIBUTE = "attributes."
_DAMAGED = "\ufffd"
_LEADING_ZERO = r"^-?0\d"
_WHOLE = r"^-?\d{1,18}(\.0+)?$"
_NUMBER = r"^-?\d+(\.\d+)?([eE][+-]?\d+)?$"


def read_items(config: ItemsConfig, *, block_bytes: int = BLOCK_BYTES) -> Items:
    """Read titles and attributes of items, `block_bytes` of a file at a time.

    Ids are read as those of the log. If an id is repeated, the first value that is not empty counts, per column; such
    ids are counted, with a warning if they are in several files.
    An attribute whose values are all numbers becomes an int64 or float64 column,
    unless leading zeros show that they are codes; other values are text. Rows without a usable id are left out, and
    a warning says how many, and names a few of them.
    Raises DataError if a file is missing, damaged, lacks a column, or has no usable row.
    """
    columns, source = _columns(config), replace(FileSource.of_items(config), block_bytes=block_bytes)
    path = source.description
    lines = LineTally()
    with Quarantine(None, limit=0, section="items") as refused:
        places: list[RowPlaces] = []
        blocks = [_checked(parse(), refused, lines, places) for parse in source.batches(columns)]
    lines.warn("items")
    if refused.counts:
        logger.warning("%s: rows left out:\n%s", path, refused.summary())
    if not blocks:
        raise DataError(f"{path}: holds no rows")
    if not sum(len(block[ITEM_ID]) for block in blocks):
        raise DataError(f"{path}: no row has a usable id in column {config.id!r}")
    joined = {key: _joined([block[key] for block in blocks]) for key in columns.names}
    ids, item_idx = IdMap.of(without_float_tails(joined.pop(ITEM_ID)))
    tell_repeated(ids, item_idx, places)
    firsts = {key: _first_known(column, item_idx, len(ids)) for key, column in joined.items()}
    known = {_name(key): _typed(key, column) for key, column in firsts.items()}
    _warn_of_damaged_text(path, known, config)
    return Items(ids, pa.table(known)) if known else Items.without_attributes(ids)


def _columns(config: ItemsConfig) -> Columns:
    """The columns to read; an attribute's key is its place in the configuration, then its name."""
    if config.title is not None and TITLE in config.attributes:
        raise ConfigError(f"items.attributes: {TITLE!r} is the name of the title's column; leave it out here")
    columns = {ITEM_ID: config.id} | ({TITLE: config.title} if config.title is not None else {})
    return Columns("items", columns | {f"{_ATTRIBUTE}{name}": name for name in config.attributes}, keep=0)


def _name(key: str) -> str:
    return key.removeprefix(_ATTRIBUTE)


def _checked(rows: RawBatch, refused: Quarantine, lines: LineTally, places: list[RowPlaces]) -> dict[str, pa.Array]:
    """The columns of the rows with a usable id, cleaned; `refused` and `lines` count the others."""
    lines.add(rows.origin, rows.lines)
    rows = plain_columns(rows)
    ids, faults = code_ids(rows.column(ITEM_ID), Reason.MISSING_ITEM)
    faults = first_fault(rows.faults, faults)
    columns = {key: _cleaned(rows.column(key)) for key in rows.rows.schema.names if key != ITEM_ID}
    columns[ITEM_ID] = ids.dictionary_decode()
    bad = np.zeros(len(rows), np.bool_) if faults is None else faults != NO_FAULT
    places.append(RowPlaces(rows.origin, rows.positions[~bad]))
    if faults is not None:
        refused.add(Refusals(rows.origin, rows.positions[bad], faults[bad], ()))
        columns = {key: column.filter(pa.array(~bad)) for key, column in columns.items()}
    return columns | {ITEM_ID: columns[ITEM_ID].cast(pa.string())}


def _cleaned(column: pa.Array) -> pa.Array:
    """Text, numbers or truth values; null for empty values."""
    kind = column.type
    text = as_text(column)
    if text is not None:
        return _decoded(pc.if_else(is_blank(text), pa.scalar(None, pa.string()), text))
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        number = column.cast(pa.float64(), safe=False)
        return pc.if_else(pc.is_nan(number), pa.scalar(None, pa.float64()), number)
    if pa.types.is_integer(kind):
        return column.cast(pa.int64())
    return column if pa.types.is_boolean(kind) else _decoded(texts_of(column.to_pylist()).view(pa.string()))


def _decoded(text: pa.StringArray) -> pa.StringArray:
    """Bytes that are not UTF-8 are replaced by U+FFFD, because a damaged title is better than none."""
    checked = cast_or_null(text.view(pa.binary()), pa.string())
    if checked.null_count == text.null_count:
        return checked
    shown = [
        None if value is None else value.decode("utf-8", "replace") for value in text.view(pa.binary()).to_pylist()
    ]
    return pa.array(shown, pa.string())


def _warn_of_damaged_text(path: str, known: dict[str, pa.Array], config: ItemsConfig) -> None:
    """Warn of texts with bytes that the encoding of the file does not have."""
    for name, column in known.items():
        if not pa.types.is_string(column.type):
            continue
        damaged = column.filter(pc.match_substring(column, _DAMAGED))
        if len(damaged):
            logger.warning(
                "%s: %d of %d values of %r hold bytes that are not %s, shown as in %r; set items.encoding, such as "
                '"cp1252"',
                path,
                len(damaged),
                len(column),
                name,
                config.encoding,
                damaged[0].as_py()[:LONGEST_TEXT],
            )


def _joined(parts: list[pa.Array]) -> pa.Array:
    """One array of the batches' parts, as text if the batches differ in type."""
    if len({str(part.type) for part in parts}) > 1:
        parts = [part.cast(pa.string()) for part in parts]
    return pa.concat_arrays(parts)


def _first_known(column: pa.Array, row: Indices, n_ids: int) -> pa.Array:
    """(n_ids,): of each id the first known value."""
    at = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))[::-1]
    first = np.full(n_ids, -1, np.int64)
    # The last of several assignments to one place wins; in reverse order that is the first row's.
    first[row[at]] = at
    return column.take(pa.array(first, mask=first < 0))


def _typed(key: str, column: pa.Array) -> pa.Array:
    return column.cast(pa.string()) if key == TITLE else as_numbers(column)


def as_numbers(column: pa.Array) -> pa.Array:
    """int64 or float64 if every known value of a column is a number, else the column as it is.

    Floats that are all whole are integers that once had gaps (2008.0). Text with leading zeros is a code.
    """
    if column.null_count == len(column):
        return column
    if pa.types.is_floating(column.type):
        return column.cast(pa.int64()) if _all_whole(column) else column
    if not pa.types.is_string(column.type) or pc.any(pc.match_substring_regex(column, _LEADING_ZERO)).as_py():
        return column
    if _all_match(column, _WHOLE):
        return pc.replace_substring_regex(column, r"\.0+$", "").cast(pa.int64())
    return column.cast(pa.float64()) if _all_match(column, _NUMBER) else column


def _all_whole(numbers: pa.DoubleArray) -> bool:
    whole = pc.and_(pc.equal(pc.floor(numbers), numbers), pc.less(pc.abs(numbers), EXACT_FLOATS))
    return bool(pc.all(whole).as_py())


def _all_match(text: pa.StringArray, pattern: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(text, pattern)).as_py())
