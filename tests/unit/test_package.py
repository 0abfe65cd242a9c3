"""What the installed package says of itself, and what its wheel holds."""

import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

import recsys

ROOT = Path(__file__).parents[2]


def test_the_version_is_that_of_the_installed_package() -> None:
    assert recsys.__version__ == version("recsys")
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        recsys.nope  # type: ignore[attr-defined]  # noqa: B018


def test_the_wheel_is_typed_and_holds_the_grammar(tmp_path: Path) -> None:
    build = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", build, tmp_path], cwd=ROOT, check=True, capture_output=True, text=True
    )
    names = zipfile.ZipFile(tmp_path / done.stdout.splitlines()[-1]).namelist()
    assert {"recsys/py.typed", "api/py.typed", "pipelines/py.typed"} <= set(names)
    assert "recsys/engine/filters/filter.lark" in names
