"""Vectors in blocks are read and written in the order of their rows, whatever that of the files; damage is named."""

from pathlib import Path

import numpy as np
import pytest

from recsys.errors import ArtifactError
from recsys.spark.stored_vectors import StoredVectors, write_blocks

VECTORS = np.arange(24, dtype=np.float32).reshape(8, 3)


def stored(folder: Path) -> StoredVectors:
    """In files of which the first holds the last rows."""
    return write_blocks(((number, at, VECTORS[at : at + 3]) for number, at in enumerate((6, 0, 3))), folder, 3)


def test_the_rows_are_in_their_order(tmp_path: Path) -> None:
    found = stored(tmp_path / "vectors")
    assert np.array_equal(found.whole(), VECTORS)
    assert np.array_equal(found.whole(np.full((3, 1), 2, np.float32)), VECTORS.sum(axis=1, keepdims=True) * 2)
    found.save_npy(tmp_path / "all.npy")
    assert np.array_equal(np.load(tmp_path / "all.npy"), VECTORS)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    found = stored(tmp_path)
    file = found.table / found.places[1].file
    file.write_bytes(file.read_bytes()[:40])
    with pytest.raises(ArtifactError, match=file.name):
        found.whole()
