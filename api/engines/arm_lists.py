"""ArmLists: the lists that both arms of an experiment gave in the last minutes, which its guardrails watch."""

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic, perf_counter
from typing import TypeVar

from api.errors import is_fault
from api.metrics import Metrics
from recsys.engine import Answer, CandidateAnswer
from recsys.engine.pages import PageAnswer
from recsys.experiments.assignment import ArmName
from recsys.experiments.guardrails import Breach, Guards, Shares, breach_of_shares

WINDOW_SECONDS = 300.0
"""How far back the guardrails look."""

_BUCKET_SECONDS = 10.0

Given = TypeVar("Given", Answer, CandidateAnswer, PageAnswer, list[Answer])


@dataclass
class _Bucket:
    since: float
    counts: dict[ArmName, list[int]] = field(
        default_factory=lambda: {"control": [0, 0, 0, 0], "treatment": [0, 0, 0, 0]}
    )


class ArmLists:
    """Counts lists by arm: all, failed, slower than the guardrail allows, and empty. `clock`: seconds."""

    def __init__(self, guards: Guards, metrics: Metrics, *, clock: Callable[[], float] = monotonic) -> None:
        self._guards, self._metrics, self._clock = guards, metrics, clock
        self._buckets: deque[_Bucket] = deque()
        self._lock = Lock()

    async def watched(self, arm: ArmName, answering: Awaitable[Given]) -> Given:
        """What `answering` gives, counted. A client's mistake, which is no fault of the arm, is not."""
        started = perf_counter()
        try:
            given = await answering
        except Exception as error:
            if is_fault(error):
                self._count(arm, failed=1)
            raise
        if isinstance(given, list):  # a batch has no time per list
            self._count(arm, n=len(given), empty=sum(not answer.items for answer in given))
        else:
            slow = perf_counter() - started > self._guards.max_seconds
            self._count(arm, slow=int(slow), empty=int(_is_empty(given)))
        return given

    def breach(self) -> Breach | None:
        """The guardrail that treatment breaks, None if none."""
        with self._lock:
            self._forget()
            shares = {
                arm: Shares(*map(sum, zip(*(bucket.counts[arm] for bucket in self._buckets), strict=True)))
                for arm in _ARMS
                if self._buckets
            }
        return breach_of_shares(shares["control"], shares["treatment"], self._guards) if shares else None

    def _count(self, arm: ArmName, *, n: int = 1, failed: int = 0, slow: int = 0, empty: int = 0) -> None:
        counts = (n, failed, slow, empty)
        self._metrics.count_arm(arm, *counts)
        with self._lock:
            if not self._buckets or self._clock() - self._buckets[-1].since > _BUCKET_SECONDS:
                self._buckets.append(_Bucket(self._clock()))
                self._forget()
            sums = self._buckets[-1].counts[arm]
            for at, count in enumerate(counts):
                sums[at] += count

    def _forget(self) -> None:
        while self._buckets and self._clock() - self._buckets[0].since > WINDOW_SECONDS:
            self._buckets.popleft()


def _is_empty(given: Answer | CandidateAnswer | PageAnswer) -> bool:
    """Whether nothing is listed, on a page: in no row."""
    if isinstance(given, PageAnswer):
        return not any(row.answer.items for row in given.rows)
    return not given.items


_ARMS: tuple[ArmName, ArmName] = ("control", "treatment")
