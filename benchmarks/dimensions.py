"""What d numbers per item keep on a real log: energy, lists, held-out quality, and bytes.

    recsys run datasets/goodbooks-10k/pipeline.toml
    python benchmarks/dimensions.py datasets/goodbooks-10k/pipeline.toml --factors 16 64 256

The version that serves is measured: what the best d of its dimensions keep of the scores and of the first hundred
items of its own users, and the same for float16 and int8. With `--factors`, the settings that the night found are
fitted again on the train side with each d, and measured on the holdout; nothing is chosen from these figures.
"""

import argparse
import json
import tempfile
from pathlib import Path

from pipelines.steps.run import run
from pipelines.steps.summaries import EvaluateSummary
from pipelines.steps.workspace import Workspace
from recsys.artifacts.bundle import Bundle
from recsys.artifacts.registry import Registry
from recsys.pipeline_config import PipelineConfig, load_config
from recsys.progress import silent
from recsys.space.dimensions import measure_dimensions

_FITTED_FOR_ITSELF = ("auto", "factors", "session_weight")


def main() -> None:
    """Measure, and print the tables of RESULTS.md."""
    arguments = _parser().parse_args()
    overrides = dict(each.split("=", 1) for each in arguments.set)
    config = load_config(arguments.config, overrides=overrides)
    bundle = Registry(config.publish.store).load()
    _of_the_version(bundle)
    if arguments.factors:
        print(f"\n| factors, fitted anew | {config.publish.metric} |\n| --: | --: |")
    for factors in arguments.factors:
        print(f"| {factors} | {_held_out(config, bundle, factors):.4f} |", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path, help="of a job that has run")
    parser.add_argument("--factors", type=int, nargs="*", default=[], help="fit and evaluate each of these")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as of `recsys run`")
    return parser


def _of_the_version(bundle: Bundle) -> None:
    found = measure_dimensions(bundle.model.embeddings, bundle.left_out)
    print(f"{bundle.manifest.version}: {found.factors} factors, {found.n_queries} users")
    print(f"\n| the best d of {found.factors} | energy | recall@{found.k} |\n| --: | --: | --: |")
    for kept in found.kept:
        print(f"| {kept.d} | {kept.energy:.1%} | {kept.recall:.3f} |")
    print(f"\n| type | bytes per user or item | recall@{found.k} |\n| :-- | --: | --: |")
    for stored in found.stored:
        print(f"| {stored.type} | {stored.bytes_per_vector:,} | {stored.recall:.4f} |", flush=True)


def _held_out(config: PipelineConfig, bundle: Bundle, factors: int) -> float:
    """The metric of the gates of a fit with `factors`, and else the settings of the version."""
    settings = bundle.manifest.config["model"]
    assert isinstance(settings, dict)
    model = {name: value for name, value in settings.items() if value is not None and name not in _FITTED_FOR_ITSELF}
    with tempfile.TemporaryDirectory() as folder:
        update = {
            "workspace": Path(folder),
            "model": type(config.model).model_validate_json(json.dumps({**model, "auto": False, "factors": factors})),
            "evaluate": config.evaluate.model_copy(update={"baselines": ("popular",), "bootstrap": 0}),
        }
        fixed = config.model_copy(update=update)
        run(fixed, steps=("prepare", "evaluate"), progress=silent)
        return Workspace(Path(folder)).summary(EvaluateSummary).metrics[config.model.algorithm][config.publish.metric]


if __name__ == "__main__":
    main()
