"""Parts of one file, which can be read apart: bytes of a plain text at line ends, and row groups of Parquet."""

from dataclasses import dataclass

from recsys.errors import DataError


@dataclass(frozen=True)
class TextPart:
    """The bytes from `start` to `stop`, both after a line end or at an end of the file. `first_line`: from 1.

    A record may span lines, so whether `stop` ends one shows when the part is read: TornRecordError if it does not.
    """

    start: int
    stop: int
    first_line: int
    is_last: bool


@dataclass(frozen=True)
class GroupsPart:
    """The row groups from `start` to `stop` of a Parquet file. `rows_before`: rows of those before them."""

    start: int
    stop: int
    rows_before: int


FilePart = TextPart | GroupsPart


class TornRecordError(DataError):
    """A part of a text ends within a record, so the file is read as a whole."""
