"""A night on Spark beside the same night on this machine: the same users, the same quality, the same report.

    RECSYS_DATA_DIR=data python benchmarks/spark_quality.py demo online-retail-ii
    RECSYS_DATA_DIR=data python benchmarks/spark_quality.py goodbooks-10k generated --set model.auto=false

Runs `recsys run` twice per log, each a process of its own, with `compute.engine = "spark"` and `master` (local[2] by
default) and without. Both fit with `model.solver = "compiled"`, which is what Spark does. "generated" is a synthetic
log of --events events, 50 per user, one item per 250. Prints a Markdown table per log: the metric of every model, the
relative difference, the share of equal places among the first ten of all lists, what differs in counts and in the
report's sections, and seconds of both. Exit code 1 if a metric differs by more than .5 %.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scale import CONFIG

from pipelines.datasets.cards import find_card
from recsys.data.synthetic import write_synthetic_log
from recsys.evaluation.results import Evaluation

LARGEST_DIFFERENCE = 0.005
PLACES = 10
SPARK = ("compute.engine=spark", "compute.conf.spark.driver.memory=1g")


@dataclass(frozen=True)
class Night:
    """One night: its workspace, what `recsys run --json` told, and its seconds with the start of the process."""

    workspace: Path
    told: dict[str, Any]
    seconds: float

    @property
    def evaluated(self) -> dict[str, Any]:
        """The summary of evaluate."""
        found: dict[str, Any] = self.told["evaluate"]
        return found

    @property
    def sections(self) -> list[str]:
        """The headings of the report."""
        text = (self.workspace / "report.md").read_text("utf-8")
        return re.findall(r"^#+ .*$", text, re.MULTILINE)

    def lists(self, model: str) -> Any:
        """int32 (n_users, places): the lists of one model."""
        return Evaluation.load(self.workspace / "evaluate" / f"{model}.arrow").lists[:, :PLACES]


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("logs", nargs="+", help='cards, or "generated"')
    parser.add_argument("--master", default="local[2]")
    parser.add_argument("--events", type=int, default=5_000_000, help="of the generated log")
    parser.add_argument("--set", action="append", default=[], help="for both nights")
    parser.add_argument("--folder", type=Path, help="for workspaces; a night that is in it is not repeated")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="spark-quality-") as temporary:
        folder = args.folder or Path(temporary)
        worst = [compare(name, folder / name, args) for name in args.logs]
    sys.exit(max(worst) > LARGEST_DIFFERENCE)


def compare(name: str, folder: Path, args: argparse.Namespace) -> float:
    """Print one table. Returns the largest relative difference of the metric that the gates use."""
    config = generated(folder, args.events) if name == "generated" else find_card(name).folder / "pipeline.toml"
    local = night(config, folder / "local", args.set)
    spark = night(config, folder / "spark", [*args.set, *SPARK, f'compute.master="{args.master}"'])
    metric, users = local.evaluated["metric"], local.evaluated["n_users"]
    print(f"\n{name}: {users:,} users, {metric}; nights of {local.seconds:.0f} s and {spark.seconds:.0f} s\n")
    print("| model | local | Spark | difference | equal places |\n|---|---|---|---|---|")
    differences = dict(rows(local, spark))
    for line in differing(local, spark):
        print(f"* {line}")
    for step in local.told:
        print(f"* {step}: {local.told[step]['seconds']:.1f} s, on Spark {spark.told[step]['seconds']:.1f} s")
    return max(differences.values())


def rows(local: Night, spark: Night) -> Iterator[tuple[str, float]]:
    """Print a row per model; its relative difference."""
    for model, mean in local.evaluated["means"].items():
        other = spark.evaluated["means"][model]
        one, two = local.lists(model), spark.lists(model)
        equal = f"{(one == two).mean():.4f}" if one.shape == two.shape else "other users"
        difference = abs(other - mean) / max(mean, 1e-12)
        print(f"| {model} | {mean:.5f} | {other:.5f} | {difference:.4%} | {equal} |")
        yield model, difference


def differing(local: Night, spark: Night) -> Iterator[str]:
    """What is not the same in prepare's counts, in the split, and in the report's sections."""
    pairs = {
        "rows": [night.told["prepare"]["rows"] for night in (local, spark)],
        "cleaning": [night.told["prepare"]["cleaning"] for night in (local, spark)],
        "split": [night.evaluated["split"] for night in (local, spark)],
        "choice": [(night.evaluated["choice"] or {}).get("settings") for night in (local, spark)],
        "sections": [local.sections, spark.sections],
        "verdict": [night.told["publish"].get("outcome", {}).get("verdict") for night in (local, spark)],
    }
    for what, (one, other) in pairs.items():
        yield f"{what}: the same" if one == other else f"{what}: {one} on this machine, {other} on Spark"


def night(config: Path, workspace: Path, settings: Sequence[str]) -> Night:
    """One `recsys run`. A night that ended is kept in the folder and not repeated."""
    kept = workspace.with_suffix(".json")
    if kept.exists():
        return Night(workspace, **json.loads(kept.read_text("utf-8")))
    workspace.parent.mkdir(parents=True, exist_ok=True)
    options = [f'workspace="{workspace}"', f'publish.store="{workspace / "store"}"', 'model.solver="compiled"']
    sets = [word for option in (*options, *settings) for word in ("--set", option)]
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pipelines", "run", str(config), "--json", *sets],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"recsys run {config} ended with {done.returncode}:\n{done.stderr[-4000:]}")
    night = {"told": json.loads(done.stdout)["steps"], "seconds": time.perf_counter() - started}
    kept.write_text(json.dumps(night), encoding="utf-8")
    return Night(workspace, **night)


def generated(folder: Path, n_events: int) -> Path:
    """A synthetic log and its configuration."""
    log = folder / "log"
    if not (log / "events").exists():
        write_synthetic_log(
            log,
            n_users=max(1, n_events // 50),
            n_items=max(100, n_events // 250),
            n_events=n_events,
            seed=1,
            compress=False,
        )
    (log / "pipeline.toml").write_text(CONFIG, encoding="utf-8")
    return log / "pipeline.toml"


if __name__ == "__main__":
    main()
