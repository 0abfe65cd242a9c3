"""Durable writes, hashes, and folders without surprises."""

import hashlib
import os
import stat
from pathlib import Path

import pytest

from recsys.artifacts import files
from recsys.artifacts.files import FileDigest
from recsys.errors import ArtifactError
from recsys.plain_files import read_plain

CONTENT = b"ten bytes!"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "inner").mkdir()
    (tmp_path / "a").write_bytes(CONTENT)
    (tmp_path / "inner" / "b").write_bytes(b"")
    return tmp_path


def test_a_digest_is_the_sha256_and_size_of_the_content(folder: Path) -> None:
    expected = FileDigest(hashlib.sha256(CONTENT).hexdigest(), 10)
    assert files.digest_file(folder / "a") == FileDigest.of(CONTENT) == expected


def test_files_are_listed_with_forward_slashes_and_folders_are_not(folder: Path) -> None:
    assert files.list_files(folder) == ["a", "inner/b"]


def test_links_and_pipes_are_refused(folder: Path) -> None:
    (folder / "inner" / "link").symlink_to(folder / "a")
    with pytest.raises(ArtifactError, match="link: is a link"):
        files.list_files(folder)
    (folder / "inner" / "link").unlink()
    os.mkfifo(folder / "pipe")
    with pytest.raises(ArtifactError, match="pipe: is a link or a special file"):
        files.list_files(folder)


def test_a_link_is_never_read(folder: Path) -> None:
    (folder / "link").symlink_to(folder / "a")
    with pytest.raises(OSError):
        read_plain(folder / "link")
    with pytest.raises(OSError):
        files.digest_file(folder / "link")


def test_verified_bytes_are_returned_only_for_what_is_kept(folder: Path) -> None:
    expected = {"a": FileDigest.of(CONTENT), "inner/b": FileDigest.of(b"")}
    assert files.verify_files(folder, expected, keep=frozenset({"a"})) == {"a": CONTENT}


@pytest.mark.parametrize("keep", [frozenset(), frozenset({"a"})])
def test_a_changed_file_is_named_with_both_hashes(folder: Path, keep: frozenset[str]) -> None:
    (folder / "a").write_bytes(b"TEN bytes!")
    with pytest.raises(ArtifactError) as caught:
        files.verify_files(folder, {"a": FileDigest.of(CONTENT)}, keep=keep)
    for part in (str(folder / "a"), FileDigest.of(CONTENT).sha256, FileDigest.of(b"TEN bytes!").sha256):
        assert part in str(caught.value)


def test_a_file_cut_short_is_named_with_both_sizes(folder: Path) -> None:
    with pytest.raises(ArtifactError, match=r"a: 10 bytes, expected 11"):
        files.verify_files(folder, {"a": FileDigest("0" * 64, 11)})


def test_a_file_is_replaced_whole_and_leaves_no_other(tmp_path: Path) -> None:
    target = tmp_path / "CURRENT"
    files.replace_durably(target, b"one")
    files.replace_durably(target, b"two")
    assert target.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [target]


def test_a_failed_replacement_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "CURRENT"
    files.replace_durably(target, b"one")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        files.replace_durably(target, b"two")
    assert target.read_bytes() == b"one"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(("mode", "of_file", "of_folder"), [(0o700, 0o400, 0o700), (0o750, 0o440, 0o750)])
def test_protected_files_are_read_by_those_who_may_read_the_store_and_written_by_nobody(
    folder: Path, mode: int, of_file: int, of_folder: int
) -> None:
    folder.chmod(mode)
    (folder / "a").chmod(0o666)
    files.protect(folder / "inner", like=folder)
    files.protect(folder, like=folder)
    for name, expected in (("a", of_file), ("inner/b", of_file), ("inner", of_folder)):
        assert stat.S_IMODE((folder / name).stat().st_mode) == expected


def test_a_store_that_everybody_may_write_into_is_warned_about(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files.warn_if_world_writable(tmp_path)
    assert not caplog.records
    tmp_path.chmod(0o777)
    files.warn_if_world_writable(tmp_path)
    (record,) = caplog.records
    assert "everybody may write into it" in record.getMessage()


def test_a_durable_folder_is_made_with_what_is_above_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(files, "sync", synced.append)
    files.make_durable_folder(tmp_path / "x" / "y")
    assert (tmp_path / "x" / "y").is_dir()
    assert synced == [tmp_path, tmp_path / "x"]
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("x", "x/y")] == [0o700, 0o700]
