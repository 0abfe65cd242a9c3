"""Our embeddings compared with published models, on the split of Gowalla that LightGCN and its successors publish on.

    RECSYS_DATA_DIR=data python benchmarks/published.py            # train as the card says, evaluate on test
    RECSYS_DATA_DIR=data python benchmarks/published.py --choose   # how the card's settings were chosen

`--choose` never opens the test part: it holds out a fifth of each user's training items, fits every setting of the
grid on the rest and ranks them by ndcg@20. The best goes into datasets/gowalla/pipeline.toml by hand.
Training seconds count from the matrix to finished vectors, spectral start included.
"""

import argparse
import time
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np

from recsys.data.event_weights import EventWeights
from recsys.data.ingest.file_source import FileSource
from recsys.data.ingest.readers import read_log
from recsys.data.splits.split import Split, make_split
from recsys.evaluation.evaluator import evaluate
from recsys.evaluation.results import Evaluation
from recsys.evaluation.significance import mean_interval
from recsys.models.factors.als import AlsConfig
from recsys.models.factors.als_model import AlsModel
from recsys.models.factors.model import FactorRecommender
from recsys.models.registry import fit_model
from recsys.pipeline_config import PipelineConfig, load_config
from recsys.retrieval.exact import ExactSearch
from recsys.tuning.early_stopping import explore
from recsys.tuning.validation import Validation

CARD = Path(__file__).parents[1] / "datasets" / "gowalla" / "pipeline.toml"
METRICS = ("recall_hits@20", "ndcg@20")

# The grid of --choose; iterations and the popularity exponent are found within each fit.
ALPHAS = (20.0, 30.0)
REGULARIZATION_PER_ALPHA = (2.0, 2.5, 3.25)
USER_DEGREE_EXPONENTS = (0.1, 0.3, 0.5)
MOST_ITERATIONS = 5
VALIDATION_USERS = 8000

# Model, recall_hits@20, ndcg@20, from each model's paper; baselines from the benchmark papers.
PUBLISHED = (
    ("MF-BPR (in LightGCN, He et al. 2020)", 0.1627, 0.1378),
    ("EASE (Steck 2019)", 0.1765, 0.1467),
    ("LightGCN (He et al. 2020)", 0.1820, 0.1547),
    ("UltraGCN (Mao et al. 2021)", 0.1862, 0.1580),
    ("SimpleX (Mao et al. 2021)", 0.1872, 0.1557),
    ("BSPM (Choi et al. 2023)", 0.1920, 0.1597),
)


def main() -> None:
    """Run one of the two."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--choose", action="store_true", help="rank settings on a validation part of train")
    config = load_config(CARD)
    if parser.parse_args().choose:
        choose(config)
    else:
        compare(config)


def compare(config: PipelineConfig) -> None:
    """Train once with the card's settings, evaluate once on the test part, print the table."""
    source = FileSource.of(config.log)
    events, _ = read_log(source, config.log)
    given, _ = read_log(replace(source, paths=config.evaluate.holdout_paths), config.log)
    weights = EventWeights.of(config.log, config.prepare)
    split = make_split(events, config.evaluate, prepare=config.prepare, weights=weights, given=given)
    started = time.perf_counter()
    trained = fit_model(split.train, config.model)
    seconds = time.perf_counter() - started
    evaluation = _evaluate(split, trained)
    print(f"| {'model':<40} | recall_hits@20 | ndcg@20 |\n| :-- | --: | --: |")
    for name, recall, ndcg in PUBLISHED:
        print(f"| {name:<40} | {recall:.4f} | {ndcg:.4f} |")
    means = evaluation.means()
    print(f"| **recsys**, {config.model.factors} factors | {means[METRICS[0]]:.4f} | {means[METRICS[1]]:.4f} |")
    for name in METRICS:
        interval = mean_interval(
            evaluation.per_user[name], samples=1000, confidence=0.95, rng=np.random.default_rng(1)
        )
        print(f"{name}: 95 % interval {interval.low:.4f} to {interval.high:.4f} over {evaluation.n_users:,} users")
    print(f"training took {seconds:.1f} s; settings: {_shown(config.model)}")


def choose(config: PipelineConfig) -> None:
    """Print the validation score of each setting at its best iteration and exponent, the best setting last."""
    events, _ = read_log(FileSource.of(config.log), config.log)
    data = Validation(events, config, n_users=VALIDATION_USERS).under(config)
    found: list[tuple[float, str]] = []
    for alpha, per_alpha, exponent in product(ALPHAS, REGULARIZATION_PER_ALPHA, USER_DEGREE_EXPONENTS):
        update = {"alpha": alpha, "regularization": alpha * per_alpha, "user_degree_exponent": exponent}
        model = config.model.model_copy(update={**update, "iterations": MOST_ITERATIONS})
        best = explore(data, model, keep_on=lambda *_: True)
        reached = {"iterations": best.iterations, "popularity_exponent": best.popularity_exponent}
        found.append((best.score, _shown(model.model_copy(update=reached))))
        print("{} {:.4f}  {}".format(config.publish.metric, *found[-1]), flush=True)
    print("best:", *max(found))


def _evaluate(split: Split, trained: AlsModel) -> Evaluation:
    recommender = FactorRecommender("als", trained, ExactSearch(trained.embeddings.scoring_items))
    return evaluate(recommender, split, cutoffs=(20,))


def _shown(model: AlsConfig) -> str:
    names = ("factors", "alpha", "regularization", "user_degree_exponent", "iterations", "popularity_exponent")
    return ", ".join(f"{name} {getattr(model, name)}" for name in names)


if __name__ == "__main__":
    main()
