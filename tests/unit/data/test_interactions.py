"""Interactions: columns that fit together, or an error that says which does not."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsys.data.id_map import IdMap
from recsys.data.interactions import Interactions
from recsys.errors import ArtifactError, DataError

USERS, _ = IdMap.of(["u", "v"])
ITEMS, _ = IdMap.of(["i", "j"])


def interactions(**changed: Any) -> Interactions:
    columns: dict[str, Any] = {
        "user_idx": np.array([0, 1, 1], np.int32),
        "item_idx": np.array([1, 0, 1], np.int32),
        "value": np.array([1, 2, -3], np.float32),
        "timestamp": np.array([10, 20, 30], np.int64),
        "event": np.array([0, 1, 0], np.int8),
        "event_names": ("buy", "view"),
    }
    return Interactions(USERS, ITEMS, **(columns | changed))


@pytest.mark.parametrize(
    ("column", "array", "message"),
    [
        ("item_idx", np.zeros(2, np.int32), r"item_idx: got int32 \(2,\), expected int32 \(3,\)"),
        ("item_idx", np.zeros(3, np.int64), "item_idx: got int64"),
        ("value", np.zeros(3, np.float64), "value: got float64"),
        ("timestamp", np.zeros((3, 1), np.int64), "timestamp"),
        ("user_idx", np.array([0, 1, 2], np.int32), "user_idx: positions 0 to 2, expected 0 to 1"),
        ("item_idx", np.array([0, -1, 1], np.int32), "item_idx: positions -1"),
        ("event", np.array([0, 2, 1], np.int8), "event: positions 0 to 2"),
        ("value", np.array([1, np.nan, 1], np.float32), "NaN or infinity"),
        ("value", np.array([1, np.inf, 1], np.float32), "NaN or infinity"),
    ],
)
def test_a_column_that_does_not_fit_is_named(column: str, array: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        interactions(**{column: array})


def test_columns_are_read_only_and_the_callers_stay_writable() -> None:
    mine = np.array([1, 2, 3], np.float32)
    events = interactions(value=mine)
    with pytest.raises(ValueError, match="read-only"):
        events.value[0] = 5
    mine[0] = 7


def test_selected_rows_keep_every_column() -> None:
    events = interactions()
    for rows in (np.array([True, False, True]), np.array([0, 2])):
        part = events.select(rows)
        assert len(part) == 2
        assert part.user_idx.tolist() == [0, 1]
        assert part.item_idx.tolist() == [1, 1]
        assert part.value.tolist() == [1.0, -3.0]
        assert part.timestamp is not None
        assert part.timestamp.tolist() == [10, 30]
        assert part.event is not None
        assert part.event.tolist() == [0, 0]
        assert part.event_names == ("buy", "view")


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"timestamp": None, "event": None, "event_names": ()},
        {"event_names": ("a\nb", "")},
        {"event_names": ("", "only"), "event": np.zeros(3, np.int8)},
    ],
)
def test_saved_interactions_come_back(tmp_path: Path, changed: dict[str, Any]) -> None:
    events = interactions(**changed)
    events.save(tmp_path / "events")
    loaded = Interactions.load(tmp_path / "events")
    assert loaded.event_names == events.event_names
    assert loaded.users.ids.equals(USERS.ids)
    assert loaded.items.ids.equals(ITEMS.ids)
    for column in ("user_idx", "item_idx", "value", "timestamp", "event"):
        before, after = getattr(events, column), getattr(loaded, column)
        assert (before is None and after is None) or (before.dtype == after.dtype and (before == after).all())


def test_a_log_of_nothing_comes_back(tmp_path: Path) -> None:
    nothing = interactions().select(np.zeros(3, np.bool_))
    nothing.save(tmp_path)
    assert len(Interactions.load(tmp_path)) == 0


@pytest.mark.parametrize("damage", ["missing", "garbage", "items of another log"])
def test_a_damaged_folder_is_refused(tmp_path: Path, damage: str) -> None:
    interactions().save(tmp_path)
    if damage == "missing":
        (tmp_path / "events.arrow").unlink()
    elif damage == "garbage":
        (tmp_path / "events.arrow").write_bytes(b"garbage")
    else:
        IdMap.of(["only one"])[0].save(tmp_path / "items.arrow")
    with pytest.raises(ArtifactError, match=r"events\.arrow"):
        Interactions.load(tmp_path)
