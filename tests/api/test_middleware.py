import logging
import re

import pytest

LIST = "/v1/users/ada/recommendations"


@pytest.fixture
def lines(caplog):
    """What is logged at INFO and above while a function runs."""

    def run(call):
        caplog.clear()
        with caplog.at_level(logging.INFO, "api"):
            call()
        return [record.getMessage() for record in caplog.records if record.name.startswith("api")]

    return run


def test_every_reply_names_its_version(service, store):
    version = (store / "CURRENT").read_text().strip()
    for path in (LIST, "/v1/model", "/livez", "/nowhere", f"{LIST}?k=0"):
        assert service.get(path).headers["x-model-version"] == version


@pytest.mark.parametrize("given", ["abc", "0af7651916cd43dd-8448eb211c80319c", "a:b/c+d=e@f_g.h", "x" * 128])
def test_a_sane_request_id_is_kept(service, given):
    assert service.get(LIST, headers={"X-Request-ID": given}).headers["x-request-id"] == given


@pytest.mark.parametrize("given", [b"", b"x" * 129, b"a b", b"a\tb", b"\xc3\xab", b"a;b", b"<script>", b'a"b'])
def test_any_other_is_replaced(service, given):
    reply = service.get(LIST, headers=[(b"X-Request-ID", given)])
    assert re.fullmatch("[0-9a-f]{32}", reply.headers["x-request-id"])


def test_each_request_without_an_id_gets_its_own(service):
    assert len({service.get("/livez").headers["x-request-id"] for _ in range(20)}) == 20


def test_one_line_a_request(service, store, lines):
    version = (store / "CURRENT").read_text().strip()
    (line,) = lines(lambda: service.get(LIST, headers={"X-Request-ID": "abc"}))
    template = r"method=GET route=/v1/users/\{user_id\}/recommendations status=200 ms=\d+\.\d\d request_id=abc "
    assert re.fullmatch(template + f"model_version={version}", line)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/users/hunter2/recommendations",
        "/v1/users/hunter2",
        f"{LIST}?k=hunter2",
        f"{LIST}?hunter2=1",
        "/hunter2",
        "/v1/items/hunter2",
    ],
)
def test_no_line_names_what_was_asked_for(service, lines, path):
    (line,) = lines(lambda: service.get(path))
    assert "hunter2" not in line


def test_a_made_up_method_is_not_logged(service, lines):
    (line,) = lines(lambda: service.send("HUNTER2", LIST))
    assert line.startswith("method=other ")
    assert "status=405" in line


def test_head_is_logged_as_head(service, lines):
    (line,) = lines(lambda: service.send("HEAD", LIST))
    assert line.startswith("method=HEAD route=/v1/users/{user_id}/recommendations status=200")


def test_probes_are_not_logged_at_info(service, lines):
    assert lines(lambda: [service.get("/livez"), service.get("/readyz")]) == []


def test_probes_ignore_their_query(service):
    assert service.get("/livez?ts=1").status_code == 200
    assert service.get("/readyz?ts=1").status_code == 200
