"""What a request costs, before its body is read: an estimate from its method, path and Content-Length.

Costs are counted in points: a point stands for ten microseconds of a processor on the machine of `benchmarks/`, so
that a second has 100,000. `expected_points(scope)` is what admission goes by before anything is read; when the body
has been parsed, `tell_points(scope, points)` tells what it turned out to ask for (`api/messages/points.py`), to
whoever put a function under `COST_LISTENER` into the scope.
"""

from collections.abc import Callable

from starlette.types import Scope

POINTS_PER_SECOND = 100_000
"""Points of one second of a processor."""

DEFAULT_BUDGET = 100_000
"""The most points that one request may ask for, by default."""

COST_LISTENER = "recsys.cost_listener"
"""Key of a scope: a function that is called with the points of the parsed body, at most once."""

CostListener = Callable[[int], None]

_FREE = frozenset({"/livez", "/readyz", "/metrics", "/", "/docs", "/explore", "/openapi.json"})
_LIGHT, _HEAVY = 60, 500
# One byte of a body: of many small questions, or of anything else (an event has 25 bytes and costs a point).
_PER_BYTE_OF_BATCH, _PER_BYTE = 1.0, 0.05
_UNKNOWN_BYTES = 64 * 1024


def expected_points(scope: Scope) -> int:
    """Points that the request of `scope` is expected to take: 0 for probes and pages, never more than a budget.

    It takes a microsecond or two, and reads nothing but the scope. A body without a Content-Length counts as one of
    64 KiB.
    """
    path: str = scope["path"]
    if path in _FREE or path.startswith("/explore/"):
        return 0
    fixed = _HEAVY if path.endswith((":search", ":find", "/map")) else _LIGHT
    if scope["method"] in ("GET", "HEAD", "DELETE", "OPTIONS"):
        return fixed
    per_byte = _PER_BYTE_OF_BATCH if path.endswith("s:batch") else _PER_BYTE
    return min(DEFAULT_BUDGET, fixed + int(per_byte * content_length(scope)))


def content_length(scope: Scope) -> int:
    """Bytes that the body of `scope` is announced to have; 64 KiB if that is unknown, 0 if it has none."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() and len(value) < 16 else _UNKNOWN_BYTES
        if name == b"transfer-encoding":
            return _UNKNOWN_BYTES
    return 0


def tell_points(scope: Scope, points: int) -> None:
    """Tell the listener of `scope`, if there is one, that the parsed request asks for `points`."""
    listener: CostListener | None = scope.get(COST_LISTENER)
    if listener is not None:
        listener(points)
