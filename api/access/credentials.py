"""The key that a request carries: `Authorization: Bearer KEY`, and nothing else."""

import re
from collections.abc import Iterable

from api.access_errors import UnauthorizedError

MAX_KEY = 512
"""The longest key, in bytes."""

# A key that somebody chose, as RECSYS_ADMIN_KEY may be, has spaces or other letters in it, perhaps.
_BEARER = re.compile(rb"bearer +([\x21-\x7e\x80-\xff]([\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)", re.IGNORECASE)


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
    try:
        if found is not None and len(found[1]) <= MAX_KEY:
            return found[1].decode("utf-8")
    except UnicodeDecodeError:
        pass
    raise UnauthorizedError("expected `Authorization: Bearer KEY`", was_given=True)
