"""What our ALS fit adds to the time and peak memory of bare implicit; each fit runs in its own process.

    python benchmarks/als_overhead.py [--interactions 20000000] [--repeats 3]

Both fit the same seeded synthetic confidences with the same settings. Ours reads them as the job does, mapped from
files; implicit gets them in memory, with its threads and BLAS set up as it asks. The minimum over the repeats counts.
On a busy machine compare processor time.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from recsys.data.arrays import Indices
from recsys.data.matrix import Csr, csr_from_pairs, load_csr, save_csr
from recsys.models.factors.als import AlsConfig, fit_als

N_USERS, N_ITEMS = 138_000, 27_000
VARIANTS = ("implicit", "fit_als")


def synthetic(n_entries: int) -> Csr:
    """Float32 (N_USERS, N_ITEMS): `n_entries` confidences; activity is log-normal, popularity Zipf-like."""
    rng = np.random.default_rng(1)
    activity = rng.lognormal(sigma=1.2, size=N_USERS)
    popularity = (np.arange(N_ITEMS) + 20.0) ** -0.9
    keys = np.zeros(0, np.int64)
    while len(keys) < n_entries:
        users = _draw(rng, activity, n_entries // 2).astype(np.int64)
        keys = np.union1d(keys, users * N_ITEMS + _draw(rng, popularity, n_entries // 2))
    user, item = np.divmod(rng.choice(keys, n_entries, replace=False, shuffle=False), N_ITEMS)
    weight = 0.1 + rng.exponential(20, n_entries)
    return csr_from_pairs(user.astype(np.int32), item.astype(np.int32), weight.astype(np.float32), (N_USERS, N_ITEMS))


def _draw(rng: np.random.Generator, weights: NDArray[np.floating], size: int) -> Indices:
    cumulative = np.cumsum(weights)
    drawn: Indices = np.searchsorted(cumulative, rng.random(size) * cumulative[-1]).astype(np.int32)
    return drawn


def measure(variant: str, folder: Path, config: AlsConfig) -> dict[str, float]:
    """Fit once in this process. Seconds of the fit alone, peak resident megabytes of the process."""
    confidence = load_csr(folder / "confidence", (N_USERS, N_ITEMS))
    if variant == "implicit":
        confidence = confidence.copy()
    started, cpu_started = time.perf_counter(), time.process_time()
    if variant == "implicit":
        _fit_bare(confidence, config)
    else:
        fit_als(confidence, config)
    return {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - cpu_started,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _fit_bare(confidence: Csr, config: AlsConfig) -> None:
    with threadpool_limits(1, "blas"):
        solver = AlternatingLeastSquares(
            factors=config.factors,
            regularization=config.regularization,
            alpha=1.0,
            iterations=config.iterations,
            random_state=config.seed,
            num_threads=config.threads,
        )
        solver.fit(confidence, show_progress=False)


def compare(args: argparse.Namespace) -> None:
    """Measure both in turn, each in its own process, and print the ratio."""
    runs: dict[str, list[dict[str, float]]] = {variant: [] for variant in VARIANTS}
    with tempfile.TemporaryDirectory() as folder:
        print(_run("data", folder).strip(), flush=True)
        for repeat in range(args.repeats):
            for variant in VARIANTS if repeat % 2 == 0 else reversed(VARIANTS):
                runs[variant].append(json.loads(_run(variant, folder)))
                print(f"  {variant:10} {runs[variant][-1]}", flush=True)
    for figure in ("seconds", "cpu_seconds", "peak_mb"):
        bare, ours = (min(run[figure] for run in runs[variant]) for variant in VARIANTS)
        print(f"{figure:12} implicit {bare:8.2f}   fit_als {ours:8.2f}   overhead {ours / bare - 1:+.1%}")


def _run(part: str, folder: str) -> str:
    """The output of this file run as another process that does one part only, so that memory peaks are not shared."""
    command = [sys.executable, __file__, *sys.argv[1:], "--only", part, "--folder", folder]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def main() -> None:
    """Read the arguments; the parent compares, a child measures one variant."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--interactions", type=int, default=20_000_000)
    parser.add_argument("--factors", type=int, default=64)
    parser.add_argument("--iterations", type=int, default=2)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", choices=("data", *VARIANTS), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.only is None:
        compare(args)
    elif args.only == "data":
        confidence = synthetic(args.interactions)
        save_csr(confidence, args.folder / "confidence")
        print(f"{confidence.nnz:,} interactions, {N_USERS:,} x {N_ITEMS:,}, {args.factors} factors")
    else:
        config = AlsConfig(factors=args.factors, iterations=args.iterations, threads=args.threads)
        print(json.dumps(measure(args.only, args.folder, config)))


if __name__ == "__main__":
    main()
