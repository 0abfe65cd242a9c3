"""deploy/Dockerfile: linted, and built from what the ignore file lets through."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
TEXT = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")


def linted(text: str) -> subprocess.CompletedProcess[str]:
    """hadolint's verdict."""
    hadolint = Path(sys.executable).with_name("hadolint")
    return subprocess.run([hadolint, "-"], input=text, capture_output=True, text=True, check=False)


def test_the_linter_has_nothing_to_say():
    done = linted(TEXT)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_linter_would():
    assert "DL3002" in linted(TEXT.replace("USER 10001:10001", "USER root")).stdout


def test_everything_is_installed_by_hash():
    installs = re.findall(r"pip install (.*)", TEXT)
    assert len(installs) == 2
    for install in installs:
        assert "--require-hashes" in install or "--no-deps" in install


def test_what_is_copied_exists_and_is_let_through():
    allowed = {line[1:] for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line[:1] == "!"}
    copied = {source for line in re.findall(r"^COPY (?!--from)(.+)$", TEXT, re.M) for source in line.split()[:-1]}
    assert copied == allowed
    assert all((ROOT / source).exists() for source in copied)


def test_it_runs_as_nobody_special_and_says_whether_it_lives():
    final = TEXT.rpartition("FROM ")[2]
    assert re.search(r"^USER 10001:10001$", final, re.M)
    assert "HEALTHCHECK" in final
    assert "/livez" in final


def test_the_lock_has_the_drivers_of_databases_and_names_no_host():
    lock = (DEPLOY / "requirements.lock").read_text(encoding="utf-8")
    names = set(re.findall(r"^([a-z0-9-]+)(?:\[.*\])?==", lock, re.M))
    assert {"faiss-cpu", "fastapi", "adbc-driver-postgresql", "psycopg", "fsspec", "redis"} <= names
    assert "pytest" not in names
    assert "://" not in lock
