"""What Prometheus reads: counts and times of requests, lists, checks and reloads. No label holds an id."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from api.settings import METRICS_FOLDER
from recsys.engine import UserStatus

SearchKind: TypeAlias = Literal["recommendations", "similar_items"]
"""Lists that an index finds."""

ListKind: TypeAlias = SearchKind | Literal["candidates", "similar_users", "found_by_words"]
"""All kinds of lists."""

CheckResult: TypeAlias = Literal["done", "skipped", "failed"]
"""What became of a sampled check of a list."""

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


@dataclass(frozen=True)
class ServingModel:
    """What is exposed of the version that serves.

    `recall`: by kind, None if unknown. `newest_event`: when its log ends, None if the log has no times.
    `n_posted`: items posted since it was made.
    """

    version: str
    created_at: datetime
    recall: Mapping[SearchKind, float | None]
    newest_event: datetime | None = None
    n_posted: int = 0


class Metrics:
    """The counters of one service. Counting takes microseconds; any number of threads may count."""

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
        self._lists = Counter(
            "recsys_lists", "Lists given, by kind and by what is known of the user", _LIST_LABELS, registry=registry
        )
        self._short = Counter(
            "recsys_short_lists", "Lists of fewer items than asked for", ["kind"], registry=registry
        )
        self._new = Counter(
            "recsys_new_items_listed", "New items in lists for users, which had none in training", registry=registry
        )
        self._reloads = Counter("recsys_reloads", "Attempts to load a version", ["result"], registry=registry)
        self._checks = Counter(
            "recsys_recall_checks", "Lists sampled to be checked", _CHECK_LABELS, registry=registry
        )
        self._wanted = Counter("recsys_recall_wanted", "Items of exact lists", ["kind"], registry=registry)
        self._found = Counter(
            "recsys_recall_found", "Items of exact lists that were listed", ["kind"], registry=registry
        )
        self._begin_at_zero()

    def _begin_at_zero(self) -> None:
        """Create the series that alerts are about: the increase of one that begins at 1 would be missed."""
        for result in ("ok", "failed"):
            self._reloads.labels(result)
        for kind in get_args(SearchKind):
            for counter in (self._wanted, self._found):
                counter.labels(kind)
            for result in get_args(CheckResult):
                self._checks.labels(kind, result)

    def count_request(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answered request; `route` is its template, `status` 0 if it was cut off."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def count_list(self, kind: ListKind, *, user_status: UserStatus | None, is_short: bool) -> None:
        """Count a list that was given; `user_status` is None if it is not for a user."""
        self._lists.labels(kind, user_status or "none").inc()
        if is_short:
            self._short.labels(kind).inc()

    def count_new_items(self, n_items: int) -> None:
        """Count the new items of a list for a user."""
        self._new.inc(n_items)

    def count_reload(self, *, ok: bool) -> None:
        """Count an attempt to load a version."""
        self._reloads.labels("ok" if ok else "failed").inc()

    def count_check(self, kind: SearchKind, result: CheckResult, *, found: int = 0, wanted: int = 0) -> None:
        """Count a sampled check, which found `found` of the `wanted` items of the exact list."""
        self._wanted.labels(kind).inc(wanted)
        self._found.labels(kind).inc(found)
        self._checks.labels(kind, result).inc()

    def exposition(self, model: ServingModel | None) -> bytes:
        """Everything in Prometheus' text format, counted by all workers; of the model, what this worker serves."""
        now = CollectorRegistry()
        now.register(_ModelCollector(model))
        now.register(_WorkerCollector())
        return generate_latest(self._of_all_workers()) + generate_latest(now)

    def _of_all_workers(self) -> CollectorRegistry:
        if METRICS_FOLDER not in os.environ:
            return self._registry
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
        return registry


class _ModelCollector(Collector):
    """Whether a version serves, which, how old it is, and its recall."""

    def __init__(self, model: ServingModel | None) -> None:
        self._model = model

    def collect(self) -> Iterable[Metric]:
        """The metrics as they are now."""
        model = self._model
        yield GaugeMetricFamily("recsys_model_loaded", "1 once a model serves", value=float(model is not None))
        if model is None:
            return
        info = GaugeMetricFamily("recsys_model_info", "The version that serves", labels=["version"])
        info.add_metric([model.version], 1)
        yield info
        age = (datetime.now(model.created_at.tzinfo) - model.created_at).total_seconds()
        yield GaugeMetricFamily("recsys_model_age_seconds", "Time since the version was sealed", value=age)
        if model.newest_event is not None:
            yield GaugeMetricFamily(
                "recsys_newest_event_timestamp_seconds",
                "When the log of the version ends, seconds since 1970",
                value=model.newest_event.timestamp(),
            )
        yield GaugeMetricFamily("recsys_posted_items", "Posted items that are listed", value=model.n_posted)
        recall = GaugeMetricFamily("recsys_recall", "Share of exact lists' items that were listed", labels=["kind"])
        for kind, share in model.recall.items():
            if share is not None:
                recall.add_metric([kind], share)
        yield recall


class _WorkerCollector(Collector):
    """prometheus_client's `process_*` metrics of each worker, labelled with its `pid`.

    The library alone has them only for the process that is asked, and not at all if there are several. They are not
    summed, because memory that workers share would count several times.
    """

    def collect(self) -> Iterable[Metric]:
        """The metrics as they are now, by name."""
        families: dict[str, Metric] = {}
        for pid in _workers():
            for found in ProcessCollector(pid=partial(int, pid), registry=None).collect():
                family = families.setdefault(found.name, Metric(found.name, found.documentation, found.type))
                for sample in found.samples:
                    family.add_sample(sample.name, {"pid": str(pid)}, sample.value)
        return families.values()


def _workers() -> list[int]:
    """Process ids of the workers that live: with several, those that have metrics in the shared folder."""
    folder = os.environ.get(METRICS_FOLDER)
    if folder is None:
        return [os.getpid()]
    return sorted(filter(_is_alive, {_process_of(path) for path in Path(folder).glob("counter_*.db")}))


def forget_dead_workers() -> None:
    """Drop the requests in flight of workers that were killed; what they counted stays counted."""
    folder = os.environ.get(METRICS_FOLDER)
    for path in Path(folder).glob("gauge_live*_*.db") if folder else ():
        if not _is_alive(_process_of(path)):
            mark_process_dead(_process_of(path))


def _process_of(path: Path) -> int:
    return int(path.stem.rpartition("_")[2])


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


_LIST_LABELS = ("kind", "user_status")
_CHECK_LABELS = ("kind", "result")
