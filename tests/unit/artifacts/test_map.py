"""The map of a version's items: sealed and verified with it, but not part of its name."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsys.artifacts.bundle import load_bundle
from recsys.artifacts.registry import Registry
from recsys.errors import ArtifactError

PLACES = np.array([[0, 1], [np.nan, np.nan], [-1, 0], [0.5, 0], [0, 0]], np.float32)


def test_a_version_keeps_its_map(store: Path, seal: Any) -> None:
    manifest = seal(map=PLACES)
    assert "map.npy" in manifest.files
    found = load_bundle(store / "versions" / manifest.version).map
    np.testing.assert_array_equal(found, PLACES)
    assert not found.flags.writeable


def test_a_version_without_a_map_has_none(registry: Registry, seal: Any) -> None:
    assert registry.load(seal().version).map is None


def test_the_name_of_a_version_does_not_depend_on_its_map(tmp_path: Path, store: Path, seal: Any) -> None:
    with_map = seal(map=PLACES).version
    store.rename(tmp_path / "elsewhere")
    assert seal().version == with_map


def test_a_changed_map_is_refused(store: Path, seal: Any) -> None:
    folder = store / "versions" / seal(map=PLACES).version
    path = folder / "map.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"map\.npy"):
        load_bundle(folder)


def test_a_map_of_other_items_is_refused(seal: Any) -> None:
    with pytest.raises(ArtifactError, match="map: float32"):
        seal(map=PLACES[:3])
