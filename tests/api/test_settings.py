import logging
from pathlib import Path

import pytest
from pydantic import ValidationError

from api.settings import Settings, warn_of_unknown
from recsys.errors import ConfigError


def test_what_the_environment_does_not_have_keeps_its_default():
    assert Settings.from_environment({"RECSYS_STORE": "s"}) == Settings(store=Path("s"))


def test_the_store_has_no_default():
    with pytest.raises(ConfigError, match=r"--store \(RECSYS_STORE\): not given; expected folder of"):
        Settings.from_environment({})


def test_every_setting_survives_the_environment():
    settings = Settings(
        store=Path("/data/my store"),
        poll_seconds=0.5,
        recall_sample=0.25,
        log_level="debug",
        log_format="json",
        root_path="/a/b-c",
        admin_key="correct horse battery",
    )
    assert Settings.from_environment(settings.to_environment()) == settings
    assert all(getattr(settings, name) != getattr(Settings(store=Path("s")), name) for name in Settings.model_fields)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RECSYS_POLL_SECONDS", "0"),
        ("RECSYS_POLL_SECONDS", "nan"),
        ("RECSYS_POLL_SECONDS", "inf"),
        ("RECSYS_POLL_SECONDS", "soon"),
        ("RECSYS_RECALL_SAMPLE", "-0.1"),
        ("RECSYS_RECALL_SAMPLE", "1%"),
        ("RECSYS_LOG_LEVEL", "LOUD"),
        ("RECSYS_ROOT_PATH", "recsys"),
        ("RECSYS_ROOT_PATH", "/recsys/"),
    ],
)
def test_a_bad_value_is_an_error_that_names_variable_and_value(name, value):
    with pytest.raises(ConfigError, match=rf"\({name}\): got '{value}'; "):
        Settings.from_environment({"RECSYS_STORE": "s", name: value})


def test_the_admin_key_is_shown_nowhere():
    settings = Settings.from_environment({"RECSYS_STORE": "s", "RECSYS_ADMIN_KEY": "correct horse battery"})
    assert "horse" not in f"{settings!r} {settings}"
    with pytest.raises(ConfigError, match=r"^RECSYS_ADMIN_KEY: .* at least 16 ") as refused:
        Settings.from_environment({"RECSYS_STORE": "s", "RECSYS_ADMIN_KEY": "horse"})
    assert "horse" not in str(refused.value)


def test_settings_are_frozen():
    with pytest.raises(ValidationError):
        Settings(store=Path("s")).poll_seconds = 1


def test_a_variable_that_is_no_setting_is_warned_about(caplog):
    environ = {
        "RECSYS_POL_SECONDS": "1",
        "RECSYS_DATA_DIR": "x",
        "RECSYS_STORE": "x",
        "PATH": "x",
        "RECSYS_XYZZY": "1",
    }
    with caplog.at_level(logging.WARNING):
        warn_of_unknown(environ)
    first, second = (record.getMessage() for record in caplog.records)
    assert first.startswith("RECSYS_POL_SECONDS")
    assert first.endswith("did you mean RECSYS_POLL_SECONDS?")
    assert second.startswith("RECSYS_XYZZY")
    assert "RECSYS_STORE" in second
