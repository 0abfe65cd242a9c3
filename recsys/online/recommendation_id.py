"""The id of a list: it says version, arm, time and kind without a look-up."""

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from struct import Struct
from time import time_ns
from typing import Literal, TypeAlias, get_args
from zlib import crc32

from recsys.errors import InvalidRequestError
from recsys.experiments.assignment import ArmName

ListKind: TypeAlias = Literal[
    "recommendations", "candidates", "similar_items", "similar_users", "found_by_words", "page"
]
"""All kinds of lists. A new one is appended: its place is part of the ids."""

LENGTH = 36
"""Characters of an id: letters, digits, `-` and `_`."""

_KINDS: tuple[ListKind, ...] = get_args(ListKind)
_ARMS: tuple[ArmName | None, ...] = (None, *get_args(ArmName))
_NUMBER_OF = {kind: at for at, kind in enumerate(_KINDS)}, {arm: at for at, arm in enumerate(_ARMS)}

# format and arm | kind | time, upper and lower part | version | process | number | check
_BODY = Struct(">BBHIQIHB")
_FORMAT = 1
_REFUSED = "expected an id as a list's reply holds it, 36 letters, digits, - and _"


@dataclass(frozen=True, slots=True)
class RecommendationId:
    """What an id says: the version that answered, the arm (None outside an experiment), when, and what kind of list.

    `milliseconds`: since 1970, UTC.
    """

    version: str
    arm: ArmName | None
    milliseconds: int
    kind: ListKind


def decode(text: str) -> RecommendationId:
    """What `text` says. Raises InvalidRequestError, without repeating it, if it is not an id as `new_id` makes them.

    A checksum finds ids that were cut or changed. It is no signature: who knows this file can make an id.
    """
    try:
        raw = urlsafe_b64decode(text.encode("ascii")) if len(text) == LENGTH else b""
    except (UnicodeEncodeError, NotBase64, ValueError):
        raw = b""
    body, check = raw[: _BODY.size], raw[_BODY.size :]
    if len(raw) != _BODY.size + 4 or check != _check(body) or urlsafe_b64encode(raw) != text.encode("ascii"):
        raise InvalidRequestError(f"recommendation_id: {_REFUSED}")
    head, kind, upper, lower, version, *_ = _BODY.unpack(body)
    arm = head & 0x0F
    if head >> 4 != _FORMAT or arm >= len(_ARMS) or kind >= len(_KINDS):
        raise InvalidRequestError("recommendation_id: was made by another release of the service")
    return RecommendationId(f"v{version:016x}", _ARMS[arm], upper << 32 | lower, _KINDS[kind])


def new_id(kind: ListKind, version: str, arm: ArmName | None = None) -> str:
    """The id of a list that is given now; no two are equal.

    A process numbers its ids, from a random place on and beside 32 random bits of its own.
    """
    now = time_ns() // 1_000_000
    kinds, arms = _NUMBER_OF
    number = _next_number()
    body = _BODY.pack(
        _FORMAT << 4 | arms[arm],
        kinds[kind],
        now >> 32,
        now & 0xFFFFFFFF,
        int(version[1:], 16),
        _process,
        number >> 8 & 0xFFFF,
        number & 0xFF,
    )
    return urlsafe_b64encode(body + _check(body)).decode("ascii")


def _check(body: bytes) -> bytes:
    return crc32(body).to_bytes(4, "big")


def _new_process() -> None:
    """What makes ids of this process unlike those of others; anew in a forked child."""
    global _process, _next_number
    _process = int.from_bytes(os.urandom(4), "big")
    _next_number = count(int.from_bytes(os.urandom(3), "big")).__next__


_process: int
_next_number: Callable[[], int]
_new_process()
os.register_at_fork(after_in_child=_new_process)
