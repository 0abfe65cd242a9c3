"""What Prometheus reads: counts and times of requests, lists, checks and reloads. No label holds an id."""

import os
from collections import Counter as Tally
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from api.recall import Of
from api.served import ServedEngine
from api.settings import METRICS_FOLDER
from recsys.engine import Answer

Result: TypeAlias = Literal["done", "skipped", "failed"]
"""What became of a list whose turn it was to be checked."""

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    """The figures of one service. Counting takes microseconds; any number of threads may count."""

    def __init__(self) -> None:
        disable_created_metrics()
        self._registry = registry = CollectorRegistry()
        self.in_flight = Gauge(
            "recsys_requests_in_flight", "Requests being answered now", multiprocess_mode="livesum", registry=registry
        )
        self._requests = Counter(
            "recsys_requests", "Requests answered", ["method", "route", "status"], registry=registry
        )
        self._seconds = Histogram(
            "recsys_request_seconds", "Time to answer a request", ["route"], buckets=_SECONDS, registry=registry
        )
        self._lists = Counter("recsys_lists", "Lists given, by whom they are for", ["user_status"], registry=registry)
        self._short = Counter("recsys_short_lists", "Lists of fewer items than asked for", registry=registry)
        self._reloads = Counter("recsys_reloads", "Attempts to load a version", ["result"], registry=registry)
        for result in ("ok", "failed"):
            self._reloads.labels(result)  # a series that begins at zero can be alerted on
        self._checks = Counter(
            "recsys_recall_checks", "Lists whose turn it was to be checked", ["of", "result"], registry=registry
        )
        self._wanted = Counter("recsys_recall_wanted", "Items of exact lists", ["of"], registry=registry)
        self._found = Counter("recsys_recall_found", "Those that were listed", ["of"], registry=registry)
        for of in get_args(Of):
            for counter in (self._wanted, self._found):
                counter.labels(of)
            for result in get_args(Result):
                self._checks.labels(of, result)

    def count_request(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered; `route` is its template, `status` 0 where it was cut off."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def count_answers(self, answers: Sequence[Answer]) -> None:
        """Lists were given."""
        for status, n in Tally(answer.user_status or "none" for answer in answers).items():
            self._lists.labels(status).inc(n)
        self._short.inc(sum(len(answer.items) < answer.requested for answer in answers))

    def count_reload(self, *, ok: bool) -> None:
        """A version was loaded, or could not be."""
        self._reloads.labels("ok" if ok else "failed").inc()

    def count_check(self, of: Of, result: Result, *, found: int = 0, wanted: int = 0) -> None:
        """It was a list's turn to be checked; of the `wanted` items of the exact list it had `found`."""
        self._wanted.labels(of).inc(wanted)
        self._found.labels(of).inc(found)
        self._checks.labels(of, result).inc()

    def exposition(self, engine: ServedEngine | None) -> bytes:
        """Everything in Prometheus' text format, of all workers; of the model, what this one serves."""
        model = CollectorRegistry()
        model.register(_Model(engine))
        return generate_latest(self._of_all_workers()) + generate_latest(model)

    def _of_all_workers(self) -> CollectorRegistry:
        if METRICS_FOLDER not in os.environ:
            return self._registry
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
        return registry


class _Model(Collector):
    """The version that serves, as it is when asked."""

    def __init__(self, engine: ServedEngine | None) -> None:
        self._engine = engine

    def collect(self) -> Iterable[Metric]:
        """Whether there is one, which, how old it is, and how much of the right lists it finds."""
        yield GaugeMetricFamily("recsys_model_loaded", "1 once a model serves", value=float(self._engine is not None))
        if self._engine is None:
            return
        info = GaugeMetricFamily("recsys_model_info", "The version that serves", labels=["version"])
        info.add_metric([self._engine.version], 1)
        yield info
        age = datetime.now(UTC) - datetime.fromisoformat(self._engine.describe()["created_at"])
        yield GaugeMetricFamily(
            "recsys_model_age_seconds", "Time since the version was sealed", value=age.total_seconds()
        )
        running = GaugeMetricFamily("recsys_recall", "Share of exact lists' items that were listed", labels=["of"])
        for of, recall in self._engine.recall.items():
            if recall.share is not None:
                running.add_metric([of], recall.share)
        yield running


def forget_dead_workers() -> None:
    """What was in flight in a worker that was killed is in flight no more; what it counted stays counted."""
    folder = os.environ.get(METRICS_FOLDER)
    for path in Path(folder).glob("gauge_live*_*.db") if folder else ():
        process = int(path.stem.rpartition("_")[2])
        if not _is_alive(process):
            mark_process_dead(process)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
