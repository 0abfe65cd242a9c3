"""The header of a CSV file: the names of its columns, and advice if they are not those that are expected."""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from recsys.data.ingest.csv_dialect import Dialect
from recsys.data.ingest.csv_records import Records, end_of_records, find_records
from recsys.data.ingest.recoding import restored
from recsys.data.ingest.record_blocks import LF, Bytes, last_feed
from recsys.data.ingest.source import Columns

HEADER_BYTES = 1 << 16
"""Nearly every header ends within this many bytes."""

_SEPARATOR_LINE = re.compile(rb'"?sep=([!-~ \t])"?(?:\r\n|\n|\r)', re.IGNORECASE)
_SEPARATORS = (" | ", "::", "||", ";", "\t", "|", ",", "^", " ")
_DATUM = re.compile(r"\s*([+-]?\d+([.,]\d+)?([eE][+-]?\d+)?|\d{4}-\d\d-\d\d.*|\d\d?[./]\d\d?[./]\d{4}.*)\s*")


@dataclass(frozen=True)
class Header:
    """`names`: of the columns. `dialect`: of the records after it. `end`: bytes up to them, `lines` in these."""

    names: tuple[str, ...]
    dialect: Dialect
    end: int
    lines: int


def find_header(data: Bytes, dialect: Dialect, *, columns: Sequence[str], fixed: bool, final: bool) -> Header | None:
    """The header at the start of a file; None if more of the file must be known.

    `columns`: the names, if the file has none. A first line such as `sep=;` names the delimiter, unless it is
    `fixed`.
    """
    start = _SEPARATOR_LINE.match(data.data)
    if start is None and not final and not (data[:HEADER_BYTES] == LF).any() and len(data) < HEADER_BYTES:
        return None
    skipped = 0 if start is None else start.end()
    if start is not None and not fixed:
        dialect = replace(dialect, delimiter=start[1].decode())
    if columns:
        return _header(tuple(columns), dialect, data[:skipped])
    span = _first_record(data[skipped:], dialect, final=final)
    if span is None:
        return None
    first, end, following = (skipped + at for at in span)
    return _header(fields_of(data[first:end].tobytes(), dialect), dialect, data[:following])


def _header(names: tuple[str, ...], dialect: Dialect, before: Bytes) -> Header:
    lines = int(np.count_nonzero(before == LF))
    return Header(names, replace(dialect, n_fields=len(names)), len(before), lines)


def _first_record(data: Bytes, dialect: Dialect, *, final: bool) -> tuple[int, int, int] | None:
    """Start and end of the first record that is not blank, and the start of the next one."""
    for size in sorted({min(HEADER_BYTES, len(data)), len(data)}):
        whole = len(data) if final and size == len(data) else end_of_records(data[:size], dialect)
        records = find_records(data[:whole], dialect)
        for at in np.flatnonzero(records.ends > records.starts).tolist():
            if data[records.starts[at] : records.ends[at]].tobytes().strip():
                return _span(records, at)
    return None


def _span(records: Records, at: int) -> tuple[int, int, int]:
    return int(records.starts[at]), int(records.ends[at]), int(records.nexts[at])


def fields_of(record: bytes, dialect: Dialect) -> tuple[str, ...]:
    """The fields of one record."""
    fields = _split(record.decode("utf-8", "surrogateescape"), dialect)
    texts = (field.encode("utf-8", "surrogateescape") for field in fields)
    if dialect.replaced is not None:
        texts = (restored(text, dialect.replaced) for text in texts)
    return tuple(text.decode("utf-8", "replace") for text in texts)


def _split(text: str, dialect: Dialect) -> list[str]:
    if dialect.quoted and '"' in text:
        try:
            return next(csv.reader([text], delimiter=dialect.delimiter))
        except csv.Error:  # a field of more than 128 KiB
            pass
    return text.split(dialect.delimiter)


def advice(names: Sequence[str], columns: Columns, *, quoted: bool, encoding: str) -> str:
    """What a header that lacks one of `columns` may be, and the key to set; empty if it looks like a header."""
    found, section = [], columns.section
    separator = _likely_separator(names)
    fields = names[0].split(separator) if separator else names
    if separator:
        found.append(f'its fields look separated by {separator!r}: set {section}.delimiter = "{_written(separator)}"')
    no_header = f"set {section}.columns to the names of its columns, in order ({len(fields)})"
    if any(_DATUM.fullmatch(field) for field in fields):
        found.append(f"the first line looks like data; does the file have a header? If not, {no_header}")
    elif not {field.strip() for field in fields} & set(columns.names.values()):
        found.append(f"if the file has no header, {no_header}")
    if encoding != "utf-8" and not any(name.isascii() for name in names):
        found.append(f'is {section}.encoding = "{encoding}" right?')
    elif any("\ufffd" in name for name in names):
        found.append(f'the names are not {encoding}: set {section}.encoding, such as "cp1252"')
    if not quoted and any(name.strip()[:1] == '"' for name in names):
        found.append(f'the names are in quotes: set {section}.quoting = "double"')
    return "".join(f"; {each}" for each in found)


def layout_hint(line: bytes, section: str) -> str:
    """The settings of `section` that fit a file whose first line this is; empty if it does not look like text."""
    text = line.decode("utf-8", "replace").strip()
    if not text.isprintable() and "\t" not in text:
        return ""
    separator = _likely_separator([text])
    if text.startswith(("{", "[")):
        keys = f'{section}.format = "json"'
    elif separator == "\t":
        keys = f'{section}.format = "tsv"'
    else:
        keys = f'{section}.format = "csv"' + _delimiter_key(separator, section)
    return f"; its first line, {text[:60]!r}, looks like {keys}"


def _delimiter_key(separator: str | None, section: str) -> str:
    return "" if separator in (None, ",") else f' and {section}.delimiter = "{separator}"'


def looks_like_data(names: Sequence[str]) -> bool:
    """Whether a header holds a number of several digits or a date, as rows do; small numbers may be names."""
    return any(_DATUM.fullmatch(name) and len(name.strip()) >= 4 for name in names)


def starts_with_names(data: Bytes, dialect: Dialect) -> bool:
    """Whether the first row holds no number and no date, and the second one does."""
    data = data[:HEADER_BYTES]
    whole = data[: last_feed(data, len(data)) + 1]
    records = find_records(whole, dialect)
    filled = np.flatnonzero(records.ends > records.starts)[:2]
    rows = [fields_of(whole[records.starts[at] : records.ends[at]].tobytes(), dialect) for at in filled]
    has_data = [any(_DATUM.fullmatch(field) for field in row) for row in rows]
    return has_data == [False, True]


def _likely_separator(names: Sequence[str]) -> str | None:
    """The separator that the only name holds most often, None if it holds none."""
    if len(names) != 1:
        return None
    counts = {separator: names[0].count(separator) for separator in _SEPARATORS}
    best = max(counts, key=lambda each: (counts[each] > 0 and each != " ", counts[each] * len(each)))
    return best if counts[best] else None


def _written(separator: str) -> str:
    return separator.replace("\t", "\\t")
