"""Whatever is wrong with a file, loading it is an ArtifactError that names it."""

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from recsys.data.arrays import save_array
from recsys.data.arrow_file import map_arrow, write_arrow
from recsys.data.loading import damage_named, load_array, load_json, number_in
from recsys.errors import ArtifactError
from recsys.plain_files import read_plain

HEADERS = {
    "empty": b"",
    "token": b"{'descr': '<f4', 'fortran_order': False, 'shape': (",
    "nested": b"(" * 5000,
    "absurd": b"{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999999999999999,), }",
    "below zero": b"{'descr': '<f4', 'fortran_order': False, 'shape': (-1, -4), }",
    "objects": b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
    "undecodable": b"\xff\xfe\x00",
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_an_array_with_a_damaged_header_is_named(tmp_path: Path, header: bytes) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(16))
    with pytest.raises(ArtifactError, match=r"a\.npy: expected an npy file"):
        load_array(path)


@pytest.mark.parametrize("private", [False, True])
def test_a_whole_array_is_mapped_and_read_only(tmp_path: Path, private: bool) -> None:
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    save_array(array, tmp_path / "a.npy")
    loaded = load_array(tmp_path / "a.npy", private=private)
    np.testing.assert_array_equal(loaded, array)
    assert isinstance(loaded, np.memmap)
    assert not loaded.flags.writeable


@pytest.mark.parametrize("change", [lambda it: it[:-1], lambda it: it + b"\0", lambda it: it[:5]])
def test_an_array_cut_short_or_grown_is_named(tmp_path: Path, change: object) -> None:
    path = tmp_path / "a.npy"
    save_array(np.arange(12, dtype=np.float32), path)
    path.write_bytes(change(path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(ArtifactError, match=r"a\.npy"):
        load_array(path)


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 100_000, b"\xff", b'{"a": ' + b"9" * 5000 + b"}"])
def test_json_that_is_none_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(ArtifactError, match=r"a\.json: expected a JSON document"):
        load_json(tmp_path / "a.json")


def test_an_offset_that_leads_outside_a_table_is_found_before_anything_is_read(tmp_path: Path) -> None:
    path, ids = tmp_path / "a.arrow", [f"an id that is long enough {number}" for number in range(50)]
    write_arrow(pa.table({"id": ids}), path)
    content = bytearray(path.read_bytes())
    at = content.find(np.array([0, 27, 54], np.int32).tobytes())
    assert at > 0
    content[at + 4 : at + 8] = (2**31 - 1).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"a\.arrow: expected an Arrow file"):
        map_arrow(path)


def test_a_compressed_table_is_refused(tmp_path: Path) -> None:
    table = pa.table({"id": ["the same"] * 10_000})
    with (
        pa.OSFile(str(tmp_path / "a.arrow"), "wb") as sink,
        pa.ipc.new_file(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer,
    ):
        writer.write_table(table)
    with pytest.raises(ArtifactError, match="bytes in a file of"):
        map_arrow(tmp_path / "a.arrow")


@pytest.mark.parametrize("value", ["x", None, True, -1, float("nan"), float("inf"), 1e300, [1]])
def test_a_setting_that_is_no_number_in_range_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="alpha"):
        number_in({"alpha": value}, "alpha")


@pytest.mark.parametrize("error", [EOFError(), RecursionError(), OverflowError("far"), MemoryError(), KeyError("k")])
def test_anything_that_is_raised_is_named(error: Exception) -> None:
    with pytest.raises(ArtifactError, match="the file: expected something: "), damage_named("the file", "something"):
        raise error


def test_only_plain_files_of_bounded_size_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_bytes(b"123")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    assert read_plain(tmp_path / "file", most=3) == b"123"
    for name, most in (("pipe", 3), ("link", 3), ("file", 2), ("", 3)):
        with pytest.raises(OSError):
            read_plain(tmp_path / name, most=most)
