"""Damaged files, a short form of the campaign: whatever a file holds, every row and line of it is accounted for."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recsys.errors import RecsysError
from torture import ingest
from torture.log_files import LAYOUTS, Layout


def test_damaged_files() -> None:
    found = ingest.campaign(80)
    assert found.failures == []
    assert found.n_tried == 80
    assert found.counts["counted anew"] > 30


def test_damaged_footers() -> None:
    found = ingest.campaign(60, footers=True)
    assert found.failures == []
    assert found.counts["refused"] > 10


def test_the_campaign_notices_a_row_that_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    def one_less(path: Path, layout: Layout, block_bytes: int) -> ingest.Found:
        found = whole(path, layout, block_bytes)
        if isinstance(found, RecsysError):
            return found
        events, counts = found
        fewer = events.select(np.arange(len(events)) > 0)
        return fewer, replace(counts, rows_read=counts.rows_read - 1, accepted=counts.accepted - 1)

    whole = ingest.read
    monkeypatch.setattr(ingest, "read", one_less)
    assert len(ingest.campaign(20).failures) > 5


def test_a_sound_file_is_counted(tmp_path: Path) -> None:
    for layout in LAYOUTS.values():
        packed = layout.content if layout.pack is None else layout.pack(layout.content)
        (tmp_path / layout.name).write_bytes(packed)
        assert ingest.try_file(tmp_path / layout.name, packed, layout, None)[0] == "accepted"
