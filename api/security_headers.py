"""Headers of every reply that keep browsers and caches from doing what they should not with it."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

HEADERS = MappingProxyType(
    {
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",  # lists and items are of a user and of a moment
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        "Referrer-Policy": "no-referrer",  # paths hold ids
        "X-Frame-Options": "DENY",
    }
)
"""Of every reply that has no other of the same name: a page of its own may set its policy."""

_RAW = tuple((name.lower().encode(), value.encode()) for name, value in HEADERS.items())
_NAMES = frozenset(name for name, _ in _RAW)
_POLICY = b"content-security-policy"
_OF_PAGES = (_POLICY, b"frame-ancestors 'none'")


def security_headers(present: Mapping[bytes, bytes]) -> Sequence[tuple[bytes, bytes]]:
    """Those that a reply does not have, given its headers by name. A page may still load what it needs."""
    added = _RAW if present.keys().isdisjoint(_NAMES) else tuple(it for it in _RAW if it[0] not in present)
    if not present.get(b"content-type", b"").startswith(b"text/html"):
        return added
    return [_OF_PAGES if header[0] == _POLICY else header for header in added]
