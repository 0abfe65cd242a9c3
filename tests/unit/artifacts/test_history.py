"""Which version stands behind which."""

from pathlib import Path

import pytest

from recsys.artifacts.history import HistoryEntry, ancestry, parse_history
from recsys.errors import ArtifactError

NAMES = {letter: f"v{letter * 16}" for letter in "abcd"}


def entries(moves: str) -> list[HistoryEntry]:
    """ "a +b -a" : a published first, then b, then a rolled back to; "x:+b" gives `previous` by hand."""
    made: list[HistoryEntry] = []
    for move in moves.split():
        previous, _, step = move.rpartition(":")
        before = NAMES.get(previous) if previous else (made[-1].version if made else None)
        action = "rollback" if step[0] == "-" else "publish"
        made.append(
            HistoryEntry(at="2026-01-01T00:00:00+00:00", action=action, version=NAMES[step[1]], previous=before)
        )
    return made


@pytest.mark.parametrize(
    ("moves", "current", "behind"),
    [
        ("", None, ""),
        ("+a", "a", "a"),
        ("+a +b +c", "c", "abc"),
        ("+a +b +c -b", "b", "ab"),  # rolled back once ...
        ("+a +b +c -b -a", "a", "a"),  # ... and twice: one further back, not forth again
        ("+a +b +c -a +d", "d", "ad"),  # a new version stands on what served before it
        ("+a +b +b", "b", "ab"),  # publishing what serves moves nothing
        ("+a +b +a", "a", "aba"),  # publishing an old version is no step back
        ("+a +b -c", "c", "abc"),  # rolling back to one that never served
        ("+a +b a:+c", "c", "ac"),  # b's line was written, but the pointer stayed on a
        ("+a +b", "a", "a"),  # the same, and nothing since
        ("+a +b", "d", "abd"),  # the pointer was set by hand
        ("+a x:+b", "b", "b"),  # the pointer was deleted by hand
    ],
)
def test_the_line_of_versions_behind_the_current_one(moves: str, current: str | None, behind: str) -> None:
    found = ancestry(entries(moves), NAMES[current] if current else None)
    assert found == [NAMES[letter] for letter in behind]


def test_lines_round_trip() -> None:
    written = entries("+a +b -a")
    text = "".join(entry.model_dump_json() + "\n" for entry in written)
    assert parse_history(Path("HISTORY"), text) == written


@pytest.mark.parametrize("line", ["", "{", '{"version": "../../etc"}', "[]"])
def test_a_damaged_line_is_named(line: str) -> None:
    good = entries("+a")[0].model_dump_json()
    with pytest.raises(ArtifactError, match=r"HISTORY: line 2 is not a history entry"):
        parse_history(Path("HISTORY"), f"{good}\n{line}\n{good}\n")
