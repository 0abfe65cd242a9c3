"""Formats that a time may be written in."""

import pandas as pd
import pytest

from recsys.config import LogSchema
from recsys.data.ingest.readers import read_frame
from recsys.data.ingest.time_formats import formats_that_fit
from recsys.errors import TooManyRefusedError


@pytest.mark.parametrize(
    ("text", "formats"),
    [
        ("12/1/2010 8:26", ["%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M"]),
        ("31/12/2010", ["%d/%m/%Y"]),
        ("12/31/2010 8:26:01 PM", ["%m/%d/%Y %I:%M:%S %p"]),
        ("31.12.2010 08:26", ["%d.%m.%Y %H:%M"]),
        ("2010/12/31 08:26:00.5", ["%Y/%m/%d %H:%M:%S.%f"]),
        ("20101231", ["%Y%m%d"]),
        ("1700000000", []),
        ("soon", []),
    ],
)
def test_formats_that_fit(text: str, formats: list[str]) -> None:
    assert formats_that_fit(text) == formats


@pytest.mark.parametrize("text", ["31/12/2010 8:26", "20101231"])
def test_a_refusal_names_a_format_that_reads_the_log(text: str) -> None:
    frame = pd.DataFrame({"user": ["u"], "item": ["i"], "t": [text]})
    with pytest.raises(TooManyRefusedError) as caught:
        read_frame(frame, LogSchema(timestamp="t"))
    named = str(caught.value).partition('log.timestamp_format = "')[2].partition('"')[0]
    assert read_frame(frame, LogSchema(timestamp="t", timestamp_format=named))[1].accepted == 1


def test_a_time_out_of_range_needs_no_format() -> None:
    frame = pd.DataFrame({"user": ["u"], "item": ["i"], "t": ["1970-01-01"]})
    with pytest.raises(TooManyRefusedError) as caught:
        read_frame(frame, LogSchema(timestamp="t", timestamp_unit="iso"))
    assert "log.timestamp_format =" not in str(caught.value)
