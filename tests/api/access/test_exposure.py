"""Where a service without keys may listen."""

import pytest

from api.__main__ import main
from api.access.exposure import check_exposure, is_loopback
from api.settings import Settings, variable
from recsys.errors import ConfigError


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch):
    for name in Settings.model_fields:
        monkeypatch.delenv(variable(name), raising=False)


@pytest.mark.parametrize(
    ("host", "is_own"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("", False),
        ("203.0.113.7", False),
        ("no such name", False),
    ],
)
def test_what_this_machine_alone_can_reach(host, is_own):
    assert is_loopback(host) is is_own


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "203.0.113.7"])
@pytest.mark.parametrize("admin_key", [None, "correct horse battery"])
def test_a_service_that_others_reach_needs_keys_or_a_word(host, admin_key, tmp_path):
    settings = Settings(store=tmp_path, host=host, admin_key=admin_key)
    with pytest.raises(ConfigError) as refused:
        check_exposure(settings)
    for way in ("--keys FILE", "--without-keys", "127.0.0.1"):
        assert way in str(refused.value)
    check_exposure(settings.model_copy(update={"without_keys": True}))
    check_exposure(settings.model_copy(update={"keys": "keys.toml"}))
    check_exposure(settings.model_copy(update={"host": "127.0.0.1"}))


def test_the_command_ends_with_2_and_says_so(tmp_path, capsys):
    assert main(["--store", str(tmp_path), "--host", "0.0.0.0", "--port", "0"]) == 2
    assert "--without-keys" in capsys.readouterr().err


def test_a_missing_file_of_keys_ends_the_command_with_2(tmp_path, capsys):
    assert main(["--store", str(tmp_path), "--keys", str(tmp_path / "keys.toml")]) == 2
    assert "keys.toml: No such file" in capsys.readouterr().err
