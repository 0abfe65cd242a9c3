"""The catalogue: titles and attributes of items, from one or several files."""

import logging
from collections import Counter
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys.config import ItemsConfig
from recsys.data.arrays import Indices
from recsys.data.attributes import AttributeFacts, with_facts
from recsys.data.id_map import IdMap
from recsys.data.ingest.accounting import Quarantine
from recsys.data.ingest.attribute_columns import as_texts, plain_column
from recsys.data.ingest.attribute_facts import tell_facts
from recsys.data.ingest.attribute_kinds import PlaceOf, typed_attribute
from recsys.data.ingest.catalogue_columns import attribute_of, columns_of_items
from recsys.data.ingest.column_types import plain_columns
from recsys.data.ingest.configured import items_input
from recsys.data.ingest.external_ids import read_ids
from recsys.data.ingest.input import Input
from recsys.data.ingest.line_tally import LineTally
from recsys.data.ingest.refusals import NO_FAULT, Reason, Refusals, first_fault
from recsys.data.ingest.repeated_items import RowOf, RowPlaces, tell_repeated
from recsys.data.ingest.source import ITEM_ID, LONGEST_TEXT, RawBatch
from recsys.data.items import TITLE, Items
from recsys.errors import DataError

logger = logging.getLogger(__name__)

_DAMAGED = "\ufffd"


def read_items(config: ItemsConfig, *, source: Input | None = None) -> Items:
    """Read titles and attributes of items from `source`, by default what the configuration names.

    Ids are read as those of the log. If an id is repeated, the first value that is not empty counts, per column; such
    ids are counted, with a warning if they are in several files.
    Attributes are of the kinds that `items.types` names, else as their columns are typed, else as their values look
    (`typed_attribute`). A value that is not of the kind is unknown; a warning counts these and names the first.
    Rows without a usable id are left out, and a warning says how many, and names a few of them.
    Raises DataError if a file is missing, damaged, lacks a column, or has no usable row, or if no value of an
    attribute is of its declared kind.
    """
    columns, source = columns_of_items(config), items_input(config) if source is None else source
    path = source.description
    source.check(columns)  # before a large file is read and the next one lacks a column
    lines, notes = LineTally(), Counter[str]()
    with Quarantine(None, limit=0, section="items") as refused:
        places: list[RowPlaces] = []
        check = partial(_checked, refused=refused, lines=lines, notes=notes, places=places)
        blocks = [check(parse(), config.null_ids) for parse in source.batches(columns)]
    lines.warn("items")
    for note, n_rows in notes.items():
        logger.warning("%s: %d %s", path, n_rows, note)
    if refused.counts:
        logger.warning("%s: rows left out:\n%s", path, refused.summary())
    if not blocks:
        raise DataError(f"{path}: holds no rows")
    if not sum(len(block[ITEM_ID]) for block in blocks):
        raise DataError(f"{path}: no row has a usable id in column {config.id!r}")
    joined = {key: _joined([block[key] for block in blocks]) for key in columns.names}
    ids, item_idx = IdMap.of(joined.pop(ITEM_ID))
    tell_repeated(ids, item_idx, places)
    typed = {attribute_of(key): _typed(key, column, config, RowOf(places)) for key, column in joined.items()}
    known = {name: _first_known(column, item_idx, len(ids)) for name, (column, _) in typed.items()}
    _warn_of_damaged_text(path, known, config)
    if not known:
        logger.warning("%s: items.title and items.attributes name no column, so only ids are read", path)
        return Items.without_attributes(ids)
    facts = {name: each for name, (_, each) in typed.items() if each is not None}
    tell_facts(facts, known, config)
    return Items(ids, with_facts(pa.table(known), facts))


def _checked(
    rows: RawBatch,
    null_ids: tuple[str, ...],
    *,
    refused: Quarantine,
    lines: LineTally,
    notes: Counter[str],
    places: list[RowPlaces],
) -> dict[str, pa.Array]:
    """The columns of the rows with a usable id, cleaned; `refused` and `lines` count the others."""
    lines.add(rows.origin, rows.lines)
    rows = plain_columns(rows)
    read = read_ids(rows.column(ITEM_ID), Reason.MISSING_ITEM, null_ids=null_ids)
    notes.update(read.notes)
    ids, faults = read.ids, first_fault(rows.faults, read.faults)
    columns = {key: plain_column(rows.column(key)) for key in rows.rows.schema.names if key != ITEM_ID}
    columns[ITEM_ID] = ids.dictionary_decode()
    bad = np.zeros(len(rows), np.bool_) if faults is None else faults != NO_FAULT
    places.append(RowPlaces(rows.origin, rows.positions[~bad]))
    if faults is not None:
        refused.add(Refusals(rows.origin, rows.positions[bad], faults[bad], ()))
        columns = {key: column.filter(pa.array(~bad)) for key, column in columns.items()}
    return columns | {ITEM_ID: columns[ITEM_ID].cast(pa.string())}


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
        parts = [as_texts(part) for part in parts]
    return pa.concat_arrays(parts)


def _typed(
    key: str, column: pa.Array, config: ItemsConfig, place_of: PlaceOf
) -> tuple[pa.Array, AttributeFacts | None]:
    """The values of all rows, of one kind; a title is text, and has no facts."""
    return (
        (as_texts(column), None)
        if key == TITLE
        else typed_attribute(attribute_of(key), column, config, place_of=place_of)
    )


def _first_known(column: pa.Array, row: Indices, n_ids: int) -> pa.Array:
    """(n_ids,): of each id the first known value."""
    at = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))[::-1]
    first = np.full(n_ids, -1, np.int64)
    # The last of several assignments to one place wins; in reverse order that is the first row's.
    first[row[at]] = at
    return column.take(pa.array(first, mask=first < 0))
