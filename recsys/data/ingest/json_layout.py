"""How the objects of a JSON file are written: one per line, or in an array."""

import json
import re
from collections.abc import Mapping
from enum import Enum

import numpy as np

from recsys.data.ingest.record_blocks import TextBlock

# Each starts with a byte that is searched for quickly, and that stays.
_AFTER_OBJECT = re.compile(rb"\}[\], \t\r]+(?=\n)")
_BEFORE_OBJECT = re.compile(rb"\n[\[\], \t\r]+(?=[\n{])")

Object = Mapping[str, object]
"""One line, parsed."""


class JsonLayout(Enum):
    """How objects are written: one per line; so, with the commas or brackets of an array; or in any other array."""

    LINES = "lines"
    LINES_OF_ARRAY = "lines of an array"
    ARRAY = "array"


def json_layout(start: bytes) -> JsonLayout:
    """How the objects of a file are written that starts so."""
    text = start.lstrip()
    is_array = text.startswith(b"[")
    if text.partition(b"\n")[0].strip() == b"{":
        return JsonLayout.ARRAY
    line, _, more = text.removeprefix(b"[").lstrip().partition(b"\n")
    if is_array and (not more.strip() or loaded(line.strip(b" \t\r,]")) is None):
        return JsonLayout.ARRAY
    has_comma = line.rstrip().endswith(b"},")
    return JsonLayout.LINES_OF_ARRAY if is_array or has_comma else JsonLayout.LINES


def without_brackets(block: TextBlock) -> TextBlock:
    """The same lines, with spaces for the commas and brackets of an array around them."""
    data = _AFTER_OBJECT.sub(_first_byte_and_spaces, b"\n" + block.data.tobytes())
    data = _BEFORE_OBJECT.sub(_first_byte_and_spaces, data)
    return TextBlock(np.frombuffer(data, np.uint8)[1:], block.first_line)


def _first_byte_and_spaces(found: re.Match[bytes]) -> bytes:
    return found[0][:1].ljust(len(found[0]))


def loaded(line: bytes) -> Object | None:
    """The object a line holds, {} for null, None if it holds no object. A comma after it is ignored."""
    try:
        row = json.loads(line.decode("utf-8", "surrogateescape").rstrip(" \t\r,"))
    except (ValueError, RecursionError):
        return None
    return {} if row is None else row if isinstance(row, dict) else None
