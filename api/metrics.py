"""What Prometheus reads: counts and times of requests, lists, checks and reloads. No label holds an id."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import product
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
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from api.admission.traffic import Traffic
from api.replica_metrics import ReplicaCollector
from api.settings import METRICS_FOLDER
from recsys.engine import UserStatus
from recsys.engine.event_rules import Refusal
from recsys.experiments.assignment import ArmName
from recsys.experiments.guardrails import GuardName
from recsys.online.recommendation_id import ListKind
from recsys.replica import Status

SearchKind: TypeAlias = Literal["recommendations", "similar_items"]
"""Lists that an index finds."""

CheckResult: TypeAlias = Literal["done", "skipped", "failed"]
"""What became of a sampled check of a list."""

NO_STORE = ""
"""The label `store` of requests that name none, in a service whose stores have names."""

LIMITS_REACHED = (
    "too_costly",
    "overloaded",
    "deadline_exceeded",
    "client_gone",
    "body_too_large",
    "slow_body",
)
"""Why requests are refused or given up for what they take, as the codes of problems; the client may have gone."""

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


@dataclass(frozen=True)
class ServingModel:
    """What is exposed of the version that serves.

    `recall`: by kind, None if unknown. `newest_event`: when its log ends, None if the log has no times.
    `n_posted`, `n_updated`: items posted since it was made, and items of it with values newer than its catalogue.
    `is_published`: whether it is the one that the store says.
    `arms`: what each arm of the running `experiment` serves.
    """

    version: str
    created_at: datetime
    recall: Mapping[SearchKind, float | None]
    newest_event: datetime | None = None
    n_posted: int = 0
    n_updated: int = 0
    is_published: bool = True
    arms: Mapping[ArmName, str] = field(default_factory=dict)
    experiment: str | None = None


class _Families:
    """The counters of one service. If its stores have names, those of lists and versions have a label `store`."""

    def __init__(self, *, are_named: bool) -> None:
        self.registry = registry = CollectorRegistry()
        of_store = ["store"] if are_named else []
        self.in_flight = Gauge(
            "recsys_requests_in_flight", "Requests being answered now", multiprocess_mode="livesum", registry=registry
        )
        self.seconds = Histogram(
            "recsys_request_seconds",
            "Time to answer a request",
            ["route", *of_store],
            buckets=_SECONDS,
            registry=registry,
        )

        def counter(name: str, meaning: str, *labels: str) -> Counter:
            return Counter(f"recsys_{name}", meaning, [*labels, *of_store], registry=registry)

        self.requests = counter("requests", "Requests answered", "method", "route", "status")
        self.limits = counter("limits_reached", "Requests refused or given up for what they take", "code")
        self.given_up = counter("questions_given_up", "Questions of batches that were given up, not answered")
        self.lists = counter("lists", "Lists given, by kind and by what is known of the user", "kind", "user_status")
        self.short = counter("short_lists", "Lists of fewer items than asked for", "kind")
        self.new = counter("new_items_listed", "New items in lists for users, which had none in training")
        self.reloads = counter("reloads", "Attempts to load a version", "result")
        self.checks = counter("recall_checks", "Lists sampled to be checked", "kind", "result")
        self.wanted = counter("recall_wanted", "Items of exact lists", "kind")
        self.events_accepted = counter("events_accepted", "Events kept")
        self.events_duplicate = counter("events_duplicate", "Events that had been kept already")
        self.events_refused = counter("events_refused", "Events not kept, by reason", "reason")
        self.events_unknown_item = counter("events_unknown_item", "Kept events of items that the version lacks")
        self.commit_seconds = Histogram(
            "recsys_events_commit_seconds",
            "Time to make events durable",
            of_store,
            buckets=_SECONDS,
            registry=registry,
        )
        self.arm_lists = counter("experiment_lists", "Lists of a running experiment, by arm", "arm", "result")
        self.breaches = counter("experiment_breaches", "Experiments ended by a guardrail", "guardrail")
        self.impressions = counter("impressions", "Lists kept as impressions, or not", "result")
        self.found = counter("recall_found", "Items of exact lists that were listed", "kind")
        early = ("-", "-", "503", *([NO_STORE] if are_named else ()))
        self.traffic = Traffic(registry, count_early=lambda n: self.requests.labels(*early).inc(n))

    def known_labels(self) -> Mapping[Counter, Iterable[tuple[str, ...]]]:
        """The values of the labels of each counter, but those of requests, whose statuses are many."""
        kinds, searches = get_args(ListKind), get_args(SearchKind)
        return {
            self.lists: product(kinds, (*get_args(UserStatus), "none")),
            self.short: product(kinds),
            self.reloads: product(("ok", "failed")),
            self.checks: product(searches, get_args(CheckResult)),
            self.wanted: product(searches),
            self.found: product(searches),
            self.limits: product(LIMITS_REACHED),
            self.events_refused: product(get_args(Refusal)),
            self.arm_lists: product(get_args(ArmName), ("given", "failed", "slow", "empty")),
            self.breaches: product(get_args(GuardName)),
            self.impressions: product(("written", "dropped")),
        }


class Metrics:
    """What one store of a service counts. Counting takes microseconds; any number of threads may count.

    `store` None: the service has one store without a name, and nothing has a label `store`.
    """

    def __init__(self, store: str | None = None, *, families: _Families | None = None) -> None:
        disable_created_metrics()
        self._families = _Families(are_named=store is not None) if families is None else families
        self._store = () if store is None else (store,)
        self.in_flight, self.traffic = self._families.in_flight, self._families.traffic
        # Looking a series up by its labels takes longer than counting.
        self._of_requests = dict[tuple[str, str, int], tuple[Counter, Histogram]]()
        if store != NO_STORE:
            self._begin_at_zero()

    def of_store(self, name: str) -> "Metrics":
        """What the store `name` of the same service counts."""
        return Metrics(name, families=self._families) if self._store else self

    def _begin_at_zero(self) -> None:
        """Create every series whose labels are known: the increase of one that begins at 1 would be missed."""
        of, known = self._families, self._families.known_labels()
        for counter, label_sets in known.items():
            for labels in label_sets:
                counter.labels(*labels, *self._store)
        if self._store:
            for without in (of.given_up, of.new, of.events_accepted, of.events_duplicate, of.events_unknown_item):
                without.labels(*self._store)

    def count_request(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answered request; `route` is its template, `status` 0 if it was cut off."""
        key = method, route, status
        if (found := self._of_requests.get(key)) is None:
            requests = self._families.requests.labels(method, route, str(status), *self._store)
            found = self._of_requests[key] = requests, self._families.seconds.labels(route, *self._store)
        found[0].inc()
        found[1].observe(seconds)

    def count_limit(self, code: str) -> None:
        """Count a request that was refused or given up for what it takes."""
        self._families.limits.labels(code, *self._store).inc()

    def count_given_up(self, n_questions: int) -> None:
        """Count questions of a batch that will not be answered."""
        given_up = self._families.given_up
        (given_up.labels(*self._store) if self._store else given_up).inc(n_questions)

    def count_list(self, kind: ListKind, *, user_status: UserStatus | None, is_short: bool) -> None:
        """Count a list that was given; `user_status` is None if it is not for a user."""
        self._families.lists.labels(kind, user_status or "none", *self._store).inc()
        if is_short:
            self._families.short.labels(kind, *self._store).inc()

    def count_new_items(self, n_items: int) -> None:
        """Count the new items of a list for a user."""
        if not n_items:
            return
        new = self._families.new
        (new.labels(*self._store) if self._store else new).inc(n_items)

    def count_reload(self, *, ok: bool) -> None:
        """Count an attempt to load a version."""
        self._families.reloads.labels("ok" if ok else "failed", *self._store).inc()

    def count_events(self, *, accepted: int, duplicates: int, unknown_items: int, refused: Iterable[str]) -> None:
        """Count posted events; `refused`: the reason of each that was."""
        counts = (
            (self._families.events_accepted, accepted),
            (self._families.events_duplicate, duplicates),
            (self._families.events_unknown_item, unknown_items),
        )
        for counter, n in counts:
            (counter.labels(*self._store) if self._store else counter).inc(n)
        for reason in refused:
            self._families.events_refused.labels(reason, *self._store).inc()

    def count_arm(self, arm: ArmName, n: int, failed: int, slow: int, empty: int) -> None:
        """Count `n` lists of an arm; of these, how many failed, were slow or empty."""
        for result, count in (("given", n - failed), ("failed", failed), ("slow", slow), ("empty", empty)):
            if count:
                self._families.arm_lists.labels(arm, result, *self._store).inc(count)

    def count_breach(self, guard: GuardName) -> None:
        """Count an experiment that its guardrail ended."""
        self._families.breaches.labels(guard, *self._store).inc()

    def count_impressions(self, result: Literal["written", "dropped"], n: int) -> None:
        """Count lists that were kept, or could not be."""
        self._families.impressions.labels(result, *self._store).inc(n)

    def observe_commit(self, seconds: float) -> None:
        """Count a commit of events."""
        histogram = self._families.commit_seconds
        (histogram.labels(*self._store) if self._store else histogram).observe(seconds)

    def count_check(self, kind: SearchKind, result: CheckResult, *, found: int = 0, wanted: int = 0) -> None:
        """Count a sampled check, which found `found` of the `wanted` items of the exact list."""
        self._families.wanted.labels(kind, *self._store).inc(wanted)
        self._families.found.labels(kind, *self._store).inc(found)
        self._families.checks.labels(kind, result, *self._store).inc()

    def exposition(
        self,
        models: Mapping[str, ServingModel | None] | None = None,
        replicas: Mapping[str, Status] | None = None,
    ) -> bytes:
        """Everything in Prometheus' text format, counted by all workers.

        `models`: what this worker serves, by store; with a label `store` if the stores have names. `replicas`: how
        those stores are followed that lie in object stores.
        """
        now = CollectorRegistry()
        now.register(_ModelCollector(models or {}, are_named=bool(self._store)))
        now.register(ReplicaCollector(replicas or {}, are_named=bool(self._store)))
        now.register(_WorkerCollector())
        return generate_latest(self._of_all_workers()) + generate_latest(now)

    def _of_all_workers(self) -> CollectorRegistry:
        if METRICS_FOLDER not in os.environ:
            return self._families.registry
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
        return registry


class _ModelCollector(Collector):
    """Of each store: whether a version serves, which, how old it is, and its recall."""

    def __init__(self, models: Mapping[str, ServingModel | None], *, are_named: bool) -> None:
        self._models = models
        self._are_named = are_named

    def collect(self) -> Iterable[Metric]:
        """The metrics as they are now, by name."""
        families: dict[str, Metric] = {}
        for store, model in self._models.items():
            label = {"store": store} if self._are_named else {}
            for name, meaning, labels, value in _values(model):
                family = families.setdefault(name, Metric(name, meaning, "gauge"))
                family.add_sample(name, labels | label, value)
        return families.values()


def _values(model: ServingModel | None) -> Iterator[tuple[str, str, dict[str, str], float]]:
    """Name, meaning, labels and value of each gauge."""
    yield "recsys_model_loaded", "1 once a model serves", {}, float(model is not None)
    if model is None:
        return
    yield "recsys_model_info", "The version that serves", {"version": model.version}, 1.0
    meaning = "1 if the version that serves is the one that the store says, 0 if that one cannot be loaded or read"
    yield "recsys_model_published", meaning, {}, float(model.is_published)
    age = (datetime.now(model.created_at.tzinfo) - model.created_at).total_seconds()
    yield "recsys_model_age_seconds", "Time since the version was sealed", {}, age
    if model.newest_event is not None:
        meaning = "When the log of the version ends, seconds since 1970"
        yield "recsys_newest_event_timestamp_seconds", meaning, {}, model.newest_event.timestamp()
    for arm, source in model.arms.items():
        labels = {"experiment": model.experiment or "", "arm": arm, "version": source}
        yield "recsys_experiment_info", "What an arm of the running experiment serves", labels, 1.0
    yield "recsys_posted_items", "Posted items that are listed", {}, float(model.n_posted)
    yield "recsys_updated_items", "Items with values newer than the catalogue", {}, float(model.n_updated)
    for kind, share in model.recall.items():
        if share is not None:
            yield "recsys_recall", "Share of exact lists' items that were listed", {"kind": kind}, share


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
