"""One door for every format."""

import re
from pathlib import Path

import pytest

from recsys.data.ingest.file_blocks import file_blocks
from recsys.data.ingest.raw_rows import Wanted
from recsys.errors import ConfigError

WANTED = Wanted("log", {"user": "user"}, keep=0)


@pytest.mark.parametrize(
    ("name", "declared", "delimiter", "text"),
    [
        ("a.csv", "auto", None, "user,item\na,x\n"),
        ("a.csv", "auto", ";", "user;item\na;x\n"),
        ("a.tsv", "auto", None, "user\titem\na\tx\n"),
        ("a.log", "tsv", None, "user\titem\na\tx\n"),
        ("a.ndjson", "auto", None, '{"user": "a", "item": "x"}\n'),
    ],
)
def test_format_and_delimiter(tmp_path: Path, name: str, declared: str, delimiter: str | None, text: str) -> None:
    (tmp_path / name).write_text(text)
    (parse,) = file_blocks(
        tmp_path / name, WANTED, advance=lambda position: None, declared=declared, delimiter=delimiter
    )
    assert [str(user) for user in parse().columns["user"].cast("string")] == ["a"]


@pytest.mark.parametrize("delimiter", ['"', "\n", "é"])
def test_what_cannot_delimit(tmp_path: Path, delimiter: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"log.delimiter: got {delimiter!r}")):
        file_blocks(tmp_path / "a.csv", WANTED, advance=lambda position: None, delimiter=delimiter)
