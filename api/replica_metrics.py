"""What Prometheus reads of replicas: when the object store was followed last, and what is in the cache."""

import time
from collections.abc import Iterable, Iterator, Mapping

from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from recsys.replica import Status


class ReplicaCollector(Collector):
    """Of each store that lies in an object store: the status that all workers of the machine share."""

    def __init__(self, replicas: Mapping[str, Status], *, are_named: bool) -> None:
        self._replicas = replicas
        self._are_named = are_named

    def collect(self) -> Iterable[Metric]:
        """The metrics as they are now, by name."""
        families: dict[str, Metric] = {}
        for store, status in self._replicas.items():
            label = {"store": store} if self._are_named else {}
            for name, kind, meaning, value in _values(status):
                ending = "_total" if kind == "counter" else ""
                families.setdefault(name, Metric(name, meaning, kind)).add_sample(name + ending, label, value)
        return families.values()


def _values(status: Status) -> Iterator[tuple[str, str, str, float]]:
    """Name, type, meaning and value of each."""
    start = "recsys_replica"
    is_up = status.fault is None and status.followed_at is not None
    yield f"{start}_up", "gauge", "1 if the last look at the object store brought all", float(is_up)
    if status.followed_at is not None:
        meaning = "When the replica was as the object store says, seconds since 1970"
        yield f"{start}_followed_timestamp_seconds", "gauge", meaning, status.followed_at
        yield f"{start}_age_seconds", "gauge", "Time since then", max(0.0, time.time() - status.followed_at)
    yield f"{start}_failures", "counter", "Looks at the object store that failed", float(status.n_failures)
    yield f"{start}_downloads", "counter", "Versions that were downloaded", float(status.n_downloads)
    yield f"{start}_downloaded_bytes", "counter", "Bytes of these versions", float(status.downloaded_bytes)
    yield f"{start}_damaged", "counter", "Damaged versions of the cache", float(status.n_damaged)
    yield f"{start}_cache_versions", "gauge", "Versions in the cache", float(status.cached_versions)
    yield f"{start}_cache_bytes", "gauge", "Bytes of the cache", float(status.cached_bytes)
