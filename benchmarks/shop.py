"""Users of a synthetic shop, and vectors fitted to their histories; shared by the benchmarks of lists.

The cost per user does not depend on the number of users, so fewer users with histories as long stand for all.
"""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from implicit.cpu.als import AlternatingLeastSquares
from threadpoolctl import threadpool_limits

from recsys.data.arrays import Floats
from recsys.data.matrix import Csr
from recsys.data.synthetic import generate_matrix, make_world
from recsys.models.factors.als import AlsConfig, fit_als

ALL_USERS, N_ITEMS = 138_000, 27_000
EVENTS_PER_USER = 390
"""About 145 different items per user: 20 million entries in all."""

CORES = len(os.sched_getaffinity(0))

BLAS_THREADS = tuple(sorted({1, CORES}))
"""implicit asks for one BLAS thread but may be faster with all: both are tried, the better result counts."""

Result = TypeVar("Result")
Clocked = tuple[float, float]
"""Wall-clock seconds and processor seconds."""


def make_histories(n_users: int) -> Csr:
    """Float32 (n_users, N_ITEMS): number of events per user and item."""
    world = make_world(n_users=n_users, n_items=N_ITEMS, seed=1)
    return generate_matrix(world, n_users * EVENTS_PER_USER)


def make_vectors(histories: Csr, factors: int) -> tuple[Floats, Floats]:
    """Users float32 (n_users, factors) and items float32 (N_ITEMS, factors): two iterations of ALS."""
    fit = fit_als(histories, AlsConfig(factors=factors, iterations=2))
    return fit.users, fit.items


def make_implicit(users: Floats, items: Floats) -> AlternatingLeastSquares:
    """implicit's model with these vectors, on all cores."""
    with threadpool_limits(1, "blas"):
        model = AlternatingLeastSquares(factors=users.shape[1], num_threads=CORES)
    model.user_factors, model.item_factors = users, items
    return model


def clocked(work: Callable[[], object]) -> Clocked:
    """The time that `work` takes."""
    started, cpu_started = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - started, time.process_time() - cpu_started


def least(runs: Sequence[Clocked]) -> Clocked:
    """The minimum of seconds and of processor seconds over several runs."""
    seconds, cpu_seconds = zip(*runs, strict=True)
    return min(seconds), min(cpu_seconds)


def under_blas(work: Callable[[], Result], threads: int) -> Result:
    """`work` with the given number of BLAS threads; our own threads are not limited."""
    with threadpool_limits(threads, "blas"):
        return work()


def growth(work: Callable[[], object]) -> float:
    """Peak growth of this process during `work`, in MiB."""
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    work()
    return (_status("VmHWM") - before) / 1024


def _status(field: str) -> int:
    """KiB, of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))
