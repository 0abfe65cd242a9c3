"""Rows that are known and not wanted: counted by kind, outside the refused rows, whatever else is wrong with them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from recsys.config import LogConfig
from recsys.data.ingest.accounting import RowCounts
from recsys.data.ingest.file_source import FileSource
from recsys.data.ingest.readers import read_log
from recsys.data.ingest.survey import survey_log
from recsys.data.interactions import Interactions
from recsys.errors import DataError, TooManyRefusedError

ROWS = [
    ("u1", "i1", "2020-01-01", "view"),
    ("u1", "i2", "2020-01-02", "impression"),
    ("u2", "i1", "soon", "impression"),  # a broken time does not matter here
    ("", "i1", "2020-01-02", "impression"),  # counted as an impression
    ("", "i2", "2020-01-03", "view"),
    ("u2", "i2", "2020-01-04", "purchase"),
    ("u3", "i2", "2020-01-04", ""),
]


def write(folder: Path, rows: list[tuple[str, ...]] = ROWS) -> Path:
    path = folder / "log.csv"
    path.write_text("".join(",".join(row) + "\n" for row in [("user", "item", "time", "kind"), *rows]))
    return path


def read(path: Path, *, block_bytes: int = 10_000, **settings: Any) -> tuple[Interactions, RowCounts]:
    log = LogConfig.model_validate({"paths": [path], "timestamp": "time", "event": "kind", **settings})
    source = replace(FileSource.of(log), block_bytes=block_bytes)
    return read_log(source, log, quarantine=path.with_name("quarantine.jsonl"))


WANTED: dict[str, Any] = {"event_weights": {"view": 1.0, "purchase": 4.0}, "max_refused_share": 1}


@pytest.mark.parametrize("block_bytes", [10_000, 60])
@pytest.mark.parametrize(
    "how",
    [
        WANTED | {"ignore_events": ["impression"]},
        WANTED | {"event_weights": {"view": 1.0, "purchase": 4.0, "impression": 0}},
        {"ignore_events": ["impression"], "max_refused_share": 1},
    ],
)
def test_unwanted_kinds_are_counted_by_kind_and_not_refused(
    tmp_path: Path, how: dict[str, Any], block_bytes: int
) -> None:
    path = write(tmp_path)
    events, counts = read(path, block_bytes=block_bytes, **how)
    assert counts.ignored == {"impression": 3}
    assert counts.refused == {"missing_user": 1, "missing_event": 1}
    assert (counts.rows_read, counts.accepted, counts.refused_share) == (7, 2, 0.5)
    assert set(events.event_names) == {"view", "purchase"}
    kept = [json.loads(line)["position"] for line in path.with_name("quarantine.jsonl").read_text().splitlines()]
    assert kept == [6, 8]


def test_anonymous_rows_are_refused_unless_they_are_to_be_ignored(tmp_path: Path) -> None:
    path = write(tmp_path)
    _, counts = read(path, **WANTED, ignore_events=["impression"], anonymous="ignore")
    assert counts.ignored == {"impression": 3, "anonymous": 1}
    assert counts.refused == {"missing_event": 1}
    _, counts = read(path, **WANTED, anonymous="ignore")
    assert counts.ignored == {"anonymous": 2}
    assert counts.refused == {"bad_time": 1, "missing_event": 1, "unknown_event": 1}


def test_a_line_that_cannot_be_parsed_is_not_anonymous(tmp_path: Path) -> None:
    path = write(tmp_path, [*ROWS, ("u1", "i1")])
    _, counts = read(path, **WANTED, ignore_events=["impression"], anonymous="ignore")
    assert counts.refused == {"bad_field_count": 1, "missing_event": 1}


def test_broken_times_among_the_wanted_rows_still_stop_the_job(tmp_path: Path) -> None:
    rows = [("u1", f"i{n}", "2020-01-01" if n % 2 else "soon", "view") for n in range(10)]
    impressions = [("u1", f"i{n}", "2020-01-01", "impression") for n in range(1_000)]
    with pytest.raises(TooManyRefusedError, match=r"5 of 10 rows \(50.0%\) are refused \(1,000 more are ignored\)"):
        read(write(tmp_path, rows + impressions), ignore_events=["impression"])


def test_nothing_but_ignored_rows_is_an_error_that_says_so(tmp_path: Path) -> None:
    path = write(tmp_path, [row for row in ROWS if row[3] == "impression"])
    with pytest.raises(DataError, match="all 3 rows are left out: 3 impression rows are ignored"):
        read(path, ignore_events=["impression"])
    with pytest.raises(DataError, match=r"none of the 7 rows is accepted: 4 view.*(?s:.)* missing_event"):
        rows = [(*row[:3], "view") if row[3] else row for row in ROWS[:4]] + [(*ROWS[0][:3], "")] * 3
        read(write(tmp_path, rows), ignore_events=["view"], max_refused_share=1)


def test_an_unknown_kind_is_refused_with_both_ways_out(tmp_path: Path) -> None:
    with pytest.raises(TooManyRefusedError, match=r"not in log\.event_weights; .* log\.ignore_events"):
        read(write(tmp_path), event_weights={"view": 1.0, "purchase": 4.0})


def test_the_survey_counts_ignored_rows_as_read(tmp_path: Path) -> None:
    settings = {"paths": [write(tmp_path)], "timestamp": "time", "event": "kind", "ignore_events": ["impression"]}
    log = LogConfig.model_validate(settings)
    survey = survey_log(FileSource.of(log), log)
    assert (survey.rows, survey.accepted) == (7, 2)
