"""The night says what was told of items by day and its catalogue lacks."""

import logging
from pathlib import Path

import pytest

from pipelines.steps.pending_changes import tell_pending
from recsys.data.id_map import IdMap
from recsys.event_store.database import open_database
from recsys.event_store.item_changes import FILE_NAME, ItemChanges

ITEMS = IdMap.of(["a", "b"])[0]


def test_it_counts_what_is_newer_or_not_there(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert tell_pending(tmp_path, ITEMS, read_at=0) == (0, 0)
    assert not (tmp_path / FILE_NAME).exists()
    changes = ItemChanges(open_database(tmp_path / FILE_NAME), clock=lambda: 100.0)
    changes.post("new", {"title": "N"})
    changes.update({"a": {"price": 1}, "b": {"price": 2}})
    with caplog.at_level(logging.INFO, "pipelines"):
        assert tell_pending(tmp_path, ITEMS, read_at=50) == (1, 2)
        assert "1 posted items" in caplog.text
        assert tell_pending(tmp_path, IdMap.of(["a", "new"])[0], read_at=150) == (0, 0)
    assert len(caplog.records) == 1


def test_a_file_that_cannot_be_read_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"no database at all, but long enough to be read as one" * 40)
    assert tell_pending(tmp_path, ITEMS, read_at=0) == (0, 0)
    assert "changes of items" in caplog.text
