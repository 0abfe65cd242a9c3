"""Arrays are written whole or not at all."""

from pathlib import Path

import numpy as np
import pytest

from recsys.data.arrays import save_array


@pytest.mark.parametrize(
    "array",
    [
        np.arange(7, dtype=np.float32),
        np.zeros((0, 5), np.float32),
        np.arange(12, dtype=np.int64).reshape(3, 4).T,
        np.array([True, False]),
    ],
)
def test_an_array_is_read_as_it_was_written(array: np.ndarray, tmp_path: Path) -> None:
    save_array(array, tmp_path / "a.npy")
    found = np.load(tmp_path / "a.npy", allow_pickle=False)
    assert found.dtype == array.dtype
    assert found.tolist() == array.tolist()
    assert found.flags.c_contiguous


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a device without room")
def test_a_disk_without_room_is_noticed_for_the_smallest_array() -> None:
    with pytest.raises(OSError, match="No space left"):
        save_array(np.arange(7, dtype=np.float32), Path("/dev/full"))
