"""What is counted of connections and refusals. No label holds an address."""

from collections import Counter as Tally
from collections.abc import Callable
from typing import Literal, TypeAlias, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

Refusal: TypeAlias = Literal["overloaded", "heavy", "changes", "connections"]
"""Why a request, or a connection, was refused with 503: too much is asked for at once, of large batches at once, of
changes at once; or there are as many connections as there may be, each with a request under way."""

Closing: TypeAlias = Literal["slow_headers", "slow_body", "slow_reader", "malformed", "displaced"]
"""Why the service closed a connection before its client did; `displaced`: idle or incomplete, for a new one."""

_LAGS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Traffic:
    """Counts of one process. `count_early`: called with the number of requests that were refused before parsing.

    Refusals and closings are tallied, and counted by `flush`: that is cheaper.
    """

    def __init__(self, registry: CollectorRegistry, *, count_early: Callable[[int], None] = lambda n: None) -> None:
        self._count_early, self._n_early = count_early, 0
        self._refused = Counter("recsys_refused", "Refused with 503, by reason", ["reason"], registry=registry)
        self._closed = Counter(
            "recsys_connections_closed",
            "Connections that the service closed, by reason",
            ["reason"],
            registry=registry,
        )
        self._open = Gauge("recsys_connections", "Open connections", multiprocess_mode="livesum", registry=registry)
        self._limit = Gauge(
            "recsys_admission_limit",
            "Work that may be under way at once, in lists",
            multiprocess_mode="livesum",
            registry=registry,
        )
        self._lag = Histogram(
            "recsys_loop_lag_seconds",
            "Delay of the event loop, looked at ten times a second",
            buckets=_LAGS,
            registry=registry,
        )
        self._refusals, self._closings = Tally[Refusal](), Tally[Closing]()
        for refusal in get_args(Refusal):  # an increase from nothing would be missed
            self._refused.labels(refusal)
        for closing in get_args(Closing):
            self._closed.labels(closing)

    def tally_refusal(self, reason: Refusal, *, is_early: bool = False) -> None:
        """Note a refused request or connection; `is_early`: before it was parsed, so nothing else counts it."""
        self._refusals[reason] += 1
        self._n_early += is_early

    def tally_closing(self, reason: Closing) -> None:
        """Note a closed connection."""
        self._closings[reason] += 1

    def observe(self, *, lag: float, n_connections: int, limit: float) -> None:
        """Note the state of the process now; `lag` in seconds, `limit` in lists."""
        self._lag.observe(max(0.0, lag))
        self._open.set(n_connections)
        self._limit.set(limit)

    def flush(self) -> int:
        """Count what was noted since the last call; returns how many were refused."""
        refusals, closings = self._refusals, self._closings
        self._refusals, self._closings = Tally(), Tally()
        n_early, self._n_early = self._n_early, 0
        if n_early:
            self._count_early(n_early)
        for refusal, n in refusals.items():
            self._refused.labels(refusal).inc(n)
        for closing, n in closings.items():
            self._closed.labels(closing).inc(n)
        return refusals.total()
