"""Text files as blocks: nothing lost, nothing twice, every line number right, whatever the compression."""

import gzip
import random
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from recsys.data.ingest.record_blocks import BLANK_RUN, MOST_LINES, Bytes, TextBlock, last_feed
from recsys.data.ingest.text_blocks import open_bytes, text_blocks
from recsys.errors import DataError


def whole_lines(data: Bytes) -> int:
    return last_feed(data, len(data)) + 1


def blocks(path: Path, **sizes: int) -> Iterator[TextBlock]:
    return text_blocks(path, whole_lines, advance=lambda position: None, **sizes)


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
@pytest.mark.parametrize("end", ["\n", ""])
def test_blocks_are_the_file_in_order(tmp_path: Path, size: int, end: str) -> None:
    lines = [f"line {number}" for number in range(1, 9)]
    (tmp_path / "a.gz").write_bytes(gzip.compress(("\n".join(lines) + end).encode()))
    read = list(blocks(tmp_path / "a.gz", block_bytes=size))
    assert b"".join(block.data.tobytes() for block in read).decode() == "\n".join(lines) + "\n"
    assert [block.data.tobytes().split()[1] for block in read] == [str(block.first_line).encode() for block in read]


def test_positions_in_the_file_reach_its_size(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"0123\n" * 10)
    reported: list[float] = []
    list(text_blocks(tmp_path / "a", whole_lines, advance=reported.append, block_bytes=10))
    assert reported == sorted(reported)
    assert reported[-1] == 50


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbfuser\n")
    assert [block.data.tobytes() for block in blocks(tmp_path / "a")] == [b"user\n"]


@pytest.mark.parametrize("size", [1, 4, 5, 1000])
def test_marks_at_the_start_of_lines_are_no_text(tmp_path: Path, size: int, caplog: pytest.LogCaptureFixture) -> None:
    mark = b"\xef\xbb\xbf"
    (tmp_path / "a").write_bytes(mark + b"a\n" + mark * 2 + b"b" + mark + b"\n" + mark * 3 + b"c\n")
    assert (
        b"".join(block.data.tobytes() for block in blocks(tmp_path / "a", block_bytes=size))
        == b"a\nb" + mark + b"\nc\n"
    )
    assert "a:2: a byte-order mark is left out here (" in caplog.text


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_another_width_of_characters_is_named(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a").write_text("user,item\n", encoding=encoding)
    with pytest.raises(DataError, match=f'{encoding.upper()}, .* "{encoding}"'):
        list(blocks(tmp_path / "a"))


def test_a_record_without_end_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 100)
    with pytest.raises(DataError, match=r"a:1: .* row that starts here is longer"):
        list(blocks(tmp_path / "a", block_bytes=8, longest_record=20))


@pytest.mark.parametrize("end", ["\n", "\nafter\nthat\n", ""])
@pytest.mark.parametrize("size", [1, 8, 30])
def test_a_line_that_is_too_long_is_a_block_of_its_own(tmp_path: Path, size: int, end: str) -> None:
    (tmp_path / "a").write_bytes(b"short\n" + b"x" * 100 + end.encode())
    found = list(blocks(tmp_path / "a", block_bytes=size, longest_record=20))
    whole = [block for block in found if not block.is_overlong]
    assert b"".join(block.data.tobytes() for block in whole) == b"short\n" + end.encode()[1:]
    (overlong,) = [block for block in found if block.is_overlong]
    assert overlong.first_line == 2
    assert [block.first_line for block in whole[1:]][:1] == ([3] if "after" in end else [])


@pytest.mark.parametrize("text", [b"\n" * (5 << 20), b'"' * (7 << 20) + b"\n"])
def test_blocks_of_short_lines_or_many_quotes_are_small(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "a").write_bytes(b"first\n" + text)
    found = list(blocks(tmp_path / "a"))
    assert sum(len(block.data) for block in found) == len(text) + 6
    assert max(block.n_lines for block in found if not block.is_blank) <= MOST_LINES + (1 << 18)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("before", [b"", b"first\n", b"first\r\n"])
def test_many_line_ends_are_blocks_of_their_own(tmp_path: Path, end: bytes, before: bytes) -> None:
    blank = end * (5 * BLANK_RUN)
    (tmp_path / "a").write_bytes(before + blank + b"last\n")
    found = list(blocks(tmp_path / "a", block_bytes=BLANK_RUN + 1))
    assert b"".join(block.data.tobytes() for block in found) == before + blank + b"last\n"
    assert sum(len(block.data) for block in found if not block.is_blank) < 3 * BLANK_RUN
    assert sum(block.n_line_ends for block in found) == len(blank) // len(end) + before.count(b"first") + 1


NOISE = random.Random(1).randbytes(50_000)


def contents(path: Path) -> bytes:
    with open_bytes(path) as (stream, _):
        read: bytes = stream.read()
    return read


@pytest.mark.parametrize("name", ["a.gz", "a.csv"])
def test_compression_is_told_by_content_and_gzip_may_have_many_members(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(gzip.compress(b"first,") + gzip.compress(b"second"))
    assert contents(tmp_path / name) == b"first,second"


def test_zstd_and_plain(tmp_path: Path) -> None:
    (tmp_path / "a.zst").write_bytes(pa.compress(NOISE, "zstd", asbytes=True))
    (tmp_path / "plain").write_bytes(NOISE)
    assert contents(tmp_path / "a.zst") == contents(tmp_path / "plain") == NOISE


@pytest.mark.parametrize("end", [-1, 30_000])
@pytest.mark.parametrize("codec", ["gzip", "zstd"])
def test_a_file_cut_short_is_an_error_that_names_it(tmp_path: Path, codec: str, end: int) -> None:
    whole = gzip.compress(NOISE) if codec == "gzip" else pa.compress(NOISE, "zstd", asbytes=True)
    (tmp_path / "cut").write_bytes(whole[:end])
    with pytest.raises(DataError, match=r"cut: .*damaged or cut short"):
        contents(tmp_path / "cut")


def test_a_flipped_byte_is_an_error(tmp_path: Path) -> None:
    damaged = bytearray(gzip.compress(NOISE))
    damaged[-6] ^= 1
    (tmp_path / "a.gz").write_bytes(damaged)
    with pytest.raises(DataError, match=r"a\.gz: .*damaged"):
        contents(tmp_path / "a.gz")


def test_a_name_that_promises_compression_is_held_to_it(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_text("user,item\n")
    with pytest.raises(DataError, match="does not start as gzip does"):
        contents(tmp_path / "a.csv.gz")
