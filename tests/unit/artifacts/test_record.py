"""The evaluation record beside a version: kept, verified, and no part of its name."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from recsys.artifacts.bundle import load_bundle, read_record, verify_bundle
from recsys.artifacts.manifest import RECORD
from recsys.data.id_map import IdMap
from recsys.errors import ArtifactError
from recsys.evaluation.record import Record


@pytest.fixture
def record() -> Record:
    return Record(
        users=IdMap(pa.array(["user 1", "user 4"], pa.string())),
        per_user={"ndcg@20": np.array([0.25, 0.5], np.float32)},
        listed=IdMap(pa.array(["ítem 0", "ítem 3"], pa.string())),
        lists=np.array([[1, 0], [0, -1]], np.int32),
        n_items=5,
    )


def test_a_record_comes_back_as_it_was_sealed(store: Path, seal, record: Record) -> None:
    version = seal(record=record).version
    manifest, again = read_record(store / "versions" / version)
    assert manifest.version == version
    assert again is not None
    assert again.users.ids == record.users.ids
    assert again.per_user["ndcg@20"].tolist() == [0.25, 0.5]
    assert again.list_of(0) == ["ítem 3", "ítem 0"]
    assert load_bundle(store / "versions" / version).manifest == manifest


def test_how_it_was_judged_does_not_change_a_versions_name(store: Path, seal, record: Record) -> None:
    without = seal().version
    assert read_record(store / "versions" / without)[1] is None
    assert seal(record=record).version == without


def test_a_damaged_record_is_refused_before_it_is_parsed(store: Path, seal, record: Record) -> None:
    folder = store / "versions" / seal(record=record).version
    path = folder / RECORD
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)
    for check in (read_record, verify_bundle, load_bundle):
        with pytest.raises(ArtifactError, match=rf"{RECORD}: its content changed"):
            check(folder)


def test_a_missing_record_is_refused(store: Path, seal, record: Record) -> None:
    folder = store / "versions" / seal(record=record).version
    assert RECORD in json.loads((folder / "manifest.json").read_text())["files"]
    folder.chmod(0o755)
    (folder / RECORD).unlink()
    for check in (read_record, verify_bundle):
        with pytest.raises(ArtifactError, match=RECORD):
            check(folder)
