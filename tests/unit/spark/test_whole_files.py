"""Files of tasks appear whole; what a killed task began goes, and nothing else."""

from pathlib import Path

import numpy as np
import pytest

from recsys.spark.whole_files import appearing, remove_unfinished, write_npy


class KilledError(BaseException):
    """Raised where a task would be killed."""


def test_what_a_killed_task_began_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "deep" / "part.npy"
    with monkeypatch.context() as killed, pytest.raises(KilledError), appearing(place) as fresh:
        killed.setattr(Path, "unlink", lambda *_, **__: None)  # a killed process does nothing more
        fresh.write_bytes(b"half")
        raise KilledError
    assert fresh.exists()
    write_npy(np.arange(3), place)
    (place.parent / ".part.npy.crc").write_bytes(b"of Spark")
    remove_unfinished(tmp_path)
    assert {path.name for path in place.parent.iterdir()} == {"part.npy", ".part.npy.crc"}
