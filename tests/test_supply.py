"""What is installed: every command that the documents name is locked by hash, locks are whole, the SBOM tells all."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCKS = sorted([*ROOT.glob("*.lock"), *ROOT.glob("locks/*.lock"), *ROOT.glob("deploy/*.lock")])
PAGES = [
    *ROOT.glob("*.md"),
    *ROOT.glob("docs/*.md"),
    *ROOT.glob("deploy/**/*"),
    ROOT / "Makefile",
    ROOT / "pipelines/live_demo/database.py",
]
OF_THE_CHECKOUT = re.compile(
    r"--no-deps --no-build-isolation (--editable )?(\.|\"\$root/src\")|--no-deps --no-index "
)
"""The project itself, without anything from elsewhere."""


def _installs(text: str) -> list[str]:
    """The arguments of every call of pip install, also through the name that the Makefile or a script gives it."""
    joined = re.sub(r"\\\n\s*", " ", text)
    return re.findall(r"(?:pip install|\$\(PIP_INSTALL\)|\"\$\{pip\[@\]\}\") ([^`\n#;&]*)", joined)


def _unlocked(text: str) -> list[str]:
    return [
        arguments
        for arguments in _installs(text)
        if not re.search(r"--require-hashes -r [\w/]*[\w-]+\.lock\b", arguments)
        and not OF_THE_CHECKOUT.match(arguments)
    ]


def test_every_install_that_a_document_names_is_locked_by_hash() -> None:
    pages = {page: page.read_text(encoding="utf-8") for page in PAGES if page.is_file()}
    assert sum(len(_installs(text)) for text in pages.values()) > 12
    assert {page.name: found for page, text in pages.items() if (found := _unlocked(text))} == {}


@pytest.mark.parametrize(
    "command", ["pip install -e '.[live]'", "pip install recsys", "pip install -r requirements.lock", "pip install ."]
)
def test_an_install_without_hashes_is_found(command: str) -> None:
    assert _unlocked(f"some words `{command}`")


def test_every_lock_that_a_document_names_is_there() -> None:
    named = {
        name
        for page in PAGES
        if page.is_file() and page.suffix != ".lock"
        for arguments in _installs(page.read_text(encoding="utf-8"))
        for name in re.findall(r"-r (\S+\.lock)\b", arguments)
    }
    assert len(named) > 8
    assert [name for name in named if not (ROOT / name).is_file()] == []


def _pins(lock: Path) -> dict[str, set[tuple[str, frozenset[str]]]]:
    """Name without extras -> versions with their hashes; a package may have several, for several systems."""
    pins: dict[str, set[tuple[str, frozenset[str]]]] = {}
    for block in re.findall(r"^\S.*(?:\n    .*)*", lock.read_text(encoding="utf-8"), re.MULTILINE):
        found = re.match(r"([\w.-]+)(?:\[[\w,-]+\])?==([^\s;]+)", block)
        assert found, f"{lock}: not pinned: {block[:80]}"
        hashes = frozenset(re.findall(r"--hash=sha256:([0-9a-f]{64})", block))
        assert hashes, f"{lock}: no hash: {block[:80]}"
        pins.setdefault(found[1], set()).add((found[2], hashes))
    return pins


def test_every_requirement_is_pinned_with_hashes_and_no_lock_names_a_host() -> None:
    assert len(LOCKS) > 15
    for lock in LOCKS:
        assert _pins(lock), lock
        assert "://" not in lock.read_text(encoding="utf-8"), lock


def test_every_extra_has_its_lock_and_adds_to_what_the_job_has() -> None:
    assert {path.stem for path in ROOT.glob("locks/*.lock")} == set(PROJECT["optional-dependencies"])
    job = _pins(ROOT / "requirements.lock")
    for extra, requirements in PROJECT["optional-dependencies"].items():
        more = _pins(ROOT / "locks" / f"{extra}.lock")
        assert not job.keys() & more.keys(), extra
        names = {re.split(r"[\[>=<;~! ]", one, maxsplit=1)[0] for one in requirements} - {"recsys"}
        assert names <= more.keys() | job.keys(), extra


def test_locks_agree_on_every_version() -> None:
    known = _pins(ROOT / "requirements-dev.lock")
    compared = 0
    for lock in LOCKS:
        for name, pins in _pins(lock).items():
            if name in known:
                assert {version for version, _ in pins} <= {version for version, _ in known[name]}, f"{lock}: {name}"
                compared += 1
    assert compared > 200


@pytest.fixture(scope="module")
def bill(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The SBOM that `make sbom` writes."""
    (command,) = re.findall(
        r"-m (cyclonedx_py requirements .*)", re.sub(r"\\\n\s*", "", (ROOT / "Makefile").read_text())
    )
    out = tmp_path_factory.mktemp("sbom") / "recsys.cdx.json"
    arguments = command.replace("dist/recsys.cdx.json", str(out)).split()
    quick = [sys.executable, "-W", "ignore::UserWarning", "-m", *arguments, "--no-validate"]  # make sbom validates
    subprocess.run(quick, cwd=ROOT, check=True, capture_output=True)
    return json.loads(out.read_text(encoding="utf-8"))


def test_the_sbom_tells_of_the_project(bill: Any) -> None:
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    subject = bill["metadata"]["component"]
    assert (subject["name"], subject["version"], subject["type"]) == ("recsys", PROJECT["version"], "application")
    assert subject["licenses"][0]["license"]["id"] == PROJECT["license"]


def test_the_sbom_has_everything_that_is_locked_with_its_hashes(bill: Any) -> None:
    told = {(one["name"], one["version"], _hashes(one)) for one in bill["components"]}
    locked = {
        (name, version, hashes)
        for name, pins in _pins(ROOT / "requirements.lock").items()
        for version, hashes in pins
    }
    assert len(locked) > 60
    assert told == locked
    purls = [one["purl"] for one in bill["components"]]
    assert all(purl.startswith("pkg:pypi/") for purl in purls)


def _hashes(component: Any) -> frozenset[str]:
    references = component["externalReferences"]
    return frozenset(
        one["content"] for each in references for one in each.get("hashes", []) if one["alg"] == "SHA-256"
    )


def test_messages_name_locks_that_are_there() -> None:
    sources = [*ROOT.glob("recsys/**/*.py"), *ROOT.glob("pipelines/**/*.py"), *ROOT.glob("api/**/*.py")]
    texts = {path: path.read_text(encoding="utf-8") for path in sources}
    by_hand = [str(path) for path, text in texts.items() if re.search(r"pip install (?!--|\(|gensim)", text)]
    assert by_hand == []
    named = {extra for text in texts.values() for extra in re.findall(r"install\(['\"](\w+)['\"]\)", text)}
    assert len(named) > 8
    assert sorted(extra for extra in named if not (ROOT / f"locks/{extra}.lock").is_file()) == []
