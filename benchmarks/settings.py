"""The effect of each setting of [model]: one is changed at a time, on the validation part of three logs.

    RECSYS_DATA_DIR=data python benchmarks/settings.py
    RECSYS_DATA_DIR=data python benchmarks/settings.py --cards online-retail-ii --factors 64

The figures are the card's gate metric over validation users; the holdout is not used. Every fit is stopped after its
best iteration, given in brackets. Weightings differ in size by orders of magnitude, so alpha
is set to give all of them the same mean confidence; the regularization stays.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.steps.run import run
from pipelines.steps.workspace import Workspace
from recsys.data.confidence import fit_confidence
from recsys.data.interactions import Interactions
from recsys.models.factors.als import AlsConfig
from recsys.pipeline_config import load_config
from recsys.progress import silent
from recsys.tuning.early_stopping import follow
from recsys.tuning.measured import best_of
from recsys.tuning.validation import Validation, ValidationSet

CARDS = ("online-retail-ii", "goodbooks-10k", "gowalla")
USERS, MOST_ITERATIONS = 5_000, 12

VARIANTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("the defaults", {}),
    ("user_degree_exponent 0.5", {"user_degree_exponent": 0.5}),
    ("user_degree_exponent 0", {"user_degree_exponent": 0.0}),
    ("item_degree_exponent 0.25", {"item_degree_exponent": 0.25}),
    ("item_degree_exponent 0", {"item_degree_exponent": 0.0}),
    ("weighting log", {"weighting": "log"}),
    ("weighting bm25", {"weighting": "bm25"}),
    ("weighting plain", {"weighting": "plain"}),
    ("popularity_exponent 0", {"popularity_exponent": 0.0}),
    ("popularity_exponent 0.2", {"popularity_exponent": 0.2}),
    ("start random", {"start": "random"}),
)


def main() -> None:
    """Print one column per log, one row per setting."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cards", nargs="+", default=CARDS, metavar="NAME", help="of datasets/")
    parser.add_argument("--factors", type=int, default=128)
    args = parser.parse_args()
    columns = {card: dict(measured(validation_of(card), args.factors)) for card in args.cards}
    print("| setting |", " | ".join(columns), "|")
    print("| :-- |", " | ".join("--:" for _ in columns), "|")
    for name in next(iter(columns.values())):
        print(f"| {name} |", " | ".join(column[name] for column in columns.values()), "|")


def validation_of(card: str) -> ValidationSet:
    """The validation set of a data set, which is prepared first if necessary."""
    config = load_config(Path(__file__).parents[1] / "datasets" / card / "pipeline.toml")
    run(config, steps=("prepare",), progress=silent)
    events = Interactions.load(Workspace(config.workspace).folder("prepare") / "events")
    return Validation(events, config, n_users=USERS).under(config)


def measured(data: ValidationSet, factors: int) -> Iterator[tuple[str, str]]:
    """Each setting's name, its figure and its best iteration."""
    default = AlsConfig(factors=factors, iterations=MOST_ITERATIONS)
    strength = _mean_confidence(data, default)
    for name, change in VARIANTS:
        model = default.model_copy(update=change)
        alpha = model.alpha * strength / _mean_confidence(data, model)
        found = follow(data, model.model_copy(update={"alpha": alpha}))
        best = best_of(found)
        yield name, f"{best.score:.4f} ({best.iterations})"
        if not change:
            yield "the same, after each iteration", ", ".join(f"{each.score:.4f}" for each in found)


def _mean_confidence(data: ValidationSet, model: AlsConfig) -> float:
    return float(fit_confidence(data.train.csr, model).apply(data.train.csr).data.mean(dtype="float64"))


if __name__ == "__main__":
    main()
