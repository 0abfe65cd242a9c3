"""Records of CSV text, against a byte-by-byte walk and against pyarrow's own parser."""

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from recsys.data.ingest.csv_dialect import Dialect
from recsys.data.ingest.csv_quotes import LONGEST_PART
from recsys.data.ingest.csv_records import end_of_records, find_records

COMMAS = Dialect(",")
TEXTS = st.text(alphabet='aa,,""\n\r', max_size=30).map(str.encode)


Record = tuple[bytes, int, int, bool]


def walked(data: bytes, *, final: bool) -> tuple[list[Record], int]:
    """Every record as (its bytes, its fields, its line from 0, whether a quote is stray), and where the last ends."""
    records, start, fields, stray, at_field_start, ended, at = [], 0, 1, False, True, 0, 0
    while at < len(data):
        byte = data[at : at + 1]
        if byte == b'"' and at_field_start and not stray:
            end = closing(data, at)
            if not final and (end is None or end == len(data) - 1):
                break
            if end is not None and (
                not lines_in(data[at:end]) or data[end + 1 : end + 2] in (b"", b",", b"\r", b"\n")
            ):
                at = end
            else:
                stray = True
            at_field_start = False
        elif byte in b"\r\n":
            records.append((data[start:at], fields, data.count(b"\n", 0, start), stray))
            at += data[at : at + 2] == b"\r\n"
            start, fields, stray, at_field_start = at + 1, 1, False, True
            ended = at + 1 if data[at : at + 1] == b"\n" else ended
        else:
            fields += byte == b","
            at_field_start = byte == b","
        at += 1
    return records, ended


def closing(data: bytes, opening: int) -> int | None:
    at = opening + 1
    while (at := data.find(b'"', at)) >= 0:
        if data[at + 1 : at + 2] != b'"':
            return at
        at += 2
    return None


def lines_in(part: bytes) -> bool:
    return b"\n" in part or b"\r" in part


@settings(max_examples=400, deadline=None)
@given(data=TEXTS)
@example(data=b'a,"b\n"\n')
@example(data=b'5" pipe,"x"\n"y\n')
@example(data=b'"","a""b"x"\n')
@example(data=b"a\r\n\r\nb\r\r\n")
@example(data=b'a,"x\nb,y\nc,"z"\n"d\n",e\n')
@example(data=b'"a\n""","\n')
def test_records_as_a_walk_finds_them(data: bytes) -> None:
    _, ended = walked(data, final=False)
    text = np.frombuffer(data, np.uint8)
    assert end_of_records(text, COMMAS) == ended
    expected, _ = walked(data[:ended], final=True)
    found = find_records(text[:ended], COMMAS)
    spans = zip(found.starts, found.ends, found.n_fields, found.lines, found.stray, strict=True)
    whole = [(data[start:end], fields, line, stray) for start, end, fields, line, stray in spans]
    assert [row[:1] + row[2:] for row in whole] == [row[:1] + row[2:] for row in expected]
    assert [row for row in whole if not row[3]] == [row for row in expected if not row[3]]
    assert found.nexts[-1:].tolist() == ([ended] if expected else [])
    assert found.quoted_lines.tolist() == [row[0].count(b"\n") for row in expected]


def test_lines_that_look_like_records_are_not_text_of_a_field() -> None:
    swallowed = b'u1,"Heroes,1\nu2,i2,2\nu3,i3,3\nu4,i4,4\nu5,12",5\n'
    kept = b'u1,"one\ntwo, three\nfour\nfive, six, seven",5\n'
    dialect = Dialect(",", n_fields=3)
    found = find_records(np.frombuffer(swallowed + kept, np.uint8), dialect)
    assert found.stray.tolist() == [True, False, False, False, False, False]
    assert found.lines.tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("text", "n_fields", "stray"),
    [
        ('u1,i1,"Low,5\nu2,i2,12",6\n', 4, True),
        ('u1,i1,5,"Low\nand, by, the way, high"\n', 4, True),
        ('u1,i1,5,"Low\nand high"\n', 4, False),
        ('u1,"Low\nand, high",5\n', 3, False),
        ('u1,"Low\nu2,12"\n', 2, False),
    ],
)
def test_a_part_on_two_lines(text: str, n_fields: int, stray: bool) -> None:
    found = find_records(np.frombuffer(text.encode(), np.uint8), Dialect(",", n_fields=n_fields))
    assert found.stray.tolist() == ([True, False] if stray else [False])


def test_a_part_may_only_be_so_long() -> None:
    part = b'"' + b"x\n" * (LONGEST_PART // 2 - 1) + b'"\n'
    too_long = b'"' + b"x\n" * (LONGEST_PART // 2) + b'"\n'
    assert find_records(np.frombuffer(part, np.uint8), COMMAS).stray.tolist() == [False]
    found = find_records(np.frombuffer(too_long, np.uint8), COMMAS)
    assert found.stray.tolist()[:2] == [True, False]
    assert len(found.stray) == too_long.count(b"\n")
    assert end_of_records(np.frombuffer(too_long + b"y" * 10, np.uint8), COMMAS) == len(too_long) - 2


@settings(max_examples=150, deadline=None)
@given(data=TEXTS)
@example(data=b'a,5" b\n"c",d\n')
@example(data=b'"a\nb"x,"\r\n"\n')
def test_pyarrow_reads_the_records_that_were_found(data: bytes) -> None:
    text = data[: end_of_records(np.frombuffer(data, np.uint8), COMMAS)]
    records = find_records(np.frombuffer(text, np.uint8), COMMAS)
    spans = zip(records.starts, records.nexts, records.n_fields, records.stray, strict=True)
    two = [text[start:following] for start, following, fields, stray in spans if fields == 2 and not stray]
    if not two:
        return
    table = pa_csv.read_csv(
        pa.BufferReader(b"".join(two)),
        read_options=pa_csv.ReadOptions(column_names=["a", "b"], use_threads=False),
        parse_options=pa_csv.ParseOptions(newlines_in_values=True),
    )
    assert table.num_rows == len(two)


@pytest.mark.parametrize("delimiter", ["\t", ";", "|", "^"])
def test_any_delimiter(delimiter: str) -> None:
    data = f'a{delimiter}"x{delimiter}\n"\nb"{delimiter}c\n'.encode()
    assert find_records(np.frombuffer(data, np.uint8), Dialect(delimiter)).n_fields.tolist() == [2, 2]
