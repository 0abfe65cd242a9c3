import json
import logging
import logging.config
import os
import sys
import time
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


def test_a_line_of_a_request_is_a_record_as_logging_makes_it(service, caplog):
    """Handlers read any attribute of a record: those of a request's are of this request, thread and process."""
    with caplog.at_level(logging.DEBUG, "api"):
        began = time.time()
        service.get(LIST)
        service.get("/livez")
        ended = time.time()
    of_list, of_probe = (it for it in caplog.records if it.name == "api.access")
    made = logging.getLogger("api.access").makeRecord("api.access", logging.INFO, "", 0, "", (), None)
    assert vars(of_list).keys() >= vars(made).keys()
    assert (of_list.levelname, of_probe.levelname, of_list.process) == ("INFO", "DEBUG", os.getpid())
    assert began <= of_list.created <= of_probe.created <= ended
    assert of_list.msecs == pytest.approx(of_list.created % 1 * 1000)
    assert of_list.relativeCreated - made.relativeCreated == pytest.approx(
        1000 * (of_list.created - made.created), abs=5
    )
    assert "route=/v1/users/{user_id}/recommendations status=200" in of_list.getMessage()


def test_times_of_lines_are_those_of_logging():
    ours = logging.config.DictConfigurator({}).configure_formatter(
        log_config("info", log_format="text")["formatters"]["text"]
    )
    for created in (1_700_000_000.0, 1_700_000_000.9996, 1_700_000_001.25):
        record = logging.makeLogRecord({"created": created, "msecs": created % 1 * 1000})
        assert ours.formatTime(record) == logging.Formatter().formatTime(record)
