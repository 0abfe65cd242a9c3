"""What operators ask for on a port of its own. `test_server.py` has a real service with two ports."""

import pytest

from api.ports import is_served

OPERATIONS = ("/metrics", "/docs", "/openapi.json", "/admin/reload", "/admin/shop/rollback")
PUBLIC = (
    "/",
    "/explore",
    "/v1/explorer/map",
    "/v1/model",
    "/v1/users/ada/recommendations",
    "/v1/metrics",
    "/explorer",
    "/administration",
)
PROBES = ("/livez", "/readyz", "/explore/tokens.css")


def _scope(path, port, root=""):
    return {"type": "http", "path": root + path, "root_path": root, "server": ("127.0.0.1", port)}


@pytest.mark.parametrize("root", ["", "/shop"])
def test_each_path_is_served_on_its_port_and_no_other(root):
    for path, on_operations, on_public in [
        *((path, True, False) for path in OPERATIONS),
        *((path, False, True) for path in PUBLIC),
        *((path, True, True) for path in PROBES),
    ]:
        assert is_served(_scope(path, 9100, root), 9100) is on_operations, path
        assert is_served(_scope(path, 8000, root), 9100) is on_public, path
        assert is_served(_scope(path, 8000, root), None), path
