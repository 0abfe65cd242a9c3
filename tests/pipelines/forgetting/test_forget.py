"""Forgetting a reader: no byte of the id or of the vector is left in anything that job and service write."""

import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipelines.forgetting.forget import forget, forget_pending
from pipelines.forgetting.places import Places, opened
from pipelines.forgetting.subject import subject
from pipelines.steps.run import run
from pipelines.steps.summaries import PrepareSummary
from pipelines.steps.workspace import Workspace
from recsys.artifacts.lock import exclusive
from recsys.artifacts.registry import Registry
from recsys.artifacts.tombstones import add_tombstones
from recsys.data.matrix import InteractionMatrix
from recsys.engine.opening import open_engine
from recsys.engine.rehearsal import check_serves
from recsys.errors import ForgottenError
from recsys.forgotten import read_forgotten
from recsys.progress import silent
from tests.byte_scan import found_in
from tests.pipelines.forgetting.conftest import MARKED, OTHER, SESSION, Shop

IN_THE_LOG = 5
"""Rows of the reader in the log that are sound; two more are refused, and one has the id in another column."""


def needles(shop: Shop) -> dict[str, bytes]:
    """The id, what it could be told by, and its vector in every version."""
    plain = MARKED.encode()
    digests = {
        "sha256": hashlib.sha256(plain).hexdigest().encode(),
        "report_ids": hashlib.sha256(plain).hexdigest()[:12].encode(),
        "golden": hashlib.sha256(b"golden:" + plain).hexdigest()[:16].encode(),
    }
    vectors = {f"vector of {version}": shop.vector(version) for version in shop.registry.names()}
    written = {"id": plain, "escaped id": MARKED.encode("ascii", "backslashreplace"), "session": SESSION.encode()}
    return written | digests | vectors


@contextmanager
def places_of(shop: Shop) -> Iterator[Places]:
    """All places of the shop."""
    with opened(shop.folder / "store", shop.config, str(shop.folder / "events.db")) as places:
        yield places


def lists_of(shop: Shop, user_id: str) -> list[tuple[str, float]]:
    answer = open_engine(shop.registry).recommend(user_id, k=5)
    return [(item.item_id, item.score) for item in answer.items]


def test_no_byte_is_left_anywhere(shop: Shop) -> None:
    sought, others = needles(shop), lists_of(shop, OTHER)
    before = found_in(shop.folder, sought)
    assert {"id", "session", "golden"} < before.keys() and len(before) == 5
    assert len(before["id"]) > 20 and "work/quarantine.jsonl" in before["id"]
    versions = shop.registry.names()

    with places_of(shop) as places:
        done = forget(places, [MARKED])
    shop.remove_log()

    assert done.problems == []
    assert (done.events, done.impressions, done.sessions) == (60, 60, 1)
    assert [*done.rewritten] == sorted(versions, key=lambda name: done.rewritten[name] != shop.registry.current())
    assert found_in(shop.folder, sought) == {}
    assert lists_of(shop, OTHER) == others
    for version in shop.registry.names():
        check_serves(shop.registry.load(version))
    assert shop.registry.rollback() == done.rewritten[versions[versions.index(before_serving(done.rewritten, shop))]]


def before_serving(rewritten: dict[str, str], shop: Shop) -> str:
    """The name that the version had which serves now."""
    return next(before for before, now in rewritten.items() if now == shop.registry.current())


def test_the_next_night_takes_no_row_and_counts_them(shop: Shop) -> None:
    with places_of(shop) as places:
        forget(places, [MARKED])
    run(shop.config, steps=("prepare",), progress=silent)
    summary = Workspace(shop.config.workspace).summary(PrepareSummary)
    assert summary.rows.ignored["forgotten"] == IN_THE_LOG + 2
    assert found_in(shop.folder, {"id": MARKED.encode()}) == {"id": ["events.csv"]}


def test_a_night_in_flight_publishes_neither_id_nor_vector(shop: Shop) -> None:
    run(shop.config, steps=("prepare", "evaluate", "train", "index"), progress=silent)
    sought = needles(shop)
    with opened(shop.folder / "store", None, str(shop.folder / "events.db")) as places:
        forget(places, [MARKED])
    assert "work/train/model/users.npy" in str(found_in(shop.folder, sought))  # the night goes on from here
    done = run(shop.config, steps=("publish", "export"), progress=silent)
    assert shop.registry.current() == done.publish.version
    assert shop.registry.load().manifest.earlier_names
    shop.remove_log()
    assert found_in(shop.folder, sought) == {}


def test_a_version_with_forgotten_people_is_neither_published_nor_rolled_back_to(shop: Shop) -> None:
    serving, other = (
        shop.registry.current(),
        next(it for it in shop.registry.names() if it != shop.registry.current()),
    )
    add_tombstones(shop.registry, [MARKED])
    for move in (shop.registry.publish, shop.registry.rollback):
        with pytest.raises(ForgottenError, match="holds 1 people"):
            move(other)
    assert shop.registry.current() == serving


def test_a_tombstone_alone_hides_the_reader_and_pending_ends_the_work(shop: Shop) -> None:
    sought = needles(shop)
    add_tombstones(shop.registry, [MARKED], [SESSION])
    assert open_engine(shop.registry).recommend(MARKED).user_status == "fallback"
    with places_of(shop) as places:
        done, again = forget_pending(places), forget_pending(places)
    shop.remove_log()
    assert (done.events, done.problems, len(done.exports)) == (60, [], 3)
    assert (again.events, again.rewritten, again.exports) == (0, {}, [])  # there is nothing left to do
    assert found_in(shop.folder, sought) == {}


def test_who_comes_back_is_a_new_person(shop: Shop) -> None:
    with places_of(shop) as places:
        forget(places, [MARKED])
    later = int(time.time()) + 86_400
    with (shop.folder / "events.csv").open("a", encoding="utf-8") as log:
        log.writelines(f"{MARKED},book {item},{later}\n" for item in (20, 21, 22))
    run(shop.config, steps=("prepare",), progress=silent)
    matrix = InteractionMatrix.load(shop.folder / "work" / "prepare" / "matrix")
    items = matrix.csr[matrix.users.position(MARKED)].indices
    assert matrix.items.decode(items.tolist()) == ["book 20", "book 21", "book 22"]


def test_two_at_once_forget_both(shop: Shop) -> None:
    def one(user_id: str) -> None:
        with opened(shop.folder / "store", None, str(shop.folder / "events.db")) as places:
            forget(places, [user_id])

    both = [threading.Thread(target=one, args=(user_id,)) for user_id in (MARKED, OTHER)]
    for each in both:
        each.start()
    for each in both:
        each.join()
    with opened(shop.folder / "store", None, None) as places:
        assert forget_pending(places).problems == []
    known = [shop.registry.load(version).users for version in shop.registry.names()]
    assert known and not any(user in users for users in known for user in (MARKED, OTHER))
    assert len(read_forgotten(shop.folder / "store")) == 3


def test_what_a_stopped_job_on_spark_left_goes_if_it_began_before(shop: Shop) -> None:
    left = shop.config.workspace / "spark" / "prepare" / "part-00000.parquet"
    left.parent.mkdir(parents=True)
    left.write_bytes(MARKED.encode())
    with places_of(shop) as places:
        assert "spark" in subject(places, MARKED)["workspace"]
        assert left.exists()
        done = forget(places, [MARKED])
    assert "spark" in done.workspace
    assert not left.parent.exists()
    left.parent.mkdir(parents=True)
    left.write_bytes(b"of a night after the tombstone")
    with places_of(shop) as places:
        assert forget_pending(places).workspace == []
    assert left.exists()


def test_a_workspace_in_use_is_told_and_left_to_its_run(shop: Shop) -> None:
    with exclusive(shop.folder / "work" / ".lock", doing="running in this workspace"), places_of(shop) as places:
        (problem,) = forget(places, [MARKED]).problems
    assert "takes people out of it at its end" in problem


def test_subject_tells_every_place(shop: Shop) -> None:
    with places_of(shop) as places:
        found = subject(places, MARKED)
    assert found["forgotten_at"] is None
    assert [(each["status"], len(each["vector"]), len(each["history"])) for each in found["versions"]] == [
        ("trained", 4, len(each["history"])) for each in found["versions"]
    ]
    assert all("evaluation" in each and each["in_report"] for each in found["versions"])
    assert found["event_store"]["n_events"] == found["event_store"]["n_impressions"] == 60
    assert found["event_store"]["sessions"] == [SESSION]
    assert {"prepare", "evaluate", "train", "quarantine.jsonl", "report.html"} <= {*found["workspace"]}
    assert len(found["exports"]) == 3
    with places_of(shop) as places:
        nobody = subject(places, "nobody of that name")
    assert (nobody["versions"], nobody["workspace"], nobody["event_store"]["n_events"]) == ([], [], 0)


def test_a_hold_goes_on_with_the_version_that_takes_its_place(shop: Shop) -> None:
    held = shop.registry.hold(shop.registry.current())
    with opened(shop.folder / "store", None, None) as places:
        done = forget(places, [MARKED])
    registry = Registry(shop.folder / "store")
    assert registry.held() == registry.current() == done.rewritten[held]


def test_the_list_of_tombstones_survives_a_torn_line(shop: Shop) -> None:
    add_tombstones(shop.registry, [MARKED])
    path: Path = shop.folder / "store" / "FORGOTTEN"
    with path.open("ab") as file:
        file.write(b"1795892866.26")
    assert len(read_forgotten(path.parent)) == 1
    add_tombstones(shop.registry, [OTHER])
    assert len(read_forgotten(path.parent)) == 2
