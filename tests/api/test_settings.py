import logging
from pathlib import Path

import pytest
from pydantic import ValidationError

from api.settings import Options, Settings, flag, load_settings, settings_table, variable, warn_of_unknown
from recsys.errors import ConfigError


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch):
    for name in Settings.model_fields:
        monkeypatch.delenv(variable(name), raising=False)


def test_what_neither_gives_keeps_its_default():
    assert load_settings(["--store", "s"]) == Settings(store=Path("s"))


def test_the_store_has_no_default():
    with pytest.raises(ConfigError, match=r"--store \(RECSYS_STORE\): not given; expected folder of"):
        load_settings()


OTHER = Settings(
    new_items=Path("posted.sqlite"),
    store=Path("/data/my store"),
    host="::1",
    port=0,
    workers=3,
    poll_seconds=0.5,
    recall_sample=0.25,
    load_seconds=7.0,
    users="fold_in",
    cache=Path("/var/cache/recsys"),
    cache_versions=5,
    cache_gib=1.5,
    request_points=5_000,
    request_seconds=3.0,
    signing_key="a key to sign with",
    events="events.db",
    impressions=0.5,
    impression_days=30,
    address_connections=100,
    operations_port=9100,
    operations_host="10.0.0.1",
    ssl_certfile=Path("cert.pem"),
    ssl_keyfile=Path("key.pem"),
    ssl_ca_certs=Path("authorities.pem"),
    explorer="off",
    log_level="debug",
    log_format="json",
    root_path="/a/b-c",
    admin_key="correct horse battery",
    keys="keys.toml",
    without_keys=True,
    rate="5/second",
    protect="metrics,docs",
)
"""Every setting differs from its default."""


def test_every_setting_survives_the_environment(monkeypatch):
    for name, value in OTHER.to_environment().items():
        monkeypatch.setenv(name, value)
    assert load_settings() == OTHER
    assert all(getattr(OTHER, name) != getattr(Settings(store=Path("s")), name) for name in Settings.model_fields)


def test_every_setting_but_the_secret_is_an_option():
    secret = {"admin_key", "signing_key"}
    options = [f"{flag(name)}={value}" for name, value in OTHER if name not in secret and value is not True]
    options += [flag(name) for name, value in OTHER if value is True]
    assert load_settings(options) == OTHER.model_copy(update=dict.fromkeys(secret))
    assert Settings.model_fields.keys() - Options.model_fields.keys() == secret


def test_an_option_wins_over_its_variable(monkeypatch):
    monkeypatch.setenv("RECSYS_STORE", "from-the-environment")
    monkeypatch.setenv("RECSYS_PORT", "1")
    assert load_settings(["--port", "2"]) == Settings(store=Path("from-the-environment"), port=2)


def test_settings_given_as_arguments_are_not_read_from_the_environment(monkeypatch):
    monkeypatch.setenv("RECSYS_PORT", "1")
    assert Settings(store=Path("s")).port == 8000


BAD_VALUES = [
    ("poll_seconds", "0", "expected greater than 0"),
    ("poll_seconds", "nan", "expected"),
    ("poll_seconds", "inf", "expected"),
    ("poll_seconds", "soon", "expected a valid number"),
    ("recall_sample", "-0.1", "expected greater than or equal to 0"),
    ("recall_sample", "1%", "expected a valid number"),
    ("log_level", "LOUD", "expected 'debug', 'info'"),
    ("root_path", "recsys", "String should match pattern"),
    ("root_path", "/recsys/", "String should match pattern"),
    ("port", "65536", "expected less than or equal to 65535"),
    ("port", "http", "expected a valid integer"),
    ("workers", "0", "expected greater than or equal to 1"),
]


@pytest.mark.parametrize(("name", "value", "expected"), BAD_VALUES)
def test_a_bad_value_is_an_error_that_names_option_variable_value_and_what_is_expected(
    name, value, expected, monkeypatch
):
    message = f"{flag(name)} ({variable(name)}): got {value!r}; {expected}"
    with pytest.raises(ConfigError) as refused:
        load_settings(["--store", "s", f"{flag(name)}={value}"])
    assert str(refused.value).startswith(message)
    monkeypatch.setenv(variable(name), value)
    with pytest.raises(ConfigError) as refused:
        load_settings(["--store", "s"])
    assert str(refused.value).startswith(message)


def test_the_admin_key_is_shown_nowhere(monkeypatch):
    monkeypatch.setenv("RECSYS_ADMIN_KEY", "correct horse battery")
    settings = load_settings(["--store", "s"])
    assert settings.admin_key.get_secret_value() == "correct horse battery"
    assert "horse" not in f"{settings!r} {settings}"
    monkeypatch.setenv("RECSYS_ADMIN_KEY", "horse")
    with pytest.raises(ConfigError, match=r"^RECSYS_ADMIN_KEY: .* at least 16 ") as refused:
        load_settings(["--store", "s"])
    assert "horse" not in str(refused.value)
    assert refused.value.__suppress_context__


@pytest.mark.parametrize("arguments", [["--admin-key", "correct horse battery"], ["--nonsense"], ["--stor", "s"]])
def test_any_other_option_is_an_error(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        load_settings(["--store", "s", *arguments])
    assert ended.value.code == 2
    assert f"recsys serve: error: unrecognized arguments: {arguments[0]}" in capsys.readouterr().err


def test_help_lists_every_option_with_its_meaning(capsys):
    with pytest.raises(SystemExit) as ended:
        load_settings(["--help"])
    assert ended.value.code == 0
    shown = " ".join(capsys.readouterr().out.split())
    for name, field in Options.model_fields.items():
        assert f"{flag(name)} " in shown
        assert field.description in shown


def test_the_table_has_every_setting():
    rows = [line.split("|") for line in settings_table().splitlines()[2:]]
    assert [row[2].strip() for row in rows] == [f"`{variable(name)}`" for name in Settings.model_fields]
    assert [row[1].strip() for row in rows] == [
        f"`{flag(name)}`" if name in Options.model_fields else "" for name in Settings.model_fields
    ]
    by_name = {row[2].strip(" `"): row[3].strip() for row in rows}
    assert (by_name["RECSYS_STORE"], by_name["RECSYS_POLL_SECONDS"], by_name["RECSYS_ROOT_PATH"]) == (
        "required",
        "`2`",
        "none",
    )


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
