"""Recoding: text in any encoding, with separators of any length, becomes UTF-8 with separators of one byte."""

import codecs
from collections.abc import Callable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

SEPARATOR = "\x1f"
"""Stands for a separator that is not one ASCII character; ASCII calls it the unit separator."""

Recode = Callable[[bytes, bool], bytes]
"""The next bytes of a file, and whether they are the last, to text. Some bytes may come out with the next ones."""

_SEPARATOR = SEPARATOR.encode()

# Neither occurs in UTF-8. Text that holds one is not readable, whichever of them it is.
_KEPT, _INVALID = b"\xff", b"\xfe"

_UTF8 = ("utf-8", "utf-8-sig")
_MARKED = "utf-16", "utf-32"
_LOOKED_AT = 1024

_UNDECODABLE = "recsys-undecodable"


def _mark(error: UnicodeError) -> tuple[str, int]:
    """A lone surrogate, which becomes bytes that are not UTF-8, for bytes that the encoding does not have."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "\udcff", error.end


codecs.register_error(_UNDECODABLE, _mark)


def recoding(encoding: str, delimiter: str | None) -> Recode | None:
    """From `encoding` to UTF-8; if a delimiter is given, it becomes SEPARATOR. None if there is nothing to do.

    `encoding`: as `codecs.lookup` names it. Bytes that it does not have become bytes that are not UTF-8.
    """
    decode = None if encoding in _UTF8 else _Decoding(encoding)
    replace = None if delimiter is None else _Separating(delimiter.encode())
    if decode is None or replace is None:
        return decode or replace
    return lambda data, final: replace(decode(data, final), final)


def restored(text: bytes, delimiter: str) -> bytes:
    """A part of recoded text as it was, with its `delimiter`."""
    return text.replace(_SEPARATOR, delimiter.encode()).replace(_KEPT, _SEPARATOR)


def restored_column(texts: pa.BinaryArray, delimiter: str) -> pa.BinaryArray:
    """As `restored`, for an array of texts."""
    texts = pc.replace_substring(texts, pattern=_SEPARATOR, replacement=delimiter.encode())
    return pc.replace_substring(texts, pattern=_KEPT, replacement=_SEPARATOR)


class _Decoding:
    """Decodes the blocks of one file in turn."""

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._decoder: codecs.IncrementalDecoder | None = None
        self._start = b""

    def __call__(self, data: bytes, final: bool) -> bytes:
        if self._decoder is None:
            self._start += data
            if len(self._start) < _LOOKED_AT and not final:
                return b""
            name = byte_order(self._start, self._encoding) if self._encoding in _MARKED else self._encoding
            self._decoder = codecs.getincrementaldecoder(name)(_UNDECODABLE)
            data = self._start
        return self._decoder.decode(data, final).encode("utf-8", "surrogatepass")


def byte_order(start: bytes, encoding: str) -> str:
    """utf-16 or utf-32 with the order of its bytes, told by the zeros in `start`, unless a mark tells it."""
    width = 2 if encoding == "utf-16" else 4
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)):
        return encoding
    start = start[:_LOOKED_AT]
    return f"{encoding}-be" if start[0::width].count(0) > start[width - 1 :: width].count(0) else f"{encoding}-le"


class _Separating:
    """Replaces the separators in the blocks of one file."""

    def __init__(self, delimiter: bytes) -> None:
        self._delimiter = delimiter.replace(_SEPARATOR, _KEPT)
        self._held = b""

    def __call__(self, data: bytes, final: bool) -> bytes:
        data = self._held + data.replace(_KEPT, _INVALID).replace(_SEPARATOR, _KEPT)
        data = data.replace(self._delimiter, _SEPARATOR)
        held = 0 if final else next(self._starts_of_delimiter(data), 0)
        self._held = data[len(data) - held :]
        return data[: len(data) - held]

    def _starts_of_delimiter(self, data: bytes) -> Iterator[int]:
        """Lengths of the ends of `data` that a delimiter may start with, the longest first."""
        lengths = range(min(len(self._delimiter) - 1, len(data)), 0, -1)
        return (length for length in lengths if data.endswith(self._delimiter[:length]))
