"""External ids, dictionary-coded: each check runs on the distinct ids of a batch, not on its rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys.data.distinct_texts import dictionary_coded
from recsys.data.ingest.columns import FIRST_INEXACT, as_text, is_blank, mask
from recsys.data.ingest.id_spelling import Flags, lost_digits, null_spellings, trimmed, whole_floats, without_tails
from recsys.data.ingest.refusals import MAX_ID_BYTES, NO_FAULT, Faults, Reason, first_fault, marked

_OWNERS = {Reason.MISSING_USER: "user", Reason.MISSING_ITEM: "item"}


@dataclass(frozen=True, eq=False)
class CodedIds:
    """The ids of a batch. `ids`: DictionaryArray (n,) of int32 and binary. `faults`: of its rows.

    `notes`: rows whose id is read otherwise than it is written, by a sentence that says how.
    """

    ids: pa.DictionaryArray
    faults: Faults | None
    notes: Mapping[str, int] = field(default_factory=dict)


def read_ids(column: pa.Array, missing: Reason, *, null_ids: tuple[str, ...]) -> CodedIds:
    """The ids of users or items in a batch.

    `column`: pyarrow Array (n,) of text, bytes, whole numbers, or a dictionary of these. Text is kept as it is, white
    space included, except whole numbers that are written as floats: 101.0 is 101. Whole numbers become their
    digits, even if they are stored as floats. Numbers that have lost digits are refused; text of white space only,
    or that is one of `null_ids`, is refused as `missing`.
    """
    coded, type_faults = _coded(column)
    names, faults = _id_bytes(coded.dictionary)
    floats = whole_floats(names)
    names, lost = without_tails(names, floats), marked((lost_digits(names, floats), Reason.ID_LOST_DIGITS))
    text = trimmed(names)
    nulls = null_spellings(text, null_ids)
    absent = marked((np.logical_or.reduce(list(nulls.values())), missing)) if nulls else None
    faults = first_fault(faults, lost, absent, _checked(names, text, missing))
    rows = {_note_of_floats(missing): floats, **{_note_of_null(missing, name): at for name, at in nulls.items()}}
    ids, faults = _by_row(coded, names, faults, type_faults, missing)
    return CodedIds(ids, faults, _counted(rows, coded.indices))


def read_kinds(column: pa.Array, missing: Reason) -> tuple[pa.DictionaryArray, Faults | None]:
    """The kinds of event in a batch, as `read_ids` reads ids, but with text as it is; and the faults of its rows."""
    coded, type_faults = _coded(column)
    names, faults = _id_bytes(coded.dictionary)
    faults = first_fault(faults, _checked(names, trimmed(names), missing))
    return _by_row(coded, names, faults, type_faults, missing)


def _coded(column: pa.Array) -> tuple[pa.DictionaryArray, Faults | None]:
    column, faults = _id_like(column)
    coded = column if pa.types.is_dictionary(column.type) else dictionary_coded(column)
    if not len(coded.dictionary):
        coded = pa.DictionaryArray.from_arrays(pa.nulls(len(column), pa.int32()), pa.nulls(1, pa.binary()))
    return coded, faults


def _note_of_floats(missing: Reason) -> str:
    return f"{_OWNERS[missing]} ids such as 7.0 read as 7"


def _note_of_null(missing: Reason, spelling: str) -> str:
    return f"{_OWNERS[missing]} ids {spelling!r} read as missing"


def _counted(distinct: Mapping[str, Flags], indices: pa.Array) -> dict[str, int]:
    """Rows by note. `distinct`: bool (k,), the distinct ids that a note is about. `indices`: of the rows."""
    if not any(flags.any() for flags in distinct.values()):
        return {}
    rows = np.bincount(indices.drop_null().cast(pa.int32()).to_numpy(), minlength=len(next(iter(distinct.values()))))
    counts = {note: int(rows[flags].sum()) for note, flags in distinct.items()}
    return {note: n for note, n in counts.items() if n}


def _id_like(column: pa.Array) -> tuple[pa.Array, Faults | None]:
    """The column as bytes, numbers or a dictionary; for other types nulls, and a fault per value."""
    kind = column.type
    if (
        pa.types.is_dictionary(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
    ):
        return column, None
    text = as_text(column)
    if text is not None:
        return text.view(pa.binary()), None
    return pa.nulls(len(column), pa.binary()), marked((mask(column.is_valid()), Reason.ID_NOT_TEXT))


def _by_row(
    coded: pa.DictionaryArray,
    names: pa.BinaryArray,
    faults: Faults | None,
    type_faults: Faults | None,
    missing: Reason,
) -> tuple[pa.DictionaryArray, Faults | None]:
    """The ids of the rows, and their faults, from those of the distinct ids."""
    indices = coded.indices.cast(pa.int32())
    ids = pa.DictionaryArray.from_arrays(indices.fill_null(0), names.fill_null(b""))
    absent = marked((mask(indices.is_null()), missing)) if indices.null_count else None
    if faults is None:
        return ids, first_fault(type_faults, absent)
    known = np.where(mask(indices.is_valid()), faults[indices.fill_null(0).to_numpy()], NO_FAULT)
    return ids, first_fault(type_faults, known, absent)


def _id_bytes(values: pa.Array) -> tuple[pa.BinaryArray, Faults | None]:
    """The ids of distinct values (k,), null for values that are not ids, and the faults of those."""
    values, type_faults = _id_like(values)
    if pa.types.is_floating(values.type):
        return _float_id_bytes(values)
    if pa.types.is_decimal(values.type):
        return _decimal_id_bytes(values)
    return (values if pa.types.is_binary(values.type) else values.cast(pa.string()).cast(pa.binary())), type_faults


def _float_id_bytes(values: pa.Array) -> tuple[pa.BinaryArray, Faults | None]:
    exact = FIRST_INEXACT[str(values.type)]
    numbers = values.cast(pa.float64()).to_numpy(zero_copy_only=False)
    with np.errstate(invalid="ignore"):
        whole = (np.floor(numbers) == numbers) & np.isfinite(numbers)
    exactly = whole & (np.abs(np.where(whole, numbers, 0)) < exact)
    digits = pa.array(np.where(exactly, numbers, 0).astype(np.int64), mask=~exactly)
    faults = marked((~whole & ~np.isnan(numbers), Reason.ID_NOT_TEXT), (whole & ~exactly, Reason.ID_LOST_DIGITS))
    return digits.cast(pa.string()).cast(pa.binary()), faults


def _decimal_id_bytes(values: pa.Array) -> tuple[pa.BinaryArray, Faults | None]:
    text = values.cast(pa.string())
    if values.type.scale <= 0:
        return text.cast(pa.binary()), None
    whole = pc.match_substring_regex(text, r"\.0*$")
    digits = pc.if_else(whole, pc.replace_substring_regex(text, r"\.0*$", ""), pa.scalar(None, pa.string()))
    return digits.cast(pa.binary()), marked((~mask(whole.fill_null(True)), Reason.ID_NOT_TEXT))


def _checked(names: pa.BinaryArray, text: pa.StringArray, missing: Reason) -> Faults | None:
    """Faults of distinct ids. `text`: the same, as `trimmed` gives them."""
    bad = mask(text.is_null()) & mask(names.is_valid()) if text.null_count else np.zeros(len(names), np.bool_)
    too_long = mask(pc.fill_null(pc.greater(pc.binary_length(names), MAX_ID_BYTES), False))
    return marked((bad, Reason.BAD_UTF8), (mask(is_blank(text)) & ~bad, missing), (too_long, Reason.ID_TOO_LONG))


def known_kinds(events: pa.DictionaryArray, kinds: frozenset[bytes]) -> Faults | None:
    """Faults of the rows whose event is none of `kinds`. `events`: DictionaryArray (n,) as of `read_kinds`."""
    unknown = np.array([kind not in kinds for kind in events.dictionary.to_pylist()], np.bool_)
    faults = marked((unknown, Reason.UNKNOWN_EVENT))
    return None if faults is None else faults[events.indices.to_numpy()]
