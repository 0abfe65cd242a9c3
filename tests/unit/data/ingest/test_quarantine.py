"""Quarantine: counts all, keeps some, and says enough to act on."""

import json
from pathlib import Path

import numpy as np
import pytest

from recsys.data.ingest.accounting import RowCounts
from recsys.data.ingest.quarantine import Quarantine
from recsys.data.ingest.refusals import Reason, Refusals, fault
from recsys.errors import TooManyRefusedError


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
        {"file": "a.csv", "line": 2, "reason": "bad_time", "row": "x"},
        {"file": "a.csv", "line": 5, "reason": "bad_utf8", "row": "é"},
        {"file": "a.csv", "line": 6, "reason": "bad_time", "row": "y"},
        {"file": "b.csv", "line": 3, "reason": "bad_time", "row": "z"},
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
    assert "or a number of s, ms or us since 1970; a.csv:2, a.csv:6, b.csv:3\n" in message
    assert "1 x bad_utf8" in message
    assert "q.jsonl" in message
    assert "set log.max_refused_share to 0.13 or more" in message


def test_the_share_that_is_allowed_passes() -> None:
    quarantine = filled(None, limit=0)
    quarantine.check(RowCounts(100, 95, quarantine.counts), max_share=0.05)
