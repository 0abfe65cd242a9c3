"""Time until workers are ready, and how much of a version's memory they share.

    python benchmarks/workers.py --store FOLDER [--workers 4]        # a store made by benchmarks/serving.py

The time counts from the start of the command until a worker has loaded the version; the files are in the page cache,
because they are read once before. The proportional set size divides each page among the processes that map it.
"""

import argparse
import re
import time
from pathlib import Path

import served_store
from served import Service, service


def main() -> None:
    """Start one worker, then several, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=4)
    args = parser.parse_args()
    print(f"{served_store.description(args.store)}\n")
    print(
        "| workers | first ready s | all ready s | loading s | resident MiB each | proportional MiB each | all MiB |"
    )
    print("| --: | --: | --: | --: | --: | --: | --: |")
    for workers in (1, args.workers):
        print(_row(args.store, workers), flush=True)


def _row(store: Path, workers: int) -> str:
    started = time.perf_counter()
    with service(store, "--workers", str(workers), core=None) as running:
        running.wait_for("serving (version=.*)")
        first = time.perf_counter() - started
        running.wait_for("serving (version=.*)", count=workers)
        every = time.perf_counter() - started
        loading = [float(seconds) for seconds in running.wait_for(r"serving version=.* load_seconds=([\d.]+)")]
        resident, proportional = (_mean(_mib(running, field)) for field in ("Rss", "Pss"))
    figures = f"{max(loading):.2f} | {resident:,.0f} | {proportional:,.0f} | {workers * proportional:,.0f}"
    return f"| {workers} | {first:.2f} | {every:.2f} | {figures} |"


def _mib(running: Service, field: str) -> list[float]:
    """`field` of /proc/PID/smaps_rollup, of every worker process."""
    serving = set(re.findall(r" (\d+) api\.stores\.model_watch serving ", running.log))
    texts = [Path(f"/proc/{process}/smaps_rollup").read_text() for process in serving]
    return [int(re.findall(rf"^{field}:\s+(\d+) kB", text, re.MULTILINE)[0]) / 1024 for text in texts]


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


if __name__ == "__main__":
    main()
