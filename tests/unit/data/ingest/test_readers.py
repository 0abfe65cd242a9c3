"""Logs to Interactions: the same events from every format, and a slow reference for what is refused."""

import gzip
import json
import logging
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.config import LogConfig, LogSchema
from recsys.data.ingest.accounting import RowCounts
from recsys.data.ingest.file_source import FileSource
from recsys.data.ingest.readers import read_frame, read_log
from recsys.data.ingest.refusals import Reason
from recsys.data.interactions import Interactions
from recsys.errors import DataError, TooManyRefusedError

COLUMNS = ["user", "item", "timestamp", "event", "value"]
EVENTS = [
    ("u1", "i1", "2020-01-01 00:00:00", "view", "1"),
    ("u2", "i1", "2020-01-01 00:00:01", "buy", "2.5"),
    ("u1", "i2", "2020-01-01 00:00:02", "view", "3"),
    ("u10", "é", "2020-01-01 00:00:02", "view", "4"),
]
START = 1_577_836_800


COLUMN_NAMES = LogSchema(timestamp="timestamp", event="event", value="value")


def log_of(*paths: Path, **settings: Any) -> LogConfig:
    mapping = {"timestamp": "timestamp", "event": "event", "value": "value"}
    return LogConfig.model_validate({"paths": paths, **mapping, **settings})


def read_files(log: LogConfig, *, block_bytes: int = 10_000, **options: Any) -> tuple[Interactions, RowCounts]:
    return read_log(replace(FileSource.of(log), block_bytes=block_bytes), log, **options)


def listed(events: Interactions) -> list[tuple[Any, ...]]:
    """Every event with ids and names for codes."""
    n = len(events)
    times = [None] * n if events.timestamp is None else events.timestamp.tolist()
    kinds = [None] * n if events.event is None else [events.event_names[code] for code in events.event]
    ids = zip(events.users.decode(events.user_idx), events.items.decode(events.item_idx), strict=True)
    return [(*pair, *rest) for pair, *rest in zip(ids, times, kinds, events.value.tolist(), strict=True)]


EXPECTED = [
    ("u1", "i1", START, "view", 1.0),
    ("u2", "i1", START + 1, "buy", 2.5),
    ("u1", "i2", START + 2, "view", 3.0),
    ("u10", "é", START + 2, "view", 4.0),
]


def text(delimiter: str) -> bytes:
    return "".join(delimiter.join(row) + "\n" for row in [COLUMNS, *EVENTS]).encode()


def parquet(path: Path) -> None:
    pq.write_table(pa.table({name: [row[at] for row in EVENTS] for at, name in enumerate(COLUMNS)}), path)


def jsonl() -> bytes:
    return "\n".join(json.dumps(dict(zip(COLUMNS, row, strict=True))) for row in EVENTS).encode()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", text(",")),
        ("a.tsv", text("\t")),
        ("a.csv.gz", gzip.compress(text(",")[:40]) + gzip.compress(text(",")[40:])),
        ("a.tsv.zst", pa.compress(text("\t"), "zstd", asbytes=True)),
        ("a.jsonl", jsonl()),
        ("a.ndjson.gz", gzip.compress(jsonl())),
        ("a.parquet", None),
    ],
)
def test_every_format_gives_the_same_events(tmp_path: Path, name: str, content: bytes | None) -> None:
    if content is None:
        parquet(tmp_path / name)
    else:
        (tmp_path / name).write_bytes(content)
    events, counts = read_files(log_of(tmp_path / name))
    assert listed(events) == EXPECTED
    assert counts.to_dict() == {"rows_read": 4, "accepted": 4, "refused": {}, "merged": 0}
    assert events.users.ids.to_pylist() == ["u1", "u10", "u2"]
    assert events.event_names == ("buy", "view")


def test_a_data_frame_gives_the_same_events() -> None:
    frame = pd.DataFrame(EVENTS, columns=COLUMNS)
    untouched = frame.copy()
    assert listed(read_frame(frame, COLUMN_NAMES)[0]) == EXPECTED
    pd.testing.assert_frame_equal(frame, untouched)
    typed = frame.assign(timestamp=pd.to_datetime(frame["timestamp"]), value=frame["value"].astype(float))
    assert listed(read_frame(typed, COLUMN_NAMES)[0]) == EXPECTED


def test_many_files_are_read_in_sorted_order(tmp_path: Path) -> None:
    header, *rows = text(",").splitlines(keepends=True)
    (tmp_path / "b.csv").write_bytes(header + b"".join(rows[2:]))
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(header + b"".join(rows[:2])))
    events, _ = read_files(log_of(tmp_path / "*.csv", tmp_path / "*.gz"))
    assert listed(events) == EXPECTED


def test_a_log_of_pairs(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("user,item\nu,i\nu,j\n")
    events, _ = read_files(LogConfig(paths=(tmp_path / "a.csv",)))
    assert listed(events) == [("u", "i", None, None, 1.0), ("u", "j", None, None, 1.0)]


# What each field means: its value, or the reason its row is refused for.
USERS = {
    "u1": "u1",
    " u2 ": " u2 ",
    "": Reason.MISSING_USER,
    "  ": Reason.MISSING_USER,
    "x" * 257: Reason.ID_TOO_LONG,
}
ITEMS = {"i1": "i1", '"i,2"': "i,2", "\udcff": Reason.BAD_UTF8, "": Reason.MISSING_ITEM}
TIMES = {
    "1577836800": START,
    "1577836801.5": START + 1,
    "": Reason.MISSING_TIME,
    "soon": Reason.BAD_TIME,
    "12": Reason.TIME_OUT_OF_RANGE,
}
KINDS = {"view": "view", "": Reason.MISSING_EVENT, "scan": Reason.UNKNOWN_EVENT}
VALUES = {
    "1": 1.0,
    "2.5": 2.5,
    "": Reason.MISSING_VALUE,
    "two": Reason.BAD_VALUE,
    "nan": Reason.NON_FINITE_VALUE,
    "-3": Reason.NON_POSITIVE_VALUE,
}
FIELDS = st.tuples(*(st.sampled_from(list(column)) for column in (USERS, ITEMS, TIMES, KINDS, VALUES)))
LINES = st.lists(st.one_of(FIELDS, st.sampled_from([("short",), ("a", "b", "c", "d", "e", "f"), ()])), max_size=12)


def judged(fields: tuple[str, ...]) -> tuple[Any, ...] | Reason:
    """An accepted event, or the first reason against it."""
    if len(fields) != 5:
        return Reason.BAD_FIELD_COUNT
    read = [column[field] for column, field in zip((USERS, ITEMS, TIMES, KINDS, VALUES), fields, strict=True)]  # type: ignore[index]
    reasons = [value for value in read if isinstance(value, Reason)]
    return min(reasons, key=list(Reason).index) if reasons else tuple(read)


@settings(max_examples=60, deadline=None)
@given(lines=LINES, size=st.integers(20, 400))
def test_a_slow_reading_tells_the_same(
    tmp_path_factory: pytest.TempPathFactory, lines: list[tuple[str, ...]], size: int
) -> None:
    folder = tmp_path_factory.mktemp("log")
    records = [",".join(COLUMNS), "u1,i1,1577836800,view,1", *(",".join(fields) for fields in lines)]
    (folder / "a.csv").write_bytes("\n".join(records).encode("utf-8", "surrogateescape"))
    starts = [1 + sum(record.count("\n") + 1 for record in records[:at]) for at in range(len(records))]
    verdicts = [(start, judged(fields)) for start, fields in zip(starts[2:], lines, strict=True) if fields]

    log = log_of(folder / "a.csv", event_weights={"view": 1.0}, timestamp_unit="s", max_refused_share=1.0)
    events, counts = read_files(log, quarantine=folder / "q.jsonl", block_bytes=size)

    refused = [(line, verdict) for line, verdict in verdicts if isinstance(verdict, Reason)]
    accepted = [verdict for _, verdict in verdicts if not isinstance(verdict, Reason)]
    assert listed(events) == [("u1", "i1", START, "view", 1.0), *accepted]
    assert counts.refused == Counter(reason for _, reason in refused)
    assert counts.rows_read == len(verdicts) + 1
    kept = [json.loads(line) for line in (folder / "q.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(record["position"], record["reason"]) for record in kept] == refused


def test_the_unit_of_time_is_told_by_the_first_rows_that_tell_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    times = ["?", "-", str(START * 1000), str(START * 1000 + 999), str(START)]
    (tmp_path / "a.csv").write_text("user,item,t\n" + "".join(f"user,item,{time}\n" for time in times))
    with caplog.at_level(logging.INFO):
        log = LogConfig(paths=(tmp_path / "a.csv",), timestamp="t", max_refused_share=1)
        events, counts = read_files(log, block_bytes=16)
    assert events.timestamp is not None
    assert events.timestamp.tolist() == [START, START]
    assert counts.refused == {"bad_time": 2, "time_out_of_range": 1}
    assert "log.timestamp is read as ms" in caplog.text


def test_negative_values_are_kept_to_be_netted(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("user,item,value\nu,i,2\nu,i,-1\nu,i,0\n")
    log = LogConfig(paths=(tmp_path / "a.csv",), value="value", non_positive="net", max_refused_share=1)
    events, counts = read_files(log)
    assert events.value.tolist() == [2.0, -1.0]
    assert counts.refused == {"non_positive_value": 1}


def test_double_logging_is_merged_to_the_first_row(tmp_path: Path) -> None:
    rows = [*EVENTS, (*EVENTS[0][:4], "9"), EVENTS[0], ("u1", "i1", "2020-01-01 00:00:00", "buy", "1")]
    frame = pd.DataFrame(rows, columns=COLUMNS)
    events, counts = read_frame(frame, COLUMN_NAMES, deduplicate=True)
    assert listed(events) == [*EXPECTED, ("u1", "i1", START, "buy", 1.0)]
    assert counts.to_dict() == {"rows_read": 7, "accepted": 5, "refused": {}, "merged": 2}


def test_without_event_weights_every_kind_is_known(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("user,item,event\nu,i,x\nu,i,y\n")
    events, _ = read_files(LogConfig(paths=(tmp_path / "a.csv",), event="event"))
    assert events.event_names == ("x", "y")


def test_more_than_the_share_stops_the_job_and_leaves_the_quarantine(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("user,item\n" + "u,i\n" * 94 + ",i\n" * 6)
    log = LogConfig(paths=(tmp_path / "a.csv",))
    with pytest.raises(TooManyRefusedError, match=r"6 of 100 rows \(6\.0%\)") as caught:
        read_files(log, quarantine=tmp_path / "q.jsonl")
    assert f"6 x missing_user: the user's id is empty, or one of log.null_ids; {tmp_path / 'a.csv'}:96, " in str(
        caught.value
    )
    first = json.loads((tmp_path / "q.jsonl").read_text().splitlines()[0])
    row = {"user": "", "item": "i"}
    assert first == {"source": str(tmp_path / "a.csv"), "position": 96, "reason": "missing_user", "row": row}
    events, _ = read_files(log.model_copy(update={"max_refused_share": 0.06}))
    assert len(events) == 94


def refusal_message(tmp_path: Path, rows: list[str], **settings: Any) -> str:
    """The error of a log with these times, or with times, kinds and values."""
    names = ",".join(["user", "item", *settings.pop("names", ["timestamp"])])
    (tmp_path / "a.csv").write_text("\n".join([names, *(f"u,i,{row}" for row in rows)]))
    log = LogConfig.model_validate({"paths": [tmp_path / "a.csv"], "timestamp": "timestamp", **settings})
    with pytest.raises(TooManyRefusedError) as caught:
        read_files(log, now=START)
    return str(caught.value)


def test_a_time_in_the_future_has_a_reason_of_its_own(tmp_path: Path) -> None:
    times = [START + 3600, START + 3601]
    frame = pd.DataFrame({"user": ["u", "v"], "item": ["i", "j"], "timestamp": times})
    log = LogSchema(timestamp="timestamp", max_future="1h", max_refused_share=1)
    events, counts = read_frame(frame, log, now=START)
    assert listed(events) == [("u", "i", START + 3600, None, 1.0)]
    assert counts.refused == {"in_the_future": 1}
    assert read_frame(frame, log)[1].refused == {}


def test_a_bad_time_is_shown_with_what_is_expected(tmp_path: Path) -> None:
    message = refusal_message(tmp_path, [str(START), "31/12/2019" + "9" * 100], timestamp_unit="s")
    assert f"found '31/12/2019{'9' * 50}'; " in message
    assert "ISO 8601 as 2024-05-31T18:30:00Z, or a number of s, ms, us or ns" in message


@pytest.mark.parametrize(("rows", "said"), [([f"{START}000"] * 2, "ms"), ([f"{START}000000"] * 2, "us")])
def test_the_unit_that_would_fit_is_named(tmp_path: Path, rows: list[str], said: str) -> None:
    message = refusal_message(tmp_path, rows, timestamp_unit="s")
    assert f"found '{rows[0]}', a time if log.timestamp_unit = \"{said}\"; " in message
    assert "set log.max_refused_share" not in message


def test_unknown_kinds_are_listed_up_to_ten(tmp_path: Path) -> None:
    rows = [f"{START},k{number // 2:02d}" for number in range(30)]
    settings = {"names": ["timestamp", "event"], "event": "event", "event_weights": {"view": 1.0}}
    message = refusal_message(tmp_path, rows, **settings)
    assert "found " + ", ".join(f"'k{number:02d}'" for number in range(10)) + "; " in message


def test_a_name_in_the_header_may_have_white_space_around_it(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("user, item ,x\nu,i,1\n")
    pq.write_table(pa.table({" user": ["u"], "item\t": ["i"]}), tmp_path / "b.parquet")
    (tmp_path / "c.csv").write_text("user, item,item\nu,wrong,i\n")
    for name in ("a.csv", "b.parquet", "c.csv"):
        assert listed(read_files(LogConfig(paths=(tmp_path / name,)))[0]) == [("u", "i", None, None, 1.0)]


@pytest.mark.parametrize(
    ("content", "share", "message"),
    [
        ("user,item\n", 0.05, r"a\.csv: holds no rows"),
        ("user,item\n,\n", 1.0, r"a\.csv: all 1 rows are refused"),
        ("user,itm\nu,i\n", 0.05, r"no column 'item' \(log\.item\); did you mean 'itm'"),
    ],
)
def test_a_log_without_events_is_an_error_that_names_the_file(
    tmp_path: Path, content: str, share: float, message: str
) -> None:
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(DataError, match=message):
        read_files(LogConfig(paths=(tmp_path / "a.csv",), max_refused_share=share))


def test_one_file_without_rows_among_others_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.csv").write_text("user,item\n")
    (tmp_path / "b.csv").write_text("user,item\nu,i\n")
    events, _ = read_files(LogConfig(paths=(tmp_path / "*.csv",)))
    assert len(events) == 1
    assert f"1 of 2 files hold no rows: {tmp_path / 'a.csv'}" in caplog.text


def test_a_frame_without_rows_is_an_error() -> None:
    with pytest.raises(DataError, match="the data frame: holds no rows"):
        read_frame(pd.DataFrame({"user": [], "item": []}), LogSchema())


def test_progress_counts_bytes_up_to_the_size_of_the_log(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_bytes(text(","))
    reported: list[tuple[str, float, float | None]] = []
    read_files(log_of(tmp_path / "*.csv"), block_bytes=40, progress=lambda *news: reported.append(news))
    done = [position for _, position, _ in reported]
    assert done == sorted(done)
    assert reported[-1] == ("read", 2 * len(text(",")), 2 * len(text(",")))


def test_no_user_ids_are_logged_at_info(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.csv").write_text("user,item\nsecret-user,i\n" * 1)
    with caplog.at_level(logging.INFO):
        read_files(LogConfig(paths=(tmp_path / "a.csv",)))
    assert "1 rows read" in caplog.text
    assert "secret" not in caplog.text


def test_columns_are_read_only(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(text(","))
    events, _ = read_files(log_of(tmp_path / "a.csv"))
    with pytest.raises(ValueError, match="read-only"):
        events.value[0] = np.float32(2)


def test_decimal_commas(tmp_path: Path) -> None:
    rows = ["u,i,1577836800,view,1,5", "u,j,1577836800,5,view,2", "u,k,1577836800,view,1.000"]
    (tmp_path / "a.csv").write_text(
        "\n".join(row.replace(",", ";") for row in rows).replace("1;5", "1,5").replace("0;5", "0,5")
    )
    settings = {"delimiter": ";", "decimal": ",", "columns": COLUMNS, "max_refused_share": 1}
    events, counts = read_files(log_of(tmp_path / "a.csv", **settings))
    assert listed(events) == [("u", "i", START, "view", 1.5), ("u", "j", START, "view", 2.0)]
    assert counts.refused == {Reason.BAD_VALUE: 1}


def test_decimal_commas_are_recognised(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("user;item;value\nu;i;1,5\n")
    with pytest.raises(DataError, match=r'found \'1,5\', a number if log\.decimal = ","'):
        read_files(log_of(tmp_path / "a.csv", delimiter=";", timestamp=None, event=None))


def test_a_row_that_spans_many_lines_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    text = "a\n" * 11
    (tmp_path / "a.csv").write_text(f'user,item,note\nu,i,x\nu,j,"{text}"\n\n')
    _, counts = read_files(log_of(tmp_path / "a.csv", timestamp=None, event=None, value=None))
    assert (counts.rows_read, counts.accepted, counts.quoted_lines, counts.blank_lines) == (2, 2, 11, 1)
    assert "a.csv:3: the row that starts here spans 12 lines" in caplog.text


def test_values_in_quotes_in_a_tsv_file_are_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.tsv").write_text('user\titem\n"u"\ti\n"v"\ti\n')
    read_files(log_of(tmp_path / "a.tsv", timestamp=None, event=None, value=None))
    assert "a.tsv: 2 values are in quotes" in caplog.text
    assert 'set log.quoting = "double"' in caplog.text


def test_a_column_that_mixes_units_of_time_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "a.csv"
    path.write_text("user,item,t\n" + f"u,i,{START}\n" * 30 + f"u,i,{START}000\n")
    _, counts = read_log(FileSource((path,)), LogSchema(timestamp="t"))
    assert counts.refused == {"time_out_of_range": 1}
    assert f"one in ms: the column mixes units of time, as in {path}:32" in caplog.text
