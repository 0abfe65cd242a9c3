"""What a manifest promises, and what is refused."""

import hashlib
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from recsys.artifacts import manifest as module
from recsys.artifacts.files import FileDigest
from recsys.artifacts.manifest import (
    CHECKSUM,
    MANIFEST,
    Manifest,
    VersionFacts,
    new_manifest,
    read_manifest,
    write_manifest,
)
from recsys.errors import ArtifactError

FILES = {"a.npy": FileDigest("0" * 64, 3)}
FACTS: dict[str, Any] = {
    "config": {"model": {"factors": 8}},
    "log": {"fingerprint": "f" * 64},
    "counts": {"users": 2},
    "metrics": {"ndcg@20": 0.5},
    "gates": [],
    "verdict": "published",
    "index": {"kind": "exact"},
}


def written(store: Path, **changes: Any) -> tuple[Path, Manifest]:
    made = new_manifest(FILES, VersionFacts(**FACTS | changes))
    folder = store / made.version
    folder.mkdir()
    write_manifest(made, folder)
    return folder, made


def rewritten(folder: Path, **changes: Any) -> None:
    """Change fields of a written manifest, as another release would have written them."""
    replaced(folder, json.dumps(json.loads((folder / MANIFEST).read_text()) | changes).encode())


def replaced(folder: Path, content: bytes) -> None:
    (folder / MANIFEST).write_bytes(content)
    (folder / CHECKSUM).write_text(f"{hashlib.sha256(content).hexdigest()}  {MANIFEST}\n")


def test_it_reads_back_what_was_written(tmp_path: Path) -> None:
    folder, made = written(tmp_path)
    assert read_manifest(folder) == made


@pytest.mark.parametrize("changes", [{"metrics": {"ndcg@20": 0.6}}, {"verdict": "refused"}, {"gates": [1]}])
def test_how_it_was_judged_does_not_change_its_name(changes: dict[str, Any]) -> None:
    assert (
        new_manifest(FILES, VersionFacts(**FACTS | changes)).version
        == new_manifest(FILES, VersionFacts(**FACTS)).version
    )


@pytest.mark.parametrize("changes", [{"config": {"model": {"factors": 9}}}, {"log": {"fingerprint": "e" * 64}}])
def test_configuration_and_log_change_its_name(changes: dict[str, Any]) -> None:
    assert (
        new_manifest(FILES, VersionFacts(**FACTS | changes)).version
        != new_manifest(FILES, VersionFacts(**FACTS)).version
    )


def test_any_file_changes_its_name() -> None:
    names = {
        new_manifest(files, VersionFacts(**FACTS)).version
        for files in (FILES, {"a.npy": FileDigest("1" * 64, 3)}, {"b.npy": FileDigest("0" * 64, 3)})
    }
    assert len(names) == 3


def test_the_order_of_keys_does_not_change_its_name() -> None:
    one = new_manifest(FILES, VersionFacts(**FACTS | {"config": {"a": 1, "b": 2}}))
    other = new_manifest(FILES, VersionFacts(**FACTS | {"config": {"b": 2, "a": 1}}))
    assert one.version == other.version


def test_tuples_paths_and_dataclasses_become_json() -> None:
    @dataclass(frozen=True)
    class Gate:
        name: str

    made = new_manifest(
        FILES, VersionFacts(**FACTS | {"config": {"paths": (Path("a.csv"),)}, "gates": [Gate("beats")]})
    )
    assert made.config == {"paths": ["a.csv"]}
    assert made.gates == [{"name": "beats"}]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object()])
def test_a_fact_without_a_json_form_is_refused(value: Any) -> None:
    with pytest.raises(ArtifactError, match="JSON"):
        new_manifest(FILES, VersionFacts(**FACTS | {"metrics": {"ndcg@20": value}}))


def test_the_checksum_is_one_that_sha256sum_reads(tmp_path: Path) -> None:
    folder, _ = written(tmp_path)
    subprocess.run(["sha256sum", "--check", "--strict", CHECKSUM], cwd=folder, check=True, capture_output=True)


@pytest.mark.parametrize("schema", [0, 2, "1", None])
def test_an_unknown_schema_is_refused_with_those_understood(tmp_path: Path, schema: Any) -> None:
    folder, _ = written(tmp_path)
    rewritten(folder, schema_version=schema, brand_new="field")
    with pytest.raises(ArtifactError, match=rf"schema version {schema!r}; this release understands 1"):
        read_manifest(folder)


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[" * 100_000], ids=["cut off", "no UTF-8", "nested too deep"])
def test_what_is_no_json_document_is_refused(tmp_path: Path, content: bytes) -> None:
    folder, _ = written(tmp_path)
    replaced(folder, content)
    with pytest.raises(ArtifactError, match=r"manifest\.json: not a JSON document"):
        read_manifest(folder)


def test_an_unknown_field_is_refused(tmp_path: Path) -> None:
    folder, _ = written(tmp_path)
    rewritten(folder, brand_new="field")
    with pytest.raises(ArtifactError, match="brand_new"):
        read_manifest(folder)


def test_a_version_under_another_name_is_refused(tmp_path: Path) -> None:
    folder, made = written(tmp_path)
    renamed = folder.rename(tmp_path / f"v{'0' * 16}")
    with pytest.raises(ArtifactError, match=made.version):
        read_manifest(renamed)


def test_a_changed_fact_does_not_fit_the_name(tmp_path: Path) -> None:
    folder, _ = written(tmp_path)
    rewritten(folder, config={"model": {"factors": 9}})
    with pytest.raises(ArtifactError, match=r"describes version v.*, expected v"):
        read_manifest(folder)


def test_the_libraries_that_wrote_it_are_named(tmp_path: Path) -> None:
    libraries = new_manifest(FILES, VersionFacts(**FACTS)).libraries
    assert {"recsys", "numpy", "faiss-cpu"} <= set(libraries)


def test_this_release_reads_what_it_writes() -> None:
    assert module.SCHEMA_VERSION in module.UNDERSTOOD_SCHEMAS
