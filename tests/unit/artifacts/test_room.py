"""A full disk is refused before anything is written."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from recsys.artifacts.bundle import seal_bundle
from recsys.artifacts.contents import Contents
from recsys.artifacts.manifest import VersionFacts
from recsys.artifacts.room import forecast_bytes
from recsys.errors import ArtifactError
from torture.versions import contents, seal


def test_a_version_that_does_not_fit_is_refused(
    store: Path, parts: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    store.mkdir()
    usage = shutil.disk_usage(store)._replace(free=100)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(ArtifactError, match="nothing was written"):
        seal_bundle(store, Contents(**parts), VersionFacts())
    assert not list((store / "versions").iterdir())


@pytest.mark.parametrize("approximate", [False, True])
def test_the_forecast_is_most_of_the_size_and_no_more(tmp_path: Path, approximate: bool) -> None:
    folder = tmp_path / "versions" / seal(tmp_path, approximate=approximate)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert 0.3 * size < forecast_bytes(contents(approximate)) <= size
