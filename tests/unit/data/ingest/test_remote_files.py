"""Files in an object store and on a web server are read as the same files on this machine are."""

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys.address import Address
from recsys.config import LogSchema
from recsys.data.ingest.file_source import FileSource
from recsys.data.ingest.readers import read_log
from recsys.data.ingest.source import Columns
from recsys.errors import DataError
from recsys.remote import RemotePath
from tests.object_stores import BUCKET, Bucket, serving

LOG = LogSchema(user="who", item="what", timestamp="day", max_refused_share=0.5)
ROWS = [(f"u{number % 7}", f"i{number % 5}") for number in range(40)]


def _source(*addresses: str) -> FileSource:
    return FileSource(tuple(RemotePath(Address(address)) for address in addresses))


def _csv(rows: list[tuple[str, str]] = ROWS) -> bytes:
    return "\n".join(",".join(row) for row in [("who", "what"), *rows, ("", "i1")]).encode() + b"\n"


def _json(lines: bool) -> bytes:
    rows = [{"who": who, "what": what} for who, what in ROWS]
    return ("\n".join(map(json.dumps, rows)) if lines else json.dumps(rows)).encode()


def _parquet() -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(dict(zip(("who", "what"), zip(*ROWS, strict=True), strict=True))), sink)
    return sink.getvalue().to_pybytes()


FORMATS: dict[str, Callable[[], bytes]] = {
    "part.csv": _csv,
    "part.csv.gz": lambda: gzip.compress(_csv()),
    "part.csv.zst": lambda: pa.compress(_csv(), "zstd", asbytes=True),
    "part.tsv": lambda: _csv().replace(b",", b"\t"),
    "part.jsonl": lambda: _json(lines=True),
    "part.json": lambda: _json(lines=False),
    "part.parquet": _parquet,
}


def test_a_hive_layout_of_every_format_is_the_same_log_as_on_disk(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "copies"))
    (tmp_path / "copies").mkdir()
    for day, (name, content) in enumerate(FORMATS.items(), start=1):
        folder = tmp_path / "events" / f"day=2024-01-0{day}"
        folder.mkdir(parents=True)
        (folder / name).write_bytes(content())
    (tmp_path / "events" / "_SUCCESS").write_bytes(b"")
    bucket.put_folder(tmp_path / "events", "in/events")
    local = FileSource((tmp_path / "events",))
    expected, counts = read_log(local, LOG)
    for address in (f"s3://{BUCKET}/in/events", f"s3://{BUCKET}/in/events/**/part.*"):
        remote = _source(address)
        remote.check(Columns.of(LOG))
        assert [path.location.name for path in remote.files if isinstance(path, RemotePath)] == list(FORMATS)
        events, found = read_log(remote, LOG)
        assert found == counts
        assert events.user_idx.tobytes() == expected.user_idx.tobytes()
        assert events.timestamp is not None
        assert expected.timestamp is not None
        assert events.timestamp.tobytes() == expected.timestamp.tobytes()
        assert remote.fingerprint() == local.fingerprint()
        assert remote.estimate_rows() == local.estimate_rows()
    assert list((tmp_path / "copies").iterdir()) == []


def test_a_refused_row_is_named_by_its_address_and_line(bucket: Bucket, tmp_path: Path) -> None:
    bucket.put("a.csv", _csv())
    read_log(_source(f"s3://{BUCKET}/a.csv"), LOG.model_copy(update={"timestamp": None}), quarantine=tmp_path / "q")
    kept = json.loads((tmp_path / "q").read_text())
    assert (kept["source"], kept["position"]) == (f"s3://{BUCKET}/a.csv", 42)


def test_each_object_is_transferred_once_for_its_rows_and_its_fingerprint(bucket: Bucket) -> None:
    for name in ("a.csv", "ab.csv"):
        bucket.put(f"once/{name}", _csv() + name.encode())
    source = _source(f"s3://{BUCKET}/once/")
    bucket.requests.clear()
    read_log(source, LOG.model_copy(update={"timestamp": None}))
    source.fingerprint()
    transfers = [request for request in bucket.requests if request.startswith("GET") and "list-type" not in request]
    assert len([request for request in transfers if "/a.csv" in request]) == 1


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("s3://no-such-bucket/x.csv", "no such bucket"),
        (f"s3://{BUCKET}/none.csv", "no such file"),
        (f"s3://{BUCKET}/none/*.csv", "no file matches this pattern"),
        ("https://no-such-host.invalid/x.csv", "the host is not found"),
    ],
)
def test_what_is_not_there_is_said(bucket: Bucket, address: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        _source(address).fingerprint()
    assert str(caught.value).startswith(address)


def test_a_refused_login_says_where_credentials_are_looked_for_and_not_which(bucket: Bucket) -> None:
    bucket.put("a.csv", _csv())
    bucket.faults += ["403"] * 4
    with pytest.raises(DataError, match="access is denied; credentials are read from AWS_ACCESS_KEY_ID") as caught:
        _source(f"s3://{BUCKET}/a.csv").fingerprint()
    assert "the-secret" not in str(caught.value)


@pytest.mark.parametrize("faults", [["503"], ["cut"], ["503", "cut"]])
def test_a_fault_that_passes_is_no_fault(bucket: Bucket, faults: list[str]) -> None:
    bucket.put("a.csv", _csv())
    bucket.faults += faults
    _, counts = read_log(_source(f"s3://{BUCKET}/a.csv"), LOG.model_copy(update={"timestamp": None}))
    assert bucket.faults == []
    assert counts.accepted == 40


def test_a_transfer_that_always_breaks_off_is_an_error_and_no_shorter_log(bucket: Bucket) -> None:
    bucket.put("a.csv", _csv())
    source = _source(f"s3://{BUCKET}/a.csv")
    assert source.files
    bucket.faults += ["cut"] * 40
    with pytest.raises(DataError, match=r"a\.csv: the transfer broke off"):
        read_log(source, LOG.model_copy(update={"timestamp": None}))


def test_an_object_that_is_replaced_after_it_was_found_is_told(
    bucket: Bucket, caplog: pytest.LogCaptureFixture
) -> None:
    bucket.put("a.csv", _csv())
    source = _source(f"s3://{BUCKET}/a.csv")
    assert source.files
    bucket.put("a.csv", _csv(ROWS[:10]))
    _, counts = read_log(source, LOG.model_copy(update={"timestamp": None}))
    assert counts.accepted == 10
    assert "a.csv: changed after it was found; what is there now is read" in caplog.text


class _Web(BaseHTTPRequestHandler):
    """Sends one file; `faults` are statuses, or "cut", or "no length", for the requests to come."""

    content = _csv()
    faults: list[str]

    def _send(self) -> None:
        fault = self.faults.pop(0) if self.faults and self.command == "GET" else ""
        if fault.isdigit():
            self.send_error(int(fault))
            return
        self.send_response(200)
        self.send_header("ETag", '"1"')
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(self.content[:100] if fault == "cut" else self.content)

    do_GET = do_HEAD = _send  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, list[str]]]:
    faults: list[str] = []
    with serving(type("Web", (_Web,), {"faults": faults})) as address:
        monkeypatch.setenv("SIGNED", f"{address}/log.csv?X-Amz-Signature=s3cr3t")
        yield address, faults


def test_a_file_on_a_web_server_is_read_once_by_its_signed_address(
    web: tuple[str, list[str]], tmp_path: Path
) -> None:
    _, faults = web
    faults += ["503", "cut"]
    source = _source("${SIGNED}")
    _, counts = read_log(source, LOG.model_copy(update={"timestamp": None}), quarantine=tmp_path / "q")
    assert (counts.accepted, faults) == (40, [])
    assert "s3cr3t" not in (tmp_path / "q").read_text() + source.description
    (tmp_path / "log.csv").write_bytes(_csv())
    assert source.fingerprint() == FileSource((tmp_path / "log.csv",)).fingerprint()


@pytest.mark.parametrize(
    ("fault", "message"), [("cut", "the transfer broke off"), ("403", "access is denied"), ("503", "with an error")]
)
def test_a_web_server_that_fails_is_named_without_its_secret(
    web: tuple[str, list[str]], fault: str, message: str
) -> None:
    _, faults = web
    faults += [fault] * 8
    with pytest.raises(DataError, match=message) as caught:
        read_log(_source("${SIGNED}"), LOG.model_copy(update={"timestamp": None}))
    assert "s3cr3t" not in str(caught.value)
    assert threading.active_count() < 50
