"""`python -m benchmarks` (or `make bench`): every benchmark of RESULTS.md, one after the other."""

import os
import subprocess
import sys
from pathlib import Path

from recsys.config import data_dir

FOLDER = Path(__file__).parent

ON_REAL_LOGS = {
    "published.py": ("gowalla",),
    "settings.py": ("gowalla", "goodbooks-10k", "online-retail-ii"),
    "encoders.py": ("goodbooks-10k",),
    "cold_items.py": ("goodbooks-10k", "online-retail-ii"),
}
"""Benchmarks that need data sets, and the names of their cards."""


def main() -> None:
    """Run them all; those on real logs only if the logs are there."""
    _run("structure.py")
    _run("ingest.py")
    _run("sql.py")
    _run("als_overhead.py")
    _run("training.py")
    _run("warm_start.py")
    _run("scale.py")
    _run("indexes.py")
    _run("nights.py")
    _run("evaluation.py")
    _run("export.py")
    _run("physical_limits.py")
    _run("fold_in.py")
    _run("filtered_search.py")
    _run("title_search.py")
    _run("serving.py")
    _run("overload.py")
    _run("hot_swap.py")
    _run("same_lists.py")
    _run("experiments.py")
    _run("impressions.py")
    for name, logs in ON_REAL_LOGS.items():
        if missing := [log for log in logs if not (data_dir() / log).exists()]:
            print(f"{name} is skipped: `recsys fetch {missing[0]}` gets {data_dir() / missing[0]}")
        else:
            _run(name)


def _run(name: str) -> None:
    print(f"\n== {name} on {len(os.sched_getaffinity(0))} cores", flush=True)
    subprocess.run([sys.executable, str(FOLDER / name)], check=True)


if __name__ == "__main__":
    main()
