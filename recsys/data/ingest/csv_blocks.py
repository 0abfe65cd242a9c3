"""CSV and TSV files as batches of raw rows, every row with its line number."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import chain

from recsys.config import FileFormat
from recsys.data.ingest.csv_dialect import Dialect
from recsys.data.ingest.csv_header import (
    HEADER_BYTES,
    Header,
    advice,
    find_header,
    looks_like_data,
    starts_with_names,
)
from recsys.data.ingest.csv_records import end_of_records
from recsys.data.ingest.csv_rows import ONE_LINE_KEYS, RowLayout, parse_rows
from recsys.data.ingest.expansion import ExpansionLimit
from recsys.data.ingest.file_parts import TextPart
from recsys.data.ingest.input_files import InputFile
from recsys.data.ingest.recoding import SEPARATOR, recoding
from recsys.data.ingest.record_blocks import Bytes, TextBlock
from recsys.data.ingest.source import Batches, Columns, Parse, RawBatch
from recsys.data.ingest.text_blocks import BLOCK_BYTES, Advance, text_blocks
from recsys.errors import DataError

logger = logging.getLogger(__name__)

_DELIMITERS = {"csv": ",", "tsv": "\t"}


def csv_blocks(
    path: InputFile,
    columns: Columns,
    layout: FileFormat,
    *,
    kind: str = "csv",
    advance: Advance,
    block_bytes: int = BLOCK_BYTES,
    part: TextPart | None = None,
) -> Batches:
    """The rows of a csv or tsv file, as `kind` says, written as `layout` says. Blank lines are skipped.

    `part`: the rows of that part alone; the header is that of the file.

    Raises DataError if the header lacks a column, or the file is damaged.
    """
    cut = _Cut(_dialect(layout, kind, columns), layout)
    read = partial(
        text_blocks,
        path,
        cut,
        advance=advance,
        encoding=layout.encoding,
        recode=recoding(layout.encoding, cut.dialect.replaced),
        section=columns.section,
        block_bytes=block_bytes,
        first_bytes=min(block_bytes, HEADER_BYTES),
        limit=ExpansionLimit.of(layout, columns.section),
    )
    goes_on = part is not None and part.start > 0
    blocks = read(part=None if goes_on else part)
    header, rows = _header(blocks, cut, path=path)
    places = columns.places(
        str(path),
        header.names,
        advice=advice(header.names, columns, quoted=header.dialect.quoted, encoding=layout.encoding),
    )
    dialect = cut.with_one_line(header, [place for key, place in places.items() if key in ONE_LINE_KEYS])
    how = RowLayout(path, dialect, header.names, places, columns.keep, layout.decimal, layout.quoting == "auto")
    doubt = None if goes_on else _doubt(header, rows, layout)
    found = read(part=part) if goes_on else chain([rows], blocks)
    parses = (partial(parse_rows, block, how) for block in found if len(block.data))
    return parses if doubt is None else _told(parses, f"{path}: {doubt} {columns.section}.columns")


def _doubt(header: Header, rows: TextBlock, layout: FileFormat) -> str | None:
    """What is odd about the first line, up to the name of a key; None if nothing is."""
    if not layout.columns and looks_like_data(header.names):
        return "the first line is taken as the header and looks like data; if it is a row, set"
    if layout.columns and starts_with_names(rows.data, header.dialect):
        return "the first line looks like a header, and is taken as a row because of"
    return None


def _told(parses: Iterator[Parse], warning: str) -> Batches:
    """The same, with a warning once a row is read; code that reads only the header logs nothing."""
    for number, parse in enumerate(parses):
        yield partial(_parse_and_tell, parse, warning) if number == 0 else parse


def _parse_and_tell(parse: Parse, warning: str) -> RawBatch:
    logger.warning(warning)
    return parse()


def _dialect(layout: FileFormat, kind: str, columns: Columns) -> Dialect:
    """Up to the header; if the file has none, the columns with one line per value are known by `layout`."""
    delimiter = layout.delimiter or _DELIMITERS[kind]
    names = {name for key, name in columns.names.items() if key in ONE_LINE_KEYS}
    one_line = frozenset(place for place, name in enumerate(layout.columns) if name.strip() in names)
    quoted = layout.quoting == "double" or (layout.quoting == "auto" and kind == "csv")
    if len(delimiter) == 1 and delimiter.isascii() and delimiter != "\0":
        return Dialect(delimiter, quoted, one_line=one_line)
    return Dialect(SEPARATOR, quoted, replaced=delimiter, one_line=one_line)


class _Cut:
    """Cuts the header off first, then blocks of whole records as wide as it."""

    def __init__(self, dialect: Dialect, layout: FileFormat) -> None:
        self.dialect = dialect
        self._find = partial(find_header, columns=layout.columns, fixed=layout.delimiter is not None)
        self.header: Header | None = None

    def __call__(self, data: Bytes) -> int:
        if self.header is not None:
            return end_of_records(data, self.header.dialect)
        self.header = self.find_header(data, final=False)
        return 0 if self.header is None else self.header.end

    def with_one_line(self, header: Header, places: Iterable[int]) -> Dialect:
        """The dialect of the records after the header, with the columns whose values have no line ends."""
        dialect = replace(header.dialect, one_line=frozenset(places))
        self.header = replace(header, dialect=dialect)
        return dialect

    def find_header(self, data: Bytes, *, final: bool) -> Header | None:
        """The header at the start of a file, None if it is not complete."""
        return self._find(data, self.dialect, final=final)


def _header(blocks: Iterator[TextBlock], cut: _Cut, *, path: InputFile) -> tuple[Header, TextBlock]:
    """The header, and what follows it in the first block."""
    for block in blocks:
        if block.is_blank:
            continue
        header = cut.header or cut.find_header(block.data, final=True)
        if header is not None:
            return header, TextBlock(block.data[header.end :], block.first_line + header.lines)
    raise DataError(f"{path}: holds blank lines only; expected a header and rows")
