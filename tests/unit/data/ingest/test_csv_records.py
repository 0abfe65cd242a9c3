"""Records of CSV text, against a byte-by-byte walk and against pyarrow's own parser."""

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from recsys.data.ingest.csv_records import end_of_records, find_records

TEXTS = st.text(alphabet='aa,,""\n\r', max_size=30).map(str.encode)


def walked(data: bytes) -> tuple[list[tuple[bytes, int, int]], int]:
    """Every record as (its bytes, its fields, its line from 0), and the end of the last record that ends with \\n."""
    records, start, fields, quoted, at_field_start, ended, at = [], 0, 1, False, True, 0, 0
    while at < len(data):
        byte = data[at : at + 1]
        if quoted:
            if byte == b'"' and data[at + 1 : at + 2] == b'"':
                at += 1
            elif byte == b'"':
                quoted = False
        elif byte == b'"' and at_field_start:
            quoted = True
            at_field_start = False
        elif byte in b"\r\n":
            records.append((data[start:at], fields, data.count(b"\n", 0, start)))
            at += data[at : at + 2] == b"\r\n"
            start, fields, at_field_start = at + 1, 1, True
            ended = at + 1 if data[at : at + 1] == b"\n" else ended
        else:
            fields += byte == b","
            at_field_start = byte == b","
        at += 1
    return records, ended


@settings(max_examples=300, deadline=None)
@given(data=TEXTS)
@example(data=b'a,"b\n"\n')
@example(data=b'5" pipe,"x"\n"y\n')
@example(data=b'"","a""b"x"\n')
@example(data=b"a\r\n\r\nb\r\r\n")
def test_records_as_a_walk_finds_them(data: bytes) -> None:
    expected, ended = walked(data)
    text = np.frombuffer(data, np.uint8)
    assert end_of_records(text, ",") == ended
    found = find_records(text[:ended], ",")
    inside = [record for record in expected if record[2] < data.count(b"\n", 0, ended)]
    spans = zip(found.starts, found.ends, found.n_fields, found.lines, strict=True)
    assert [(data[start:end], fields, line) for start, end, fields, line in spans] == inside
    assert found.nexts[-1:].tolist() == ([ended] if inside else [])


@settings(max_examples=150, deadline=None)
@given(data=TEXTS)
@example(data=b'a,5" b\n"c",d\n')
@example(data=b'"a\nb"x,"\r\n"\n')
def test_pyarrow_reads_the_records_that_were_found(data: bytes) -> None:
    text = data[: end_of_records(np.frombuffer(data, np.uint8), ",")]
    records = find_records(np.frombuffer(text, np.uint8), ",")
    two = [
        text[start:following]
        for start, following, fields in zip(records.starts, records.nexts, records.n_fields, strict=True)
        if fields == 2
    ]
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
    assert find_records(np.frombuffer(data, np.uint8), delimiter).n_fields.tolist() == [2, 2]
