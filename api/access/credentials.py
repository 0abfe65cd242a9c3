"""The key that a request carries: `Authorization: Bearer KEY`, and nothing else."""

import re
from collections.abc import Iterable

from api.access.errors import UnauthorizedError

MAX_KEY = 512
"""The longest key, in characters."""

_BEARER = re.compile(rb"bearer +([\x21-\x7e]+)", re.IGNORECASE)


def key_of(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The key in `headers`, None if none of them is Authorization.

    Raises UnauthorizedError if there are two of that name, of which a proxy and this service might each take another
    one, and if what it holds is no bearer's key.
    """
    given = [value for name, value in headers if name == b"authorization"]
    if not given:
        return None
    if len(given) > 1:
        raise UnauthorizedError("expected one header Authorization, got several", was_given=True)
    found = _BEARER.fullmatch(given[0])
    if found is None or len(found[1]) > MAX_KEY:
        raise UnauthorizedError("expected `Authorization: Bearer KEY`", was_given=True)
    return found[1].decode("ascii")
