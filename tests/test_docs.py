"""The documents say what is so: the README's commands run, every key is described."""

import contextlib
import io
import re
import runpy
import shlex
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from recsys.pipeline_config import parse_config

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def _recsys_commands() -> list[str]:
    lines = (line for block in _blocks("sh") for line in block.splitlines())
    return [line for line in lines if re.match(r"recsys (recommend|similar|export|models)\b", line)]


def test_the_configuration_page_is_what_the_code_says() -> None:
    render = runpy.run_path(str(ROOT / "docs" / "configuration.py"))["render"]
    assert (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8") == render(), (
        "run `python docs/configuration.py`"
    )


def test_the_readmes_configuration_is_a_valid_one(tmp_path: Path) -> None:
    (block,) = _blocks("toml")
    config = parse_config(tomllib.loads(block), base=tmp_path)
    assert config.publish.store == tmp_path / "store"


def test_no_page_waits_to_be_filled_in() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "benchmarks").glob("*.md")]
    assert len(pages) > 10
    assert not [page.name for page in pages if re.search(r"@[A-Z_]{3,}@|\bTODO\b|\bTBD\b", page.read_text("utf-8"))]


def test_make_lists_the_targets_that_the_readme_names() -> None:
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in re.findall(r"^make (\w+)$", README, re.MULTILINE):
        assert f"make {target}" in listed


@pytest.fixture(scope="module")
def demo(recsys_process: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder in which `recsys demo` has run, and what it printed."""
    folder = tmp_path_factory.mktemp("demo")
    ended = recsys_process("demo", cwd=folder, env={"PATH": "/usr/bin:/bin"})
    assert ended.returncode == 0, ended.stderr
    return folder, ended.stdout


def test_the_demo_shows_lists_and_where_to_go_on(demo: tuple[Path, str]) -> None:
    folder, printed = demo
    assert printed.count("Recommendations for ") == 3
    assert "history:" in printed
    assert (folder / "runs/demo/report.md").exists()
    assert f"recsys serve --store {Path('runs/demo/store')}" in printed


@pytest.mark.parametrize("command", _recsys_commands())
def test_the_readmes_commands_run_after_the_demo(recsys: Any, demo: tuple[Path, str], command: str) -> None:
    _, *arguments = shlex.split(command)
    ended = recsys(*arguments, cwd=demo[0])
    assert ended.returncode == 0, ended.stderr
    assert "fallback" not in ended.stdout


def test_the_readmes_python_runs_after_the_demo(demo: tuple[Path, str], tmp_path: Path) -> None:
    (block,) = _blocks("python")
    (tmp_path / "block.py").write_text(block, encoding="utf-8")
    with contextlib.chdir(demo[0]), contextlib.redirect_stdout(io.StringIO()) as out:
        runpy.run_path(str(tmp_path / "block.py"))
    *listed, explained = out.getvalue().splitlines()
    assert len(listed) == 5
    assert "Reason(item_id='b000" in explained
