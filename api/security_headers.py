"""Headers of every reply that keep browsers and caches from doing what they should not with it."""

from types import MappingProxyType

from starlette.datastructures import MutableHeaders

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
_POLICY = b"content-security-policy"
_OF_PAGES = (_POLICY, b"frame-ancestors 'none'")


def add_security_headers(headers: MutableHeaders) -> None:
    """Add those that `headers` does not have. A page without a policy of its own may still load what it needs."""
    present = {name for name, _ in headers.raw}
    added = [header for header in _RAW if header[0] not in present]
    if headers.get("content-type", "").startswith("text/html"):
        added = [_OF_PAGES if header[0] == _POLICY else header for header in added]
    headers.raw.extend(added)
