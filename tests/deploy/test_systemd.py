"""deploy/systemd by systemd's own tool, and what its units may do."""

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "deploy/systemd"
SERVICES = ["recsys.service", "recsys-night.service"]


def unit(name: str) -> configparser.RawConfigParser:
    """A unit's sections."""
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str
    parser.read(FOLDER / name, encoding="utf-8")
    return parser


@pytest.mark.parametrize("name", SERVICES)
def test_it_may_write_into_its_own_folders_alone(name):
    service = unit(name)["Service"]
    assert service["ProtectSystem"] == "strict"
    assert service["NoNewPrivileges"] == "yes"
    assert service["CapabilityBoundingSet"] == ""
    assert service["User"] == "recsys"


def test_the_service_is_given_longer_to_end_than_it_takes():
    assert int(unit("recsys.service")["Service"]["TimeoutStopSec"].removesuffix("s")) >= 20


def test_systemds_own_tool_knows_every_directive(tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    for path in FOLDER.iterdir():  # the programs are not installed where the units say
        text = path.read_text(encoding="utf-8").replace("/opt/recsys/.venv/bin/recsys", "/bin/true")
        (tmp_path / path.name).write_text(text, encoding="utf-8")
    units = sorted(map(str, tmp_path.iterdir()))
    assert len(units) == 3
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, check=False
    )
    own = [line for line in done.stderr.splitlines() if "recsys" in line]
    assert (done.returncode, own) == (0, [])


@pytest.mark.parametrize("name", SERVICES)
def test_systemds_own_tool_finds_little_exposed(name):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=20", FOLDER / name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "Unknown" in done.stderr or "unrecognized" in done.stderr:
        pytest.skip("this systemd cannot look at a file")
    assert done.returncode == 0, done.stdout[-300:]
