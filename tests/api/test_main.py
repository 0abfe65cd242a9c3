import os
import socket

import pytest

from api.__main__ import _parser, main
from api.server import listening_socket
from pipelines import cli
from recsys.errors import ConfigError


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch):
    for name in ("RECSYS_STORE", "RECSYS_POLL_SECONDS", "RECSYS_LOG_LEVEL", "RECSYS_ROOT_PATH", "RECSYS_ADMIN_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("arguments", [["--port", "65536"], ["--port", "http"], ["--workers", "0"], ["--nonsense"]])
def test_a_wrong_option_is_2(arguments, capsys):
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2
    assert "usage: recsys serve" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--poll-seconds", "0"], "--poll-seconds (RECSYS_POLL_SECONDS): got '0'; expected greater than 0"),
        (
            ["--recall-sample", "2"],
            "--recall-sample (RECSYS_RECALL_SAMPLE): got '2'; expected less than or equal to 1",
        ),
        (["--log-level", "loud"], "--log-level (RECSYS_LOG_LEVEL): got 'loud'"),
        (["--store", "nowhere"], "run `recsys run` first, or create the folder"),
        ([], "--store (RECSYS_STORE): not given"),
    ],
)
def test_a_wrong_setting_is_2_and_says_which(arguments, message, capsys):
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


def test_an_option_wins_over_its_variable(monkeypatch, capsys):
    monkeypatch.setenv("RECSYS_STORE", "from the environment")
    assert main(["--store", "from-the-option"]) == 2
    assert "from-the-option: no such folder" in capsys.readouterr().err
    assert main([]) == 2
    assert "from the environment: no such folder" in capsys.readouterr().err


def test_help_lists_every_option(capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["--help"])
    assert exit_.value.code == 0
    shown = capsys.readouterr().out
    for option in ("--store", "--host", "--port", "--workers", "--poll-seconds", "--log-level", "--root-path"):
        assert option in shown


def test_recsys_serve_hands_every_option_on(monkeypatch):
    handed = []
    monkeypatch.setattr(os, "execv", lambda _, command: handed.append(command))
    options = {"--store": "s", "--port": "1", "--workers": "2", "--host": "h", "--poll-seconds": "3.0"}
    options |= {"--log-level": "debug", "--log-format": "json", "--root-path": "/x", "--recall-sample": "0.5"}
    assert set(options) == {name for action in _parser()._actions for name in action.option_strings} - {
        "-h",
        "--help",
    }
    cli.app(["serve", *(part for option in options.items() for part in option)], standalone_mode=False)
    (command,) = handed
    assert options == dict(zip(command[4::2], command[5::2], strict=True))


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
