"""Blocks of text: nothing lost, nothing twice, every line number right."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from recsys.data.ingest import text_blocks
from recsys.data.ingest.text_blocks import Bytes, TextBlock, last_feed
from recsys.errors import DataError


def whole_lines(data: Bytes) -> int:
    return last_feed(data, len(data)) + 1


def blocks(path: Path) -> Iterator[TextBlock]:
    return text_blocks.text_blocks(path, whole_lines, advance=lambda position: None)


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
@pytest.mark.parametrize("end", ["\n", ""])
def test_blocks_are_the_file_in_order(tmp_path: Path, size: int, end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_blocks, "BLOCK_BYTES", size)
    lines = [f"line {number}" for number in range(1, 9)]
    (tmp_path / "a.gz").write_bytes(gzip.compress(("\n".join(lines) + end).encode()))
    read = list(blocks(tmp_path / "a.gz"))
    assert b"".join(block.data.tobytes() for block in read).decode() == "\n".join(lines) + "\n"
    assert [block.data.tobytes().split()[1] for block in read] == [str(block.first_line).encode() for block in read]


def test_positions_in_the_file_reach_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_blocks, "BLOCK_BYTES", 10)
    (tmp_path / "a").write_bytes(b"0123\n" * 10)
    heard: list[float] = []
    list(text_blocks.text_blocks(tmp_path / "a", whole_lines, advance=heard.append))
    assert heard == sorted(heard)
    assert heard[-1] == 50


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbfuser\n")
    assert [block.data.tobytes() for block in blocks(tmp_path / "a")] == [b"user\n"]


def test_utf16_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("user,item\n", encoding="utf-16")
    with pytest.raises(DataError, match="UTF-16"):
        list(blocks(tmp_path / "a"))


def test_a_record_without_end_is_named_with_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_blocks, "BLOCK_BYTES", 8)
    monkeypatch.setattr(text_blocks, "_LONGEST_RECORD", 20)
    (tmp_path / "a").write_bytes(b"short\n" + b"x" * 100)
    with pytest.raises(DataError, match=r"a:2: .* never ends"):
        list(blocks(tmp_path / "a"))
