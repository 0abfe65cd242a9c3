"""Every row is accounted for, or the counts are refused; refused rows are counted, and the first are kept."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.data.ingest.accounting import Quarantine, RowCounts
from recsys.data.ingest.refusals import Reason, Refusals, fault
from recsys.errors import DataError, TooManyRefusedError

COUNTS = st.integers(0, 10**9)


@settings(max_examples=25, deadline=None)
@given(
    accepted=COUNTS,
    merged=COUNTS,
    refused=st.dictionaries(st.sampled_from(["bad_time", "bad_utf8"]), COUNTS),
    ignored=st.dictionaries(st.sampled_from(["impression", "anonymous"]), COUNTS),
)
def test_counts_survive_json(accepted: int, merged: int, refused: dict[str, int], ignored: dict[str, int]) -> None:
    n_rows = accepted + merged + sum(refused.values()) + sum(ignored.values())
    counts = RowCounts(n_rows, accepted, refused, merged, ignored)
    assert RowCounts(**json.loads(json.dumps(counts.to_dict()))) == counts


def test_a_row_that_is_not_accounted_for_is_an_error() -> None:
    with pytest.raises(DataError, match=r"10 rows read.* 5 accepted \+ 3 refused \+ 1 merged \+ 0 ignored = 9"):
        RowCounts(10, 5, {"bad_time": 3}, 1)


def test_negative_counts_are_an_error() -> None:
    with pytest.raises(DataError, match="negative"):
        RowCounts(1, 2, {"bad_time": -1})


def test_share_and_zeros() -> None:
    counts = RowCounts(10, 8, {"bad_time": 2, "bad_utf8": 0})
    assert counts.refused_share == 0.2
    assert counts.n_refused == 2
    assert counts.refused == {"bad_time": 2}
    assert RowCounts(0, 0).refused_share == 0.0


def test_ignored_rows_do_not_hide_refused_ones() -> None:
    counts = RowCounts(1_000, 8, {"bad_time": 2}, ignored={"impression": 990, "anonymous": 0})
    assert (counts.n_ignored, counts.wanted, counts.refused_share) == (990, 10, 0.2)
    assert counts.ignored == {"impression": 990}
    assert RowCounts(5, 0, ignored={"impression": 5}).refused_share == 0.0


def test_refused_cannot_be_changed() -> None:
    given = {"bad_time": 1}
    counts = RowCounts(1, 0, given)
    given["bad_time"] = 5
    assert counts.refused == {"bad_time": 1}
    with pytest.raises(TypeError):
        counts.refused["bad_time"] = 2  # type: ignore[index]


def refusals(source: str, *rows: tuple[int, Reason, str]) -> Refusals:
    lines, reasons, texts = zip(*rows, strict=True)
    faults = np.array([fault(reason) for reason in reasons], np.uint8)
    return Refusals(source, np.array(lines, np.int64), faults, texts)


BLOCKS = [
    refusals("a.csv", (2, Reason.BAD_TIME, "x"), (5, Reason.BAD_UTF8, "é"), (6, Reason.BAD_TIME, "y")),
    refusals("b.csv", (3, Reason.BAD_TIME, "z"), (4, Reason.BAD_TIME, "w")),
]


def filled(path: Path | None, limit: int) -> Quarantine:
    with Quarantine(path, limit=limit) as quarantine:
        for block in BLOCKS:
            quarantine.add(block)
    return quarantine


def test_the_file_holds_the_first_rows_with_file_line_and_reason(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "quarantine.jsonl"
    quarantine = filled(path, limit=4)
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert records == [
        {"source": "a.csv", "position": 2, "reason": "bad_time", "row": "x"},
        {"source": "a.csv", "position": 5, "reason": "bad_utf8", "row": "é"},
        {"source": "a.csv", "position": 6, "reason": "bad_time", "row": "y"},
        {"source": "b.csv", "position": 3, "reason": "bad_time", "row": "z"},
    ]
    assert quarantine.counts == {"bad_time": 4, "bad_utf8": 1}


def test_an_earlier_run_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "quarantine.jsonl"
    path.write_text("old")
    with Quarantine(path, limit=10):
        pass
    assert path.read_text() == ""


def test_too_many_refused_says_what_where_and_what_to_do(tmp_path: Path) -> None:
    quarantine = filled(tmp_path / "q.jsonl", limit=1)
    with pytest.raises(TooManyRefusedError) as caught:
        quarantine.check(RowCounts(40, 35, quarantine.counts), max_share=0.05)
    message = str(caught.value)
    assert "5 of 40 rows (12.5%) are refused; log.max_refused_share allows 5.0%" in message
    assert "4 x bad_time: the time is not of the form that log.timestamp_unit says: "
    assert "or ns since 1970; a.csv:2, a.csv:6, b.csv:3\n" in message
    assert "1 x bad_utf8" in message
    assert "q.jsonl" in message
    assert "set log.max_refused_share to 0.13 or more" in message


def test_the_share_that_is_allowed_passes() -> None:
    quarantine = filled(None, limit=0)
    quarantine.check(RowCounts(100, 95, quarantine.counts), max_share=0.05)
