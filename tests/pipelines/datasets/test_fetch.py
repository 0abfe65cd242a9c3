import csv
import gzip
import hashlib
import io
import logging
import os
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from pipelines.datasets.cards import Card, CardFile, Download, find_card
from pipelines.datasets.fetch import fetch_card, fetch_dataset
from recsys.data.synthetic.lines import DIRT_KINDS
from recsys.errors import ConfigError, DataError


@dataclass
class Site:
    """A real web server on this machine: what it offers, and what it was asked for."""

    address: str
    pages: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    cut_short: bool = False


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def site() -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            offered.asked.append(self.path)
            page = offered.pages.get(self.path)
            self.send_response(404 if page is None else 200)
            self.send_header("Content-Length", str(len(page or b"")))
            self.end_headers()
            self.wfile.write((page or b"")[: -1 if offered.cut_short else None])

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        offered = Site(f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield offered
        server.shutdown()


def zipped(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def tarred(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def card_of(*downloads: Download, name: str = "example") -> Card:
    return Card(folder=Path(), name=name, title="t", what="w", licence="l", downloads=downloads)


RATINGS = CardFile(name="ratings.csv.gz", what="w", columns={"user": "", "item": ""}, member="a/ratings.csv", rows=2)
ARCHIVE = zipped({"a/ratings.csv": b"user,item\nu,1\nv,2\n", "../../escape": b"x", "a/readme": b"no"})


def download_of(site: Site, file: CardFile = RATINGS, *, path: str = "/d/set.zip", **known: Any) -> Download:
    return Download(url=site.address + path, files=(file,), **known)


def text_of(path: Path) -> str:
    return gzip.decompress(path.read_bytes()).decode()


def rows_of(path: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text_of(path))))


def fetched(site: Site, data_dir: Path, content: bytes, **about: Any) -> Path:
    """What fetching one file made of `content` comes to."""
    file = CardFile(name="out.csv.gz", what="w", **about)
    site.pages["/d/set"] = content
    fetch_card(card_of(download_of(site, file, path="/d/set")), data_dir=data_dir)
    return data_dir / "example" / "out.csv.gz"


class TestDownload:
    def test_verified_and_moved_into_place_alone(self, site: Site, tmp_path: Path) -> None:
        site.pages["/d/set.zip"] = ARCHIVE
        card = card_of(download_of(site, sha256=hashlib.sha256(ARCHIVE).hexdigest(), md5="0" * 32))
        done = fetch_card(card, data_dir=tmp_path / "data")
        assert done.made and str(done) == str(tmp_path / "data" / "example")
        assert [path.name for path in done.folder.iterdir()] == ["ratings.csv.gz"]
        assert text_of(done.folder / "ratings.csv.gz") == "user,item\nu,1\nv,2\n"
        assert [path.name for path in tmp_path.iterdir()] == ["data"]

    def test_md5_where_no_sha256_is_known(self, site: Site, tmp_path: Path) -> None:
        site.pages["/d/set.zip"] = ARCHIVE
        md5 = hashlib.md5(ARCHIVE, usedforsecurity=False).hexdigest()
        assert fetch_card(card_of(download_of(site, md5=md5)), data_dir=tmp_path).made

    @pytest.mark.parametrize(("kind", "digits"), [("sha256", 64), ("md5", 32)])
    def test_a_wrong_checksum_leaves_nothing_behind(self, site: Site, tmp_path: Path, kind: str, digits: int) -> None:
        site.pages["/d/set.zip"] = ARCHIVE
        with pytest.raises(DataError, match=rf"the {kind} of the download is \w+, expected 00"):
            fetch_card(card_of(download_of(site, **{kind: "0" * digits})), data_dir=tmp_path)
        assert list((tmp_path / "example").iterdir()) == []

    def test_an_unknown_checksum_is_said_with_the_one_that_came(
        self, site: Site, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        site.pages["/d/set.zip"] = ARCHIVE
        with caplog.at_level(logging.WARNING):
            fetch_card(card_of(download_of(site)), data_dir=tmp_path)
        assert (
            f"is unverified, no checksum of it is published; its sha256 is {hashlib.sha256(ARCHIVE).hexdigest()}"
            in (caplog.text)
        )

    def test_what_is_there_is_not_fetched_again_unless_told(self, site: Site, tmp_path: Path) -> None:
        site.pages["/d/set.zip"] = ARCHIVE
        card = card_of(download_of(site))
        fetch_card(card, data_dir=tmp_path)
        (tmp_path / "example/ratings.csv.gz").write_bytes(b"mine")
        assert not fetch_card(card, data_dir=tmp_path).made
        assert len(site.asked) == 1
        assert fetch_card(card, data_dir=tmp_path, again=True).made
        assert text_of(tmp_path / "example/ratings.csv.gz").startswith("user,item")

    def test_an_optional_file_does_not_start_a_download(self, site: Site, tmp_path: Path) -> None:
        extra = RATINGS.model_copy(update={"name": "more.csv.gz", "required": False})
        card = card_of(Download(url=f"{site.address}/d/set.zip", files=(RATINGS, extra)))
        (tmp_path / "example").mkdir()
        (tmp_path / "example/ratings.csv.gz").touch()
        assert not fetch_card(card, data_dir=tmp_path).made

    def test_progress_counts_bytes(self, site: Site, tmp_path: Path) -> None:
        site.pages["/d/set.zip"] = ARCHIVE
        heard: list[tuple[str, float, float | None]] = []
        fetch_card(card_of(download_of(site)), data_dir=tmp_path, progress=lambda *news: heard.append(news))
        assert ("download set.zip", len(ARCHIVE), len(ARCHIVE)) in heard
        assert heard[-1] == ("unpack ratings.csv.gz", 2, 2)

    def test_a_folder_that_cannot_be_written_is_said(self, site: Site, tmp_path: Path) -> None:
        (tmp_path / "example").write_text("a file is in the way")
        with pytest.raises(DataError, match=r"example: cannot write to .*example"):
            fetch_card(card_of(download_of(site)), data_dir=tmp_path)


class TestWithoutNetwork:
    def test_the_message_says_what_to_do(self, site: Site, tmp_path: Path) -> None:
        card = card_of(download_of(site, sha256="ab" * 32))
        with pytest.raises(DataError) as refused:
            fetch_card(card, data_dir=tmp_path)
        said = str(refused.value)
        assert said.startswith(f"example: {site.address}/d/set.zip cannot be downloaded: HTTP Error 404")
        assert f"save that URL as {tmp_path / 'example' / 'set.zip'} (its sha256 is {'ab' * 32})" in said
        assert "run `recsys fetch example` again" in said

    def test_nobody_listens(self, site: Site, tmp_path: Path) -> None:
        closed = Download(url="http://127.0.0.1:9/set.zip", files=(RATINGS,))
        with pytest.raises(DataError, match=r"Connection refused[^~]*no checksum of it is published"):
            fetch_card(card_of(closed), data_dir=tmp_path)

    def test_a_connection_that_ends_early(self, site: Site, tmp_path: Path) -> None:
        site.pages["/d/set.zip"], site.cut_short = ARCHIVE, True
        with pytest.raises(DataError, match=rf"after {len(ARCHIVE) - 1} of {len(ARCHIVE)} bytes"):
            fetch_card(card_of(download_of(site)), data_dir=tmp_path)
        assert list((tmp_path / "example").iterdir()) == []

    def test_a_file_saved_by_hand_is_used_and_kept(self, site: Site, tmp_path: Path) -> None:
        saved = tmp_path / "example/set.zip"
        saved.parent.mkdir()
        saved.write_bytes(ARCHIVE)
        sha256 = hashlib.sha256(ARCHIVE).hexdigest()
        assert fetch_card(card_of(download_of(site, sha256=sha256)), data_dir=tmp_path).made
        assert site.asked == []
        assert saved.read_bytes() == ARCHIVE
        assert rows_of(tmp_path / "example/ratings.csv.gz")[1:] == [["u", "1"], ["v", "2"]]

    def test_a_file_saved_by_hand_is_verified(self, site: Site, tmp_path: Path) -> None:
        saved = tmp_path / "example/set.zip"
        saved.parent.mkdir()
        saved.write_bytes(ARCHIVE)
        with pytest.raises(DataError, match=rf"expected {'cd' * 32}.*read from {saved}"):
            fetch_card(card_of(download_of(site, sha256="cd" * 32)), data_dir=tmp_path)


class TestUnpack:
    def test_names_in_an_archive_never_become_paths(self, site: Site, tmp_path: Path) -> None:
        content = zipped({"../../../evil.csv": b"user,item\nu,1\n"})
        made = fetched(
            site, tmp_path / "a/b/c", content, columns={"user": "", "item": ""}, member="../../../evil.csv"
        )
        assert text_of(made) == "user,item\nu,1\n"
        assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["out.csv.gz"]

    def test_lines_with_a_long_separator_from_latin_1(self, site: Site, tmp_path: Path) -> None:
        content = zipped({"m.dat": '1::Caf\xe9, "the" film (1999)::Drama|War\n2::Plain::\n'.encode("latin-1")})
        columns = {"movieId": "", "title": "", "genres": ""}
        made = fetched(
            site,
            tmp_path,
            content,
            columns=columns,
            member="m.dat",
            format="lines",
            separator="::",
            encoding="latin-1",
        )
        assert rows_of(made) == [list(columns), ["1", 'Café, "the" film (1999)', "Drama|War"], ["2", "Plain", ""]]

    def test_flags_become_one_column(self, site: Site, tmp_path: Path) -> None:
        made = fetched(
            site,
            tmp_path,
            zipped({"u.item": b"7|Film|0|1|1\n8|Other|0|0|0\n"}),
            columns={"id": "", "title": "", "genres": ""},
            member="u.item",
            format="lines",
            separator="|",
            flags=("Action", "Comedy", "War"),
        )
        assert rows_of(made)[1:] == [["7", "Film", "Comedy|War"], ["8", "Other", ""]]

    def test_tabbed_lines_from_a_tar_keep_odd_characters(self, site: Site, tmp_path: Path) -> None:
        line = 'abc\t\tA "quoted",\u2028 name\x85\r here\t12\n'
        content = tarred({"set/plays.tsv": line.encode() + b"\nshort\tline\n"})
        columns = {"user": "", "id": "", "artist": "", "plays": ""}
        made = fetched(site, tmp_path, content, columns=columns, member="set/plays.tsv", format="lines", rows=2)
        assert rows_of(made)[1:] == [["abc", "", 'A "quoted",\u2028 name\x85\r here', "12"], ["short", "line"]]

    def test_adjacency_becomes_pairs(self, site: Site, tmp_path: Path) -> None:
        made = fetched(
            site, tmp_path, b"0 5 3 \n1\n2 9\n", columns={"user": "", "item": ""}, format="adjacency", rows=3
        )
        assert text_of(made) == "user,item\n0,5\n0,3\n2,9\n"

    def test_csv_is_copied_byte_for_byte_under_new_names(self, site: Site, tmp_path: Path) -> None:
        content = zipped({"b.csv": b'book_id,other,title\r\n1,2,"a\xc3\xa9, ""b"""\r\n3,4,last'})
        made = fetched(
            site,
            tmp_path,
            content,
            columns={"id": "", "book_id": "", "title": ""},
            member="b.csv",
            renamed={"book_id": "id", "other": "book_id"},
            rows=2,
        )
        assert gzip.decompress(made.read_bytes()) == b'id,book_id,title\n1,2,"a\xc3\xa9, ""b"""\r\n3,4,last'

    def test_other_columns_than_the_card_says_are_refused(self, site: Site, tmp_path: Path) -> None:
        with pytest.raises(DataError, match=r"the columns are \['user', 'item'\], expected \['item', 'user'\]"):
            fetched(site, tmp_path, ARCHIVE, columns={"item": "", "user": ""}, member="a/ratings.csv")

    def test_another_number_of_rows_is_refused(self, site: Site, tmp_path: Path) -> None:
        with pytest.raises(
            DataError, match=r"out\.csv\.gz has 2 rows, expected 3: another file is published there now"
        ):
            fetched(site, tmp_path, ARCHIVE, columns={"user": "", "item": ""}, member="a/ratings.csv", rows=3)
        assert list((tmp_path / "example").iterdir()) == []

    @pytest.mark.parametrize("pack", [zipped, tarred])
    def test_a_member_that_is_not_there_is_named(self, site: Site, tmp_path: Path, pack: Any) -> None:
        with pytest.raises(DataError, match=r"holds no file 'x\.csv'; it holds y\.csv"):
            fetched(site, tmp_path, pack({"y.csv": b""}), columns={"user": ""}, member="x.csv")

    @pytest.mark.parametrize(
        "content",
        [b"<html>moved</html>", tarred({"x": bytes(9_000)})[:60], b""],
        ids=["a page", "cut short", "empty"],
    )
    def test_a_page_instead_of_an_archive_is_refused(self, site: Site, tmp_path: Path, content: bytes) -> None:
        with pytest.raises(DataError, match=rf"{site.address}/d/set: cannot be unpacked into out\.csv\.gz"):
            fetched(site, tmp_path, content, columns={"user": ""}, member="x")

    def test_a_damaged_member_is_refused(self, site: Site, tmp_path: Path) -> None:
        content = bytearray(zipped({"x.csv": b"user\n" + os.urandom(5_000)}))
        content[2_000] ^= 1
        with pytest.raises(DataError, match="cannot be unpacked"):
            fetched(site, tmp_path, bytes(content), columns={"user": ""}, member="x.csv")


class TestDemo:
    def test_it_is_written_without_a_network(self, tmp_path: Path) -> None:
        def no_network(url: str) -> Any:
            raise AssertionError(url)

        done = fetch_dataset("demo", data_dir=tmp_path, opener=no_network)
        assert done.made
        assert find_card("demo").missing(done.folder) == []
        assert len(list(done.folder.glob("events/*.csv.gz"))) == 10
        lines = b"".join(gzip.decompress(path.read_bytes()) for path in done.folder.glob("events/*"))
        recipe = find_card("demo").recipe
        assert recipe is not None and recipe.dirty_rows % len(DIRT_KINDS) == 0
        assert lines.count(b"\n") == 10 + recipe.n_events + recipe.dirty_rows
        assert not fetch_dataset("demo", data_dir=tmp_path).made

    def test_an_unknown_name_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="no data set is called 'netflix'"):
            fetch_dataset("netflix", data_dir=tmp_path)
        assert list(tmp_path.iterdir()) == []
