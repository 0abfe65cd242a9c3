"""Marked keys and ids through every route, well and badly: they stand in no log, metric or error."""

import io
import json
import logging
import logging.config
import re

import httpx
import pytest

from api.logs import log_config
from api.settings import Settings
from recsys.api_keys.key_text import new_key

MARK = "zqmarkedqz"
ADMIN_KEY = f"{MARK} admin key of the service"


@pytest.fixture
def log():
    """The service's own log at its most talkative, in memory, beside whatever pytest listens to."""
    sink, root = io.StringIO(), logging.getLogger()
    formatters = log_config("debug", log_format="json")["formatters"]
    handlers = []
    for config in formatters.values():
        kind = config.get("()", logging.Formatter)
        handler = logging.StreamHandler(sink)
        handler.addFilter(lambda record: record.name != "httpx")  # the client of this test, not the service
        handler.setFormatter(kind(config["format"]) if "format" in config else kind())
        handlers.append(handler)
    level = root.level
    root.setLevel(logging.DEBUG)
    for handler in handlers:
        root.addHandler(handler)
    yield sink
    root.setLevel(level)
    for handler in handlers:
        root.removeHandler(handler)


def marked(node):
    """`node`, whose ids are marked."""
    if isinstance(node, dict):
        return {key: f"{MARK}-{value}" if _is_id(key, value) else marked(value) for key, value in node.items()}
    return (
        [f"{MARK}-{each}" if isinstance(each, str) else marked(each) for each in node]
        if isinstance(node, list)
        else node
    )


def _is_id(key, value):
    return isinstance(value, str) and (key.endswith("_id") or key in {"text", "title"})


def bodies(operation):
    """A body with marked ids, and ones that are wrong in several ways."""
    if "requestBody" not in operation:
        return [None]
    example = operation["requestBody"]["content"]["application/json"].get("example", {})
    sound = json.dumps(marked(example))
    return [
        sound,
        sound[:-1],
        json.dumps({MARK: MARK}),
        f'"{MARK}"',
        f'{{"k": "{MARK}"}}',
        f'{{"{MARK}": 1, "{MARK}": 2}}',
    ]


def test_no_key_and_no_id_is_told(start, store, keys, tmp_path, log):
    key = keys.add("shop", "read", "events", rate="200/minute") and keys.by_name["shop"]
    wrong = new_key()
    service = start(Settings(store=store, keys=str(keys.path), admin_key=ADMIN_KEY, events=tmp_path / "events.db"))
    given = {"right": key, "admin": ADMIN_KEY, "wrong": wrong}
    document, tried, statuses = service.app.openapi(), 0, set()
    for path, operations in document["paths"].items():
        target = re.sub(r"\{\w+\}", f"{MARK}-id", path)
        for method, operation in operations.items():
            for name, one in given.items():
                headers = {
                    "Authorization": f"Bearer {one}",
                    "X-Request-ID": one.replace(" ", "-") if name != "admin" else "a",
                }
                queries = (f"?k={MARK}", f"?{MARK}={MARK}", f"?text={MARK}&filter={MARK}", f"?user_id={MARK}")
                asked = [(body, "") for body in bodies(operation)] + [(None, query) for query in queries]
                for body, query in asked if name == wanted(operation) else asked[:1]:
                    reply = send(service, method, target + query, body, headers)
                    statuses.add(reply.status_code)
                    tried += 1
                    told = reply.text + repr(reply.headers)
                    assert not any(each in told for each in given.values()), (method, path)
                    if reply.status_code >= 400:
                        assert MARK not in told, (method, path, query, body)
    assert tried >= 250
    assert statuses >= {200, 401, 404, 422, 429}
    shown = log.getvalue() + service.get("/metrics").text
    assert "route=" in shown and "key=shop" in shown
    for secret in (MARK, key, wrong, ADMIN_KEY):
        assert secret not in shown


def wanted(operation):
    """The key that gets furthest."""
    return "admin" if operation.get("security") == [{"api_key": ["admin"]}] else "right"


def send(service, method, target, body, headers) -> httpx.Response:
    return service.send(method.upper(), target, content=body, headers=headers)


def test_a_fault_is_told_by_place_and_type_without_what_it_says(log):
    try:
        try:
            {}[f"{MARK}-user"]
        except KeyError as error:
            raise OSError(28, "No space left on device", f"/data/{MARK}") from error
    except OSError:
        logging.getLogger("api.access").exception("request_id=%s failed", "r1")
    shown = log.getvalue()
    assert MARK + "-user" not in shown and f"/data/{MARK}" not in shown
    assert "KeyError" in shown
    assert "OSError: ENOSPC No space left on device" in shown
    assert "test_nothing_is_told.py" in shown
