"""External ids, dictionary-coded: each check runs on the distinct ids of a batch, not on its rows."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys.data.ingest.columns import EXACT_FLOATS, as_text, cast_or_null, is_blank, mask
from recsys.data.ingest.refusals import MAX_ID_BYTES, NO_FAULT, Faults, Reason, first_fault, marked

_WHOLE_FLOAT = r"^\d+\.0$"


def code_ids(column: pa.Array, missing: Reason) -> tuple[pa.DictionaryArray, Faults | None]:
    """The ids of a batch, and the faults of its rows.

    `column`: pyarrow Array (n,) of text, bytes, whole numbers, or a dictionary of these. Returns a DictionaryArray
    (n,) of int32 and binary. Text is kept as it is, white space included; text of white space only is refused
    as `missing`. Whole numbers become their digits, even if they are stored as floats.
    """
    column, type_faults = _id_like(column)
    coded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    if not len(coded.dictionary):
        coded = pa.DictionaryArray.from_arrays(pa.nulls(len(column), pa.int32()), pa.nulls(1, pa.binary()))
    names, faults = _id_bytes(coded.dictionary)
    faults = first_fault(faults, _checked(names, missing))
    indices = coded.indices.cast(pa.int32())
    ids = pa.DictionaryArray.from_arrays(indices.fill_null(0), names.fill_null(b""))
    return ids, first_fault(type_faults, _by_row(faults, indices, missing))


def _id_like(column: pa.Array) -> tuple[pa.Array, Faults | None]:
    """The column as bytes, numbers or a dictionary; for other types nulls, and a fault per value."""
    kind = column.type
    if pa.types.is_dictionary(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind) or _is_whole(kind):
        return column, None
    text = as_text(column)
    if text is not None:
        return text.view(pa.binary()), None
    return pa.nulls(len(column), pa.binary()), marked((mask(column.is_valid()), Reason.ID_NOT_TEXT))


def _is_whole(kind: pa.DataType) -> bool:
    return bool(pa.types.is_decimal(kind) and kind.scale == 0)


def _by_row(faults: Faults | None, indices: pa.Int32Array, missing: Reason) -> Faults | None:
    absent = marked((mask(indices.is_null()), missing)) if indices.null_count else None
    if faults is None:
        return absent
    known = np.where(mask(indices.is_valid()), faults[indices.fill_null(0).to_numpy()], NO_FAULT)
    return first_fault(known, absent)


def _id_bytes(values: pa.Array) -> tuple[pa.BinaryArray, Faults | None]:
    """The ids of distinct values (k,), null for values that are not ids, and the faults of those."""
    values, type_faults = _id_like(values)
    if pa.types.is_floating(values.type):
        return _float_id_bytes(values)
    return (values if pa.types.is_binary(values.type) else values.cast(pa.string()).cast(pa.binary())), type_faults


def _float_id_bytes(values: pa.Array) -> tuple[pa.BinaryArray, Faults | None]:
    numbers = values.cast(pa.float64()).to_numpy(zero_copy_only=False)
    with np.errstate(invalid="ignore"):
        whole = (np.floor(numbers) == numbers) & (np.abs(numbers) < EXACT_FLOATS)
    digits = pa.array(np.where(whole, numbers, 0).astype(np.int64), mask=~whole)
    return digits.cast(pa.string()).cast(pa.binary()), marked((~whole & ~np.isnan(numbers), Reason.ID_NOT_TEXT))


def _checked(names: pa.BinaryArray, missing: Reason) -> Faults | None:
    """Faults of distinct ids."""
    utf8 = cast_or_null(names, pa.string())
    bad = mask(utf8.is_null()) & mask(names.is_valid()) if utf8.null_count else np.zeros(len(names), np.bool_)
    too_long = mask(pc.fill_null(pc.greater(pc.binary_length(names), MAX_ID_BYTES), False))
    return marked(
        (bad, Reason.BAD_UTF8),
        (mask(is_blank(names.view(pa.string()))), missing),
        (too_long, Reason.ID_TOO_LONG),
    )


def known_kinds(events: pa.DictionaryArray, kinds: frozenset[bytes]) -> Faults | None:
    """Faults of the rows whose event is none of `kinds`. `events`: DictionaryArray (n,) as `code_ids` returns it."""
    unknown = np.array([kind not in kinds for kind in events.dictionary.to_pylist()], np.bool_)
    faults = marked((unknown, Reason.UNKNOWN_EVENT))
    return None if faults is None else faults[events.indices.to_numpy()]


def without_float_tails(ids: pa.StringArray) -> pa.StringArray:
    """Ids without ".0" if every one is a whole number written as a float, such as 13085.0; else as they are.

    A column of numbers with gaps becomes such text when it is stored as floats. `ids`: (k,), all the
    distinct ids of a log's column; distinct ids stay distinct.
    """
    if not len(ids) or not pc.all(pc.match_substring_regex(ids, _WHOLE_FLOAT)).as_py():
        return ids
    return pc.utf8_slice_codeunits(ids, 0, -2)
