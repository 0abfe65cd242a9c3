import json
import logging
import logging.config
import sys
from datetime import datetime

import pytest

from api.logs import JsonFormatter, log_config

LIST = "/v1/users/hunter2/recommendations"


@pytest.fixture
def json_lines(caplog):
    """What a call logs, as the JSON formatter writes it."""

    def run(call):
        caplog.clear()
        with caplog.at_level(logging.DEBUG, "api"):
            call()
        return [json.loads(JsonFormatter().format(it)) for it in caplog.records if it.name.startswith("api")]

    return run


def test_one_object_a_request(service, store, json_lines):
    (line,) = json_lines(lambda: service.get(LIST, headers={"X-Request-ID": "abc"}))
    assert datetime.fromisoformat(line.pop("time")).tzinfo is not None
    assert 0 < line.pop("ms") < 60_000
    assert isinstance(line.pop("process"), int)
    assert line == {
        "level": "info",
        "logger": "api.access",
        "method": "GET",
        "route": "/v1/users/{user_id}/recommendations",
        "status": 200,
        "request_id": "abc",
        "model_version": (store / "CURRENT").read_text().strip(),
    }


@pytest.mark.parametrize("path", [LIST, "/v1/items/hunter2", "/hunter2", "/v1/model?hunter2=1", "/metrics"])
def test_no_id_and_no_path(service, json_lines, path):
    (line,) = json_lines(lambda: service.get(path))
    assert "hunter2" not in json.dumps(line)


def test_any_other_line_has_its_message_and_its_traceback_on_one_line():
    logger = logging.getLogger("tests.api.logs")
    try:
        raise ValueError('a "quoted"\nerror')
    except ValueError:
        record = logger.makeRecord(logger.name, logging.ERROR, __file__, 1, "%s\nfailed", ("é",), sys.exc_info())
    line = JsonFormatter().format(record)
    assert "\n" not in line
    assert json.loads(line)["message"] == "é\nfailed"
    assert json.loads(line)["exception"].endswith("\nValueError")  # its message may hold what a client sent


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_both_formats_are_configurations(log_format):
    config = log_config("warning", log_format=log_format)
    formatter = logging.config.DictConfigurator(config).configure_formatter(config["formatters"][log_format])
    assert isinstance(formatter, JsonFormatter) == (log_format == "json")
    assert config["root"]["level"] == "WARNING"
