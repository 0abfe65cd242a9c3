"""recsys on a log in a process of its own, as a night does it; peers.py starts it.

    python benchmarks/peer_ours.py LOG VARIANT OUT

VARIANT is a name of VARIANTS. OUT gets `lists.npy`, int32 (n_users, PLACES), and `figures.json`: the processor
seconds of the steps train (the fit, on the whole log) and evaluate (every choice that is made on validation, one fit,
and the measurement), and the most memory of the process, in MiB.
"""

import json
import sys
import time
import tomllib
from pathlib import Path

import numpy as np
from peer_fit import peak_mib
from peer_models import PLACES

from pipelines.steps.run import run
from pipelines.steps.workspace import Workspace
from recsys.evaluation.results import Evaluation
from recsys.models.registry import model_config
from recsys.pipeline_config import PipelineConfig, load_config
from recsys.progress import silent

VARIANTS = {"default": "recsys, out of the box", "card": "recsys, the card's settings"}
SETTINGS = {"default": "no [model] section", "card": "[model] of the card"}


def main() -> None:
    """Prepare, evaluate, train; write the lists of evaluate."""
    log, variant, out = sys.argv[1], sys.argv[2], Path(sys.argv[3]).absolute()
    config = card(log, out / "workspace")
    if variant == "default":
        config = config.model_copy(update={"model": model_config({})})
    seconds = {step: _seconds(config, step) for step in ("prepare", "evaluate", "train")}
    workspace = Workspace(config.workspace)
    lists = Evaluation.load(workspace.folder("evaluate") / f"{config.model.algorithm}.arrow").lists
    np.save(out / "lists.npy", lists)
    figures = {"fit_seconds": seconds["train"], "choose_seconds": seconds["evaluate"], "mib": peak_mib()}
    (out / "figures.json").write_text(json.dumps(figures))


def card(log: str, workspace: Path) -> PipelineConfig:
    """The configuration of datasets/, evaluated at PLACES, with a workspace of its own."""
    overrides = {
        "workspace": str(workspace),
        "publish.store": str(workspace / "store"),
        "publish.metric": f"ndcg@{PLACES}",
        "evaluate.cutoffs": [PLACES],
        "evaluate.baselines": ["popular"],
    }
    return load_config(_path(log), overrides=overrides)


def variants(log: str) -> list[str]:
    """Names of VARIANTS: a card without a [model] section is the same as out of the box."""
    return list(VARIANTS) if "model" in tomllib.loads(_path(log).read_text()) else ["default"]


def _path(log: str) -> Path:
    return Path(__file__).parents[1] / "datasets" / log / "pipeline.toml"


def _seconds(config: PipelineConfig, step: str) -> float:
    started = time.process_time()
    run(config, steps=(step,), progress=silent)
    return time.process_time() - started


if __name__ == "__main__":
    main()
