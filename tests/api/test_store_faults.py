"""What serves if the store is damaged, gone or slow, or its version crashes workers; and how anybody hears of it."""

import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from api.settings import Settings
from api.stores.bounded_calls import BoundedCalls
from api.stores.crashes import MOST, Crashes
from api.stores.model_watch import ModelWatch
from recsys.artifacts.registry import Registry
from recsys.artifacts.store_reader import CURRENT, HISTORY
from recsys.errors import ArtifactError


@pytest.fixture
def shop(store, tmp_path):
    """A store with two versions, of which the newer serves."""
    return Path(shutil.copytree(store, tmp_path / "store"))


@pytest.fixture
def versions(shop, publish):
    """The older and the newer version."""
    return Registry(shop).current(), publish(shop, seed=2)


@pytest.fixture
def log(caplog):
    caplog.set_level(logging.ERROR, "api.stores.model_watch")
    return lambda: [record.getMessage() for record in caplog.records]


def damage(store, version):
    path = store / "versions" / version / "popularity.npy"
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def crash(store, version, number=signal.SIGSEGV):
    """A process serves the version and is ended by a signal."""
    code = "import os, sys; from pathlib import Path; from api.stores.crashes import Crashes; "
    code += "Crashes(Path(sys.argv[1])).begin(sys.argv[2]); os.kill(os.getpid(), int(sys.argv[3]))"
    command = [sys.executable, "-c", code, str(store), version, str(int(number))]
    assert subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode == -number


class TestAColdStart:
    def test_on_a_damaged_version_serves_the_one_before_and_says_so(self, shop, versions, log):
        older, newer = versions
        damage(shop, newer)
        watch = ModelWatch(shop)
        assert watch.refresh() is None
        assert watch.engine.version == older
        assert (
            watch.fault == f"version {newer} cannot be loaded; version {older}, which served before, serves instead"
        )
        assert log()[-1] == f"version {older}, which served before, serves instead"

    @pytest.mark.parametrize("content", [b"rubbish\n", None])
    def test_on_a_damaged_or_missing_pointer_serves_the_latest(self, shop, versions, content):
        (shop / CURRENT).unlink()
        if content is not None:
            (shop / CURRENT).write_bytes(content)
        watch = ModelWatch(shop)
        watch.refresh()
        assert watch.engine.version == versions[1]
        assert watch.fault.startswith("the store cannot be read")

    def test_with_a_damaged_history_too_serves_the_newest_that_is_sound(self, shop, versions):
        (shop / CURRENT).write_text("rubbish")
        (shop / HISTORY).write_text("rubbish")
        watch = ModelWatch(shop)
        watch.refresh()
        assert watch.engine.version in versions

    def test_follows_the_store_again_once_it_is_mended(self, shop, versions, publish):
        damage(shop, versions[1])
        watch = ModelWatch(shop)
        watch.refresh()
        third = publish(shop, seed=3)
        watch.refresh()
        assert (watch.engine.version, watch.fault) == (third, None)

    def test_never_serves_what_was_sealed_and_not_published(self, shop, versions):
        for version in versions:
            damage(shop, version)
        (shop / HISTORY).unlink()
        (shop / CURRENT).unlink()
        watch = ModelWatch(shop)
        watch.refresh()
        assert (watch.engine, watch.is_empty) == (None, True)


def test_a_store_that_vanishes_is_logged_counted_and_shown(start, shop, versions, log):
    service = start(Settings(store=shop, poll_seconds=0.02))
    shutil.rmtree(shop)
    for _ in range(500):
        if "warning" in service.get("/readyz").json():
            break
        service.wait(0.02)
    service.wait(0.1)
    assert service.get("/readyz").json() == {
        "model_version": versions[1],
        "status": "ready",
        "warning": f"the store cannot be read; version {versions[1]} serves on",
    }
    metrics = service.get("/metrics").text
    assert 'recsys_reloads_total{result="failed"} 0.0' not in metrics
    assert "recsys_model_published 0.0" in metrics
    (line,) = log()
    assert "CURRENT: is gone" in line


@pytest.mark.parametrize("name", ["CURRENT", "HISTORY"])
def test_a_pipe_in_the_place_of_a_file_is_refused_at_once(shop, versions, name):
    (shop / name).unlink()
    os.mkfifo(shop / name)
    started = time.monotonic()
    watch = ModelWatch(shop)
    watch.refresh()
    assert time.monotonic() - started < 10
    assert watch.engine.version in versions


class TestALoadThatHangs:
    def test_is_given_up(self, shop, versions, log):
        release = threading.Event()
        watch = ModelWatch(shop, before_serving=lambda engine: release.wait(60), load_seconds=0.2)
        assert watch.refresh() is None
        assert "longer than 0.2 seconds" in log()[0]
        assert watch.reason == f"version {versions[1]} cannot be loaded; the service's log says why"
        release.set()

    def test_is_not_joined_by_a_second_one(self):
        release, calls = threading.Event(), BoundedCalls(0.05)
        with pytest.raises(ArtifactError, match=r"reading took longer than 0\.05 seconds"):
            calls.make(release.wait, "reading")
        with pytest.raises(ArtifactError, match="has not answered"):
            calls.make(lambda: 1, "reading")
        release.set()
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                assert calls.make(lambda: 1, "reading") == 1
            except ArtifactError:
                time.sleep(0.01)
            else:
                return
        raise AssertionError("no call was made after the one that hung had ended")


class TestCrashes:
    def test_three_on_one_version_roll_back(self, shop, versions, log):
        older, newer = versions
        for _ in range(MOST):
            assert Registry(shop).current() == newer
            crash(shop, newer)
        watch = ModelWatch(shop)
        watch.refresh()
        assert watch.engine.version == older == Registry(shop).current()
        assert log() == [f"workers crashed 3 times on version {newer}: rolled back"]
        assert (Registry(shop).history()[-1].action, watch.fault) == ("rollback", None)

    def test_of_several_workers_one_rolls_back(self, shop, versions):
        for _ in range(MOST):
            crash(shop, versions[1])
        watches = [ModelWatch(shop) for _ in range(3)]
        for watch in watches:
            watch.refresh()
        assert {watch.engine.version for watch in watches} == {versions[0]}
        assert [entry.action for entry in Registry(shop).history()] == ["publish", "publish", "rollback"]

    def test_two_do_not_nor_those_of_another_version_or_of_yesterday(self, shop, versions):
        older, newer = versions
        for version in (older, newer, newer, newer):
            crash(shop, version)
        oldest = min((shop / ".crashes").glob(f"{newer}.*"))
        os.utime(oldest, (time.time() - 86_400,) * 2)
        watch = ModelWatch(shop)
        watch.refresh()
        assert watch.engine.version == newer

    def test_a_process_that_is_killed_or_ends_has_not_crashed(self, shop, versions):
        crash(shop, versions[1], signal.SIGKILL)
        crashes = Crashes(shop)
        assert crashes.count(versions[1]) == 0
        left = set((shop / ".crashes").iterdir())
        crashes.begin(versions[1])
        crashes.end()
        assert set((shop / ".crashes").iterdir()) == left

    def test_without_a_version_to_go_back_to_it_serves_on(self, shop, log):
        only = Registry(shop).current()
        for _ in range(MOST):
            crash(shop, only)
        watch = ModelWatch(shop)
        watch.refresh()
        assert watch.engine.version == only
        assert "not rolled back" in log()[0]
