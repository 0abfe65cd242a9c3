"""JSON lines: the quick way and the line-by-line way tell the same."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.config import FileFormat, LogSchema
from recsys.data.ingest.jsonl_blocks import jsonl_blocks
from recsys.data.ingest.refusals import REASONS
from recsys.data.ingest.row_checks import Rules, check_rows
from recsys.data.ingest.source import Columns, RawBatch
from recsys.data.ingest.text_blocks import BLOCK_BYTES
from recsys.errors import DataError

TIME = "1259668800"
GOOD = '{"user": "u", "item": "i", "timestamp": 1259668800, "value": 2}'


LOG = LogSchema(timestamp="timestamp", timestamp_unit="s", value="value")


def batches(path: Path, size: int = BLOCK_BYTES, **settings: Any) -> list[RawBatch]:
    parts = jsonl_blocks(
        path, Columns.of(LOG), FileFormat(**settings), advance=lambda position: None, block_bytes=size
    )
    return [parse() for parse in parts]


def read(path: Path, size: int = BLOCK_BYTES, **settings: Any) -> list[tuple[object, ...]]:
    """Every row by its line: user, item, time and value, or the reason."""
    rules, found = Rules.of(LOG, now=int(TIME)), []
    for raw in batches(path, size, **settings):
        rows = check_rows(raw, rules)
        bad = zip(rows.refused.positions.tolist(), rows.refused.faults, rows.refused.rows, strict=True)
        found += [(line, REASONS[fault].value) for line, fault, _ in bad]
        good = [line for line in raw.positions.tolist() if line not in rows.refused.positions]
        assert rows.times is not None
        assert rows.values is not None
        texts = zip(rows.users.to_pylist(), rows.items.to_pylist(), strict=True)
        found += [
            (line, user.decode(), item.decode(), time, value)
            for line, (user, item), time, value in zip(
                good, texts, rows.times.tolist(), rows.values.tolist(), strict=True
            )
        ]
    return sorted(found)


LINES = {
    GOOD: ("u", "i", 1259668800, 2.0),
    '{"user": 7, "item": "i", "timestamp": "1259668800", "value": "2.5", "x": [{}]}': ("7", "i", 1259668800, 2.5),
    '{"user": 18446744073709551616, "item": 12.0, "timestamp": 1259668800.9, "value": 1e1}': (
        "18446744073709551616", "12", 1259668800, 10.0,
    ),
    '{"user": "\\u00e9\\n", "item": "\\ud83d\\ude00", "timestamp": 1259668800, "value": 1}': (
        "é\n", "😀", 1259668800, 1.0,
    ),
    '{"user": 1.5, "item": "i", "timestamp": 1259668800, "value": 1}': ("id_not_text",),
    '{"user": true, "item": "i", "timestamp": 1259668800, "value": 1}': ("id_not_text",),
    '{"user": {"id": 1}, "item": "i", "timestamp": 1259668800, "value": 1}': ("id_not_text",),
    '{"user": "\\ud800", "item": "i", "timestamp": 1259668800, "value": 1}': ("bad_utf8",),
    '{"user": null, "item": "i", "timestamp": 1259668800, "value": 1}': ("missing_user",),
    '{"user": "u", "timestamp": 1259668800, "value": 1}': ("missing_item",),
    '{"user": "u", "item": "i", "value": 1}': ("missing_time",),
    '{"user": "u", "item": "i", "timestamp": {}, "value": 1}': ("bad_time",),
    '{"user": "u", "item": "i", "timestamp": 1259668800}': ("missing_value",),
    '{"user": "u", "item": "i", "timestamp": 1259668800, "value": [1]}': ("bad_value",),
    '{"user": "u", "item": "i", "timestamp": 1259668800, "value": NaN}': ("non_finite_value",),
    '{"user": "u", "item": "i", "timestamp": 1259668800, "value": -1}': ("non_positive_value",),
    "null": ("missing_user",),
    "[1, 2]": ("bad_json",),
    '{"user": "u", ': ("bad_json",),
    GOOD + GOOD: ("bad_json",),
    GOOD + " , ": ("u", "i", 1259668800, 2.0),
    GOOD[:-1] + ', "user": "v"}': ("bad_json",),
    GOOD[:-1] + ', "x": {"user": "v", "user": "w"}, "x": 1}': ("u", "i", 1259668800, 2.0),
    "[" * 100_000: ("bad_json",),
    '{"a":' * 100_000: ("bad_json",),
}  # fmt: skip


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "log.jsonl"


@pytest.mark.parametrize("line", LINES, ids=lambda line: line[:60])
def test_a_line_means_the_same_whatever_its_neighbours(file: Path, line: str) -> None:
    for lines in [[GOOD, line], [GOOD, line, "", "{"], [GOOD] * 1500 + [line]]:
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        at = lines.index(line) + 1 if line != GOOD else 2
        assert next(row for row in read(file) if row[0] == at)[1:] == LINES[line]


@settings(max_examples=40, deadline=None)
@given(lines=st.lists(st.sampled_from([*list(LINES)[:-2], "", " \t"]), max_size=12), size=st.integers(1, 400))
def test_any_lines_in_any_blocks(tmp_path_factory: pytest.TempPathFactory, lines: list[str], size: int) -> None:
    file = tmp_path_factory.mktemp("jsonl") / "log.jsonl"
    file.write_text("\n".join([GOOD, *lines]), encoding="utf-8")
    found = read(file, max(size, len(GOOD)))
    expected = [(at, *LINES[line]) for at, line in enumerate([GOOD, *lines], 1) if line.strip()]
    assert found == expected


def test_bad_bytes_are_refused_where_they_matter(file: Path) -> None:
    good = GOOD.encode()
    file.write_bytes(good + b"\n" + good.replace(b'"u"', b'"\xff"') + b"\n" + good.replace(b"}", b', "x": "\xff"}'))
    assert [row[:2] for row in read(file)] == [(1, "u"), (2, "bad_utf8"), (3, "u")]


def test_pyarrow_parses_a_block_if_it_can(file: Path) -> None:
    """It gives numbers; line by line they are text."""
    file.write_text(f"{GOOD}\n" * 3)
    (batch,) = batches(file)
    assert batch.column("timestamp").type == pa.float64()
    file.write_text(f"{GOOD}\nnull\n")
    (batch,) = batches(file)
    assert batch.column("timestamp").type == pa.binary()


def test_a_key_that_no_line_has_is_an_error(file: Path) -> None:
    file.write_text('{"usr": "u", "item": "i", "timestamp": 1, "value": 1}\n')
    with pytest.raises(DataError, match=r"no column 'user' \(log\.user\); did you mean 'usr'\?"):
        read(file)


def good(user: str) -> str:
    return GOOD.replace('"u"', f'"{user}"')


def pretty(user: str) -> str:
    return json.dumps(json.loads(good(user)) | {"tags": [{"a": "},{"}, {"b": "\\\\"}]}, indent=4)


A, B, C = ((user, "i", 1259668800, 2.0) for user in "abc")
BAD = ("bad_json",)
ARRAYS = {
    "one line": (f"[{good('a')},{good('b')}]", [(1, *A), (2, *B)]),
    "one line, spaced": (f" [ {good('a')} , {good('b')} ] ", [(1, *A), (2, *B)]),
    "a line each": (f"[\n{good('a')},\n{good('b')}\n]\n", [(2, *A), (3, *B)]),
    "a line each, tight": (f"[{good('a')},\r\n{good('b')}]", [(1, *A), (2, *B)]),
    "lines with commas": (f"{good('a')},\n\n{good('b')},\n", [(1, *A), (3, *B)]),
    "Windows": (f"\ufeff{good('a')}\r\n\r\n{good('b')}\r\n", [(1, *A), (3, *B)]),
    "indented": (f"[\n{pretty('a')},\n{pretty('b')}\n]\n", [(1, *A), (2, *B)]),
    "indented, tight": (f"[{pretty('a')},{pretty('b')}]", [(1, *A), (2, *B)]),
    "indented, no array": (f"{pretty('a')}\n{pretty('b')}\n", [(1, *A), (2, *B)]),
    "two arrays": (f"[{good('a')}]\ufeff[{good('b')}{good('c')}]", [(1, *A), (2, *B), (3, *C)]),
    "others": (
        f"[7, {good('a')}, null, [1], {good('b')}]",
        [(1, *BAD), (2, *A), (3, "missing_user"), (4, *BAD), (5, *B)],
    ),
    "a stray quote": (
        f'[\n{good("a")},\n{good("b")[:-1]}"}},\n{good("c")}\n]',
        [(2, *A), (3, *BAD), (4, *C)],
    ),
    "a stray quote, indented": (
        f"[\n{pretty('a')},\n{pretty('b').replace('b', chr(34), 1)},\n{pretty('c')}\n]",
        [(1, *A), (2, *BAD), (3, *C)],
    ),
    "a brace is missing": (f"[{good('a')},{good('b')[:-1]},{good('c')}]", [(1, *A), (2, *BAD)]),
    "a brace is missing, indented": (
        f"[\n{pretty('a')},\n{pretty('b')[:-1]},\n{pretty('c')}\n]",
        [(1, *A), (2, *BAD), (3, *C)],
    ),
    "cut short": (f"[{good('a')},{good('b')},{good('c')[:9]}", [(1, *A), (2, *B), (3, *BAD)]),
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("size", [1, 50, 10_000])
@pytest.mark.parametrize("case", ARRAYS)
def test_arrays(file: Path, case: str, size: int, encoding: str) -> None:
    text, expected = ARRAYS[case]
    file.write_bytes(text.encode(encoding))
    assert read(file, size, encoding=encoding) == expected


def test_an_array_is_read_in_blocks(file: Path) -> None:
    file.write_text("[" + ",".join([GOOD] * 1000) + "]")
    assert len(batches(file, 10_000)) > 5


def test_a_file_without_objects_is_recognised(file: Path) -> None:
    file.write_text("user,item\n")
    with pytest.raises(DataError, match="no JSON objects; expected one object per line, or an array of objects"):
        read(file)
    file.write_text(f'{{"events": [{GOOD}]}}')
    with pytest.raises(DataError, match="the file is one object; expected one object per line"):
        read(file)


def test_blank_lines_are_counted(file: Path) -> None:
    file.write_text(f"{GOOD}\n\n  \r\n{GOOD}\n")
    assert sum(batch.lines.blank for batch in batches(file)) == 2
