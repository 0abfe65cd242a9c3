"""The report that is sealed with a version."""

from pathlib import Path

import pytest

from recsys.artifacts.bundle import load_bundle, read_report, seal_bundle
from recsys.artifacts.contents import Contents
from recsys.artifacts.manifest import VersionFacts
from recsys.errors import ArtifactError


def _pages(version: str) -> dict[str, str]:
    return {"report.json": "{}", "report.md": f"# Überblick über {version}"}


def test_it_is_kept_but_not_part_of_the_name(tmp_path: Path, parts, facts) -> None:
    told = VersionFacts(**facts)
    bare = seal_bundle(tmp_path / "bare", Contents(**parts), told)
    sealed = seal_bundle(tmp_path / "full", Contents(**parts), told, pages=_pages)
    assert sealed.version == bare.version
    folder = tmp_path / "full" / "versions" / sealed.version
    assert load_bundle(folder).manifest.files["report.md"].size == len(_pages(sealed.version)["report.md"].encode())
    assert read_report(folder, "report.md") == f"# Überblick über {sealed.version}"
    assert read_report(folder, "report.html") is None
    assert read_report(tmp_path / "bare" / "versions" / bare.version, "report.md") is None


def test_a_page_that_was_changed_is_named(tmp_path: Path, parts, facts) -> None:
    version = seal_bundle(tmp_path, Contents(**parts), VersionFacts(**facts), pages=_pages).version
    page = tmp_path / "versions" / version / "report.md"
    page.chmod(0o644)
    page.write_text("# all is well", encoding="utf-8")
    for read in (load_bundle, lambda folder: read_report(folder, "report.md")):
        with pytest.raises(ArtifactError, match=r"report\.md"):
            read(page.parent)
