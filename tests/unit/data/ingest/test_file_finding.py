"""Files found by name, in folders and by patterns: in order, each once, markers of writers skipped."""

import gzip
import os
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.data.ingest.file_finding import FoundFiles, find_files
from recsys.errors import DataError

Find = Callable[..., list[str]]

MARKERS = (
    "_SUCCESS",
    ".hidden.csv",
    "_temporary/0/part-9.csv",
    "date=2024-01-01/.part-0.csv.crc",
    "date=2024-01-01/_metadata",
)
FILES = ("a[1].csv", "date=2024-01-01/part-0.csv", "date=2024-01-02/part-0.csv", "out.csv/000000_0", "top.csv")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (*MARKERS, *FILES):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"user,item\n{name},x\n")
    return tmp_path


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ((".",), FILES),
        (("*",), FILES),
        (("**",), FILES),
        (("**/*",), FILES),
        (("**/*.csv", "top.csv", "./date=2024-01-01/../top.csv"), FILES),
        (("date=*",), FILES[1:3]),
        (("date=*/*",), FILES[1:3]),
        (("**/part-[0-9].csv",), FILES[1:3]),
        (("date=2024-01-0?/part-0.csv", "date=2024-01-02"), FILES[1:3]),
        (("*.csv",), (FILES[0], *FILES[3:])),
        (("a[1].csv",), FILES[:1]),
        (("_SUCCESS", ".hidden.csv"), (".hidden.csv", "_SUCCESS")),
        (("_temp*/**/*.csv",), ("_temporary/0/part-9.csv",)),
        (("date=*/_*",), ("date=2024-01-01/_metadata",)),
        (("top.csv", "out.csv"), FILES[3:]),
    ],
)
def test_names_folders_and_patterns(folder: Path, patterns: tuple[str, ...], expected: tuple[str, ...]) -> None:
    found = find_files([folder / pattern for pattern in patterns])
    assert found == FoundFiles(tuple(folder / name for name in expected))


def test_a_relative_pattern_starts_in_the_working_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert find_files([Path("date=*")]).files == (Path(FILES[1]), Path(FILES[2]))


@pytest.mark.parametrize("name", [b"caf\xe9.csv", b"\xe9/part-0.csv"])
def test_a_name_that_is_not_utf8_is_refused(tmp_path: Path, name: bytes) -> None:
    path = tmp_path / os.fsdecode(name)
    path.parent.mkdir(exist_ok=True)
    path.write_text("x")
    with pytest.raises(DataError, match=r"\\xe9.*: the name is not UTF-8") as caught:
        find_files([tmp_path])
    assert str(caught.value).isascii()


def test_one_name_in_several_formats_is_told(folder: Path) -> None:
    for name in ("top.parquet", "top.2024", "top.2025", "top"):
        (folder / name).write_text(name)
    (told,) = find_files([folder]).notes
    assert (
        told == f"{folder / 'top.csv'} and {folder / 'top.parquet'} have one name in two formats, and are both read"
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("*.tsv", r"\*\.tsv: no file matches this pattern"),
        ("empty/*", r"no file matches this pattern"),
        ("gone.csv", r"gone\.csv: no such file"),
        ("gone/*.csv", r"no file matches this pattern"),
        ("top.csv/*", r"no file matches this pattern"),
        ("empty", r"empty: the folder holds no file"),
        ("markers", r"markers: the folder holds no file; names that start with _ or \. are skipped"),
        ("dangling.csv", r"dangling\.csv: is a link to nowhere\.csv, which does not exist"),
        ("*ling.csv", r"dangling\.csv: is a link to nowhere\.csv"),
        ("pipe", r"pipe: is not a regular file"),
        ("to_pipe", r"to_pipe: is a link to pipe, which is not a regular file"),
        ("loop", r"loop: is a link to loop, which does not exist"),
    ],
)
def test_what_is_not_there_is_named(folder: Path, name: str, expected: str) -> None:
    (folder / "empty" / "inner").mkdir(parents=True)
    (folder / "markers").mkdir()
    (folder / "markers" / "_SUCCESS").touch()
    (folder / "dangling.csv").symlink_to("nowhere.csv")
    os.mkfifo(folder / "pipe")
    (folder / "to_pipe").symlink_to("pipe")
    (folder / "loop").symlink_to("loop")
    with pytest.raises(DataError, match=expected) as caught:
        find_files([folder / name])
    assert str(folder) in str(caught.value)


def test_a_folder_within_itself_is_read_once(folder: Path) -> None:
    (folder / "out.csv" / "again").symlink_to("..")
    assert find_files([folder]).files == find_files([folder / "**"]).files == tuple(folder / name for name in FILES)


@pytest.mark.parametrize("log", ["_delta_log", ".hoodie"])
def test_a_table_with_rows_that_were_deleted_is_refused(folder: Path, log: str) -> None:
    (folder / "table" / log).mkdir(parents=True)
    (folder / "table" / "part-0.parquet").touch()
    with pytest.raises(DataError, match=rf"{folder / 'table'}: is a .* table \({log}\), whose files hold rows"):
        find_files([folder])
    assert find_files([folder / "table" / "*.parquet"]).files == (folder / "table" / "part-0.parquet",)


@pytest.mark.parametrize("link", ["file link", "folder link", "hard link", "compressed", "compressed twice"])
def test_the_same_file_twice_is_read_once_and_named(folder: Path, link: str) -> None:
    real, text = folder / FILES[1], (folder / FILES[1]).read_bytes()
    left_out = [folder / "again.csv"]
    match link:
        case "file link":
            left_out[0].symlink_to(real)
        case "folder link":
            left_out = [folder / "current" / "part-0.csv"]
            left_out[0].parent.symlink_to(real.parent)
        case "hard link":
            left_out = [folder / "zzz.csv"]
            left_out[0].hardlink_to(real)
        case "compressed":
            left_out = [real.with_name("part-0.csv.gz")]
            left_out[0].write_bytes(gzip.compress(text))
        case "compressed twice":
            left_out = [real.with_name("part-0.csv.gz"), real.with_name("part-0.csv.GZ")]
            for number, path in enumerate(left_out):
                path.write_bytes(gzip.compress(text, mtime=number))
    found = find_files([folder])
    assert found.files == tuple(folder / name for name in FILES)
    assert found.n_repeated == len(left_out)
    told = "\n".join(found.notes)
    assert "read once" in told
    assert all(str(path) in told for path in (real, *left_out))


def test_of_a_link_alone_the_link_is_read(folder: Path) -> None:
    (folder / "again.csv").symlink_to(folder / FILES[1])
    assert find_files([folder / "again.csv"]) == FoundFiles((folder / "again.csv",))


def test_a_file_that_goes_on_after_its_compressed_copy_is_refused(folder: Path) -> None:
    text = (folder / "top.csv").read_bytes()
    (folder / "top.csv").write_bytes(text + text * 100_000)
    (folder / "top.csv.gz").write_bytes(gzip.compress(text + text * 99_999))
    with pytest.raises(DataError, match=r"top\.csv\.gz: is the beginning of .*top\.csv, so that its rows"):
        find_files([folder])
    (folder / "top.csv.gz").write_bytes(gzip.compress(text[: text.index(b"\n") + 1]))
    (told,) = find_files([folder]).notes  # a header alone is no row
    assert "different content" in told


def test_one_name_with_different_content_and_copies_are_told_and_read(folder: Path) -> None:
    (folder / "top.csv.gz").write_bytes(gzip.compress(b"user,item\nother,x\n"))
    (folder / "copy.csv").write_bytes((folder / "top.csv").read_bytes())
    (folder / "empty-1.csv").touch()
    (folder / "empty-2.csv").touch()
    (folder / "header-1.csv").write_text("user,item\n")
    (folder / "header-2.csv").write_text("user,item\n")
    found = find_files([folder / "*.csv*"])
    assert len(found.files) == 9
    different, copies = found.notes
    assert different.startswith(f"{folder / 'top.csv'} and {folder / 'top.csv.gz'} have one name and different")
    assert copies == f"{folder / 'copy.csv'} and {folder / 'top.csv'} have the same content, and are both read"


def test_many_repeated_files_are_one_sentence(folder: Path) -> None:
    for number in range(5):
        (folder / f"link-{number}.csv").symlink_to("top.csv")
    (told,) = find_files([folder]).notes
    assert told.count("link-") == 3
    assert told.endswith("are one file and are read once, and 2 more such pairs")


def test_equal_content_in_several_folders_is_told_and_read(folder: Path) -> None:
    paths = [folder / "2024" / str(day) / ("part.csv.gz" if day % 2 else "part.csv") for day in range(4)]
    for day, path in enumerate(paths):
        path.parent.mkdir(parents=True)
        text = f"user,item\n{day // 3},x\n".encode()
        path.write_bytes(gzip.compress(text) if day % 2 else text)
    found = find_files([folder / "2024"])
    assert found.files == tuple(paths)
    assert found.notes == (
        f"{paths[0]} and {paths[2]}; {paths[0]} and {paths[1]} have the same content, and are both read",
    )


def test_days_of_equal_content_are_not_copies(folder: Path) -> None:
    (folder / FILES[2]).write_bytes((folder / FILES[1]).read_bytes())
    assert find_files([folder]).notes == ()


PART = st.sampled_from(["a", "b", "ab", "_a", ".b", "a=1"])
PATTERN = st.lists(st.sampled_from(["*", "a*", "?", "[ab]", "**", "b", "_*"]), min_size=1, max_size=3)


def reference(names: set[tuple[str, ...]], pattern: Sequence[str]) -> set[tuple[str, ...]]:
    """The files of `names` that are, or are in, what a pattern names."""
    return {name for name in names if any(matches(name[:length], pattern, name) for length in range(len(name) + 1))}


def matches(part: tuple[str, ...], pattern: Sequence[str], name: tuple[str, ...]) -> bool:
    """Whether `part`, the beginning of `name`, is what the pattern names, and no marker is in the rest of it."""
    if not pattern:
        return not part and not any(each[0] in "_." for each in name)
    if pattern[0] == "**":
        deeper = bool(part) and part[0][0] not in "_." and matches(part[1:], pattern, name[1:])
        return bool(name) and (deeper or matches(part, pattern[1:], name))  # a file has nothing below it
    if not part or not fnmatchcase(part[0], pattern[0]):
        return False
    skipped = part[0][0] in "_." and part[0][0] != pattern[0][0]
    return not skipped and matches(part[1:], pattern[1:], name[1:])


@given(st.sets(st.lists(PART, min_size=1, max_size=3).map(tuple), max_size=8), PATTERN)
@settings(max_examples=60, deadline=None)
def test_a_pattern_names_what_its_definition_says(names: set[tuple[str, ...]], pattern: list[str]) -> None:
    names = {name for name in names if not any(name == other[: len(name)] for other in names - {name})}
    with TemporaryDirectory() as folder:
        for name in names:
            path = Path(folder, *name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("/".join(name))
        expected = sorted(Path(folder, *name) for name in reference(names, pattern))
        try:
            found = list(find_files([Path(folder, *pattern)]).files)
        except DataError as error:
            found = []
            assert "no such file" in str(error) or "no file" in str(error)
        assert found == expected
