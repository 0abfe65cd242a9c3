"""What is served on which port, if what operators ask for has a port of its own."""

from starlette.types import Scope

_OPERATIONS = ("/metrics", "/docs", "/openapi.json")
_EVERYWHERE = ("/livez", "/readyz")
_FILES = "/explore/"
"""What pages are made of, those of both ports."""


def is_served(scope: Scope, operations_port: int | None) -> bool:
    """Whether the path of `scope` is served on the port that its request came to.

    Without an operations port, all paths are served on the one port. Else metrics, docs and `/admin` are served on
    the operations port alone, everything else on the other, and probes and the files of pages on both.
    """
    path: str = scope["path"].removeprefix(scope.get("root_path", "")) or "/"
    if operations_port is None or path in _EVERYWHERE or path.startswith(_FILES):
        return True
    is_there = (scope.get("server") or ("", None))[1] == operations_port
    return is_there == (path in _OPERATIONS or path.startswith("/admin/"))
