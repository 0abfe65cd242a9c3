"""Lists as a folder of parts: it takes its place at once, whatever was there, and a killed export leaves nothing."""

from pathlib import Path

import pytest

from recsys.errors import ConfigError, ExportError, StorageError
from recsys.export.parts import remove_unlinked, replacing_parts


def export(path: Path, text: str) -> None:
    with replacing_parts(path, "v1") as folder:
        (folder / f"part-{text}.csv").write_text(text)


def stored(path: Path) -> list[str]:
    return [file.read_text() for file in path.iterdir()]


def test_the_last_lists_are_there_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "lists.csv"
    path.write_text("a file of an export on one machine")
    for text in ("one", "two"):
        with replacing_parts(path, "v1") as folder:
            before = path.read_text() if path.is_file() else stored(path)
            (folder / "part.csv").write_text(text)
        assert before == ("a file of an export on one machine" if text == "one" else ["one"])
        assert stored(path) == [text]
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted([path.readlink().name, "lists.csv"])


def test_what_a_killed_writer_began_is_not_among_the_lists(tmp_path: Path) -> None:
    path = tmp_path / "lists.csv"
    with replacing_parts(path, "v1") as folder:
        (folder / ".part-1.csv.0f").write_text("ha")
        (folder / "part-1.csv").write_text("half, and the rest")
    assert [file.name for file in path.iterdir()] == ["part-1.csv"]


def test_a_failed_export_leaves_the_old_lists_alone(tmp_path: Path) -> None:
    path = tmp_path / "lists.csv"
    export(path, "old")
    there = sorted(tmp_path.iterdir())
    with pytest.raises(ExportError), replacing_parts(path, "v2") as folder:
        (folder / "part.csv").write_text("half")
        raise ExportError("the executor is gone")
    assert (stored(path), sorted(tmp_path.iterdir())) == (["old"], there)


def test_what_a_killed_export_left_goes_and_what_is_read_stays(tmp_path: Path) -> None:
    path = tmp_path / "lists.csv"
    export(path, "old")
    there = sorted(tmp_path.iterdir())
    killed = replacing_parts(path, "v2")
    (killed.__enter__() / "part.csv").write_text("half")
    remove_unlinked(path)  # as the parent of a killed job does, and the next export
    assert (stored(path), sorted(tmp_path.iterdir())) == (["old"], there)
    with pytest.raises(StorageError):  # the folder is gone, so the export that was thought dead cannot end well
        killed.__exit__(None, None, None)


def test_a_folder_that_no_export_made_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "lists.csv").mkdir()
    with pytest.raises(ConfigError, match="is a folder that no export made"):
        export(tmp_path / "lists.csv", "new")
    assert (tmp_path / "lists.csv").is_dir()


def test_a_file_system_without_links_is_refused_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "symlink_to", refused)
    with pytest.raises(ExportError, match=r"no symbolic links.*name a folder on another one"):
        export(tmp_path / "lists.csv", "new")
    assert list(tmp_path.iterdir()) == []
