"""Whole nights of two states of the code at equal settings, in turns: processor and wall-clock seconds.

    RECSYS_DATA_DIR=data python benchmarks/equal_nights.py --before CHECKOUT --logs online-retail-ii goodbooks-10k

CHECKOUT is a second working tree, at the commit to compare with. Both run under this interpreter on the card's log,
with the card's [prepare] and [evaluate] and the same [model]: nothing is chosen by a search. `prepare` is run before
and is not counted; evaluate, train, index and publish are one process, with its imports. The first round only fills
the cache of compiled loops and is not counted. Every night has a workspace and a store of its own.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parents[1]
EQUAL = {
    "model.factors": "128",
    "model.alpha": "10.0",
    "model.regularization": "20.0",
    "model.iterations": "5",
    "evaluate.baselines": '["popular", "item_knn"]',
}
SIDES: dict[str, dict[str, str]] = {
    "before": {},
    "now, neighbours = 0": {"model.auto": "false", "model.neighbours": "0"},
    "now, neighbours = 50": {"model.auto": "false", "model.neighbours": "50"},
}
STEP = re.compile(r"(evaluate|train|index|publish) .*\(([\d.]+) s\)")
"""The seconds that a step says it took, on standard error."""


@dataclass(frozen=True)
class Night:
    """Seconds of one night. `cpu`: of all threads, user and system."""

    wall: float
    cpu: float


def night(tree: Path, log: str, settings: Mapping[str, str]) -> Night:
    """Run one in an empty folder."""
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    with tempfile.TemporaryDirectory() as folder:
        places = {"workspace": f'"{folder}/work"', "publish.store": f'"{folder}/store"'}
        sets = [f"--set={key}={value}" for key, value in {**EQUAL, **settings, **places}.items()]
        command = [str(_card(log, Path(folder))), *sets]

        def called(step: str, *options: str) -> str:
            line = [sys.executable, "-P", "-m", "pipelines", step, *command, *options]
            done = subprocess.run(line, env=environment, check=True, capture_output=True, cwd=folder, text=True)
            return done.stderr

        called("prepare")
        started, before = time.perf_counter(), os.times()
        said = called("run", "--from", "evaluate")
        wall, after = time.perf_counter() - started, os.times()
    cpu = (after.children_user - before.children_user) + (after.children_system - before.children_system)
    steps = " ".join(f"{step} {seconds}" for step, seconds in STEP.findall(said))
    print(f"{log}, {tree}, {dict(settings)}: {cpu:.1f} CPU s, {wall:.1f} s: {steps}", file=sys.stderr, flush=True)
    return Night(wall, cpu)


def _card(log: str, folder: Path) -> Path:
    """Today's card without its [model], which an older state may not read."""
    lines, kept = (HERE / "datasets" / log / "pipeline.toml").read_text().splitlines(), True
    text = []
    for line in lines:
        kept = not line.startswith("[model]") if line.startswith("[") else kept
        text += [line] if kept else []
    path = folder / "pipeline.toml"
    path.write_text("\n".join(text))
    return path


def rows(log: str, trees: Mapping[str, Path], rounds: int) -> Sequence[str]:
    """Markdown: the medians of each side, and their ratio to those of "before"."""
    found: dict[str, list[Night]] = {side: [] for side in SIDES}
    for turn in range(rounds + 1):
        for side, settings in SIDES.items():
            taken = night(trees[side], log, settings)
            found[side] += [taken] if turn else []
    cpu = {side: statistics.median(night.cpu for night in nights) for side, nights in found.items()}
    wall = {side: statistics.median(night.wall for night in nights) for side, nights in found.items()}
    return [
        f"| {log} | {side} | {cpu[side]:.1f} | {cpu[side] / cpu['before']:.2f}"
        f" | {wall[side]:.1f} | {wall[side] / wall['before']:.2f} |"
        for side in SIDES
    ]


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, required=True, help="working tree of the earlier commit")
    parser.add_argument("--now", type=Path, default=HERE, help="working tree of the later one; default: this")
    parser.add_argument("--logs", nargs="+", default=["online-retail-ii", "goodbooks-10k"])
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    trees = {side: (given.before if side == "before" else given.now).absolute() for side in SIDES}
    print("| log | night | CPU s | of before | seconds | of before |\n| :-- | :-- | --: | --: | --: | --: |")
    for log in given.logs:
        print("\n".join(rows(log, trees, given.rounds)), flush=True)


if __name__ == "__main__":
    main()
