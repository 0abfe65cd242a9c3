"""Lists are kept behind the replies: nothing waits, nothing is lost silently, nothing grows without bound."""

import time
from collections.abc import Callable

from api.events.impression_log import MOST_WAITING, ImpressionLog
from api.metrics import Metrics
from recsys.event_store.database import open_database
from recsys.event_store.impressions import DAY, Impression, Impressions

QUICK = (0.01, 0.01)


def impression(at: int, *, days_ago: int = 0) -> Impression:
    given_at = time.time() - days_ago * DAY
    return Impression(f"r{at}", given_at, "ada", None, "v1", None, None, "recommendations", "known", ["a"])


def counted(metrics: Metrics, result: str) -> int:
    (line,) = [
        it for it in metrics.exposition().decode().splitlines() if f'impressions_total{{result="{result}"' in it
    ]
    return int(float(line.split()[-1]))


def until(condition: Callable[[], bool]) -> None:
    for _ in range(1_000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it never came true")


def n_kept(database) -> int:
    Impressions(database)
    with database.read() as queries:
        ((n,),) = queries.fetch("SELECT COUNT(*) FROM impressions")
    return n


def test_while_the_database_is_away_lists_wait_up_to_a_bound_and_others_are_counted(tmp_path, caplog):
    database, metrics = open_database(tmp_path / "away" / "events.db"), Metrics()
    log = ImpressionLog(database, metrics, share=1, days=90, seconds=QUICK)
    started = time.perf_counter()
    for at in range(MOST_WAITING + 7):
        log.offer(impression(at))
    assert time.perf_counter() - started < 5  # a bound for a hang, not a measurement
    until(lambda: "lists go on" in caplog.text)
    assert (counted(metrics, "dropped"), counted(metrics, "written")) == (7, 0)
    (tmp_path / "away").mkdir()
    until(lambda: counted(metrics, "written") == MOST_WAITING)
    assert n_kept(database) == MOST_WAITING
    log.close()
    assert caplog.text.count("lists go on") == 1


def test_what_cannot_be_written_is_dropped_and_stands_in_nobodys_way(tmp_path, caplog):
    database, metrics = open_database(tmp_path / "events.db"), Metrics()
    log = ImpressionLog(database, metrics, share=1, days=90, seconds=QUICK)
    log.offer(impression(0)._replace(items=[object()]))
    until(lambda: counted(metrics, "dropped") == 1)
    log.offer(impression(1))
    until(lambda: counted(metrics, "written") == 1)
    assert "1 lists cannot be written, and are dropped" in caplog.text
    log.close()


def test_what_waits_at_the_end_is_written_or_counted(tmp_path):
    database, metrics = open_database(tmp_path / "events.db"), Metrics()
    log = ImpressionLog(database, metrics, share=1, days=90, seconds=(60, 60))
    for at in range(5):
        log.offer(impression(at))
    log.close()
    assert (n_kept(database), counted(metrics, "written")) == (5, 5)
    metrics = Metrics()
    log = ImpressionLog(open_database(tmp_path / "away" / "e.db"), metrics, share=1, days=90, seconds=(60, 60))
    log.offer(impression(1))
    log.close()
    assert (counted(metrics, "written"), counted(metrics, "dropped")) == (0, 1)


def test_only_a_share_is_kept(tmp_path):
    database, chances = open_database(tmp_path / "events.db"), iter([0.05, 0.5, 0.099, 0.1, 0.9])
    log = ImpressionLog(database, Metrics(), share=0.1, days=90, chance=lambda: next(chances), seconds=QUICK)
    for at in range(5):
        log.offer(impression(at))
    log.close()
    assert n_kept(database) == 2


def test_old_lists_are_deleted(tmp_path):
    database = open_database(tmp_path / "events.db")
    Impressions(database).add([impression(1, days_ago=31), impression(2, days_ago=29)])
    log = ImpressionLog(database, Metrics(), share=1, days=30, seconds=QUICK)
    log.offer(impression(3))
    until(lambda: n_kept(database) == 2)
    log.close()
