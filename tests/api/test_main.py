import os
import socket
import sys

import pytest

from api.__main__ import main
from api.process.server import listening_socket
from api.settings import Settings, variable
from pipelines import cli
from recsys.errors import ConfigError


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch):
    for name in Settings.model_fields:
        monkeypatch.delenv(variable(name), raising=False)


def test_an_unknown_option_is_2(capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["--nonsense"])
    assert exit_.value.code == 2
    assert "usage: recsys serve" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--store", "s", "--poll-seconds", "0"], "--poll-seconds (RECSYS_POLL_SECONDS): got '0'; expected"),
        (["--store", "nowhere"], "run `recsys run` first, or create the folder"),
        ([], "--store (RECSYS_STORE): not given"),
    ],
)
def test_a_wrong_setting_is_2_and_says_which(arguments, message, capsys):
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    "options", [["--help"], ["-h"], [], ["--store", "s", "--port=1", "--log-level", "debug"], ["--nonsense", "1"]]
)
def test_recsys_serve_hands_its_options_on_as_they_are(monkeypatch, options):
    handed = []
    monkeypatch.setattr(os, "execv", lambda _, command: handed.append(command))
    cli.app(["serve", *options], standalone_mode=False)
    assert handed == [[sys.executable, "-P", "-m", "api", *options]]


def test_a_port_in_use_is_2_and_says_so(tmp_path, capsys):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert main(["--store", str(tmp_path), "--port", str(port)]) == 2
    assert f"cannot listen on 127.0.0.1 port {port}" in capsys.readouterr().err


@pytest.mark.parametrize("host", ["203.0.113.7", "x" * 64, "no host"])
def test_a_host_that_is_not_one_of_ours_is_an_error(host):
    with pytest.raises(ConfigError, match=f"cannot listen on '?{host}'?"):
        listening_socket(host, 0)


def test_a_name_that_means_both_families_listens_on_ipv4():
    with listening_socket("localhost", 0) as listener:
        assert listener.family == socket.AF_INET
