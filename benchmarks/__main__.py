"""`python -m benchmarks` (or `make bench`): every benchmark of RESULTS.md, one after the other."""

import os
import subprocess
import sys
from pathlib import Path

from recsys.config import data_dir

FOLDER = Path(__file__).parent


def main() -> None:
    """Run them all; the one on Gowalla only where its files are."""
    _run("ingest.py")
    _run("als_overhead.py")
    _run("indexes.py")
    _run("evaluation.py")
    _run("export.py")
    _run("fold_in.py")
    _run("filtered_search.py")
    _run("serving.py")
    _run("hot_swap.py")
    if (data_dir() / "gowalla" / "train.csv.gz").exists():
        _run("published.py")
    else:
        print(f"published.py is left out: {data_dir() / 'gowalla'} has no files; `recsys fetch gowalla` gets them")


def _run(name: str) -> None:
    print(f"\n== {name} on {len(os.sched_getaffinity(0))} cores", flush=True)
    subprocess.run([sys.executable, str(FOLDER / name)], check=True)


if __name__ == "__main__":
    main()
