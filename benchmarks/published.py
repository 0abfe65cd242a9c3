"""Our embeddings beside published models, on the split of Gowalla that LightGCN and its successors publish on.

    RECSYS_DATA_DIR=data python benchmarks/published.py             # train as the card says, look at the test part
    RECSYS_DATA_DIR=data python benchmarks/published.py --choose    # how the card's settings were chosen

`--choose` never opens the test part: it holds out a tenth of each user's training items, fits every setting of the
grid on the rest and ranks them by ndcg@20. The best goes into datasets/gowalla/pipeline.toml by hand.
Training seconds count from the matrix to finished vectors, spectral start included.
"""

import argparse
import time
from itertools import product
from pathlib import Path

import numpy as np

from pipelines.prepare import matrix_of
from recsys.config import ModelConfig, PipelineConfig, load_config
from recsys.data.arrays import Floats
from recsys.data.ingest.readers import read_log
from recsys.data.splits import Split, make_split
from recsys.data.validation import validation_part
from recsys.data.weighting import fit_weighting
from recsys.evaluation.evaluator import Evaluation, evaluate
from recsys.evaluation.significance import mean_interval
from recsys.models.embedding_recommender import EmbeddingRecommender
from recsys.models.embeddings import Embeddings
from recsys.models.training import TrainedModel, popularity_scale, train_model
from recsys.retrieval.exact import ExactSearch

CARD = Path(__file__).parents[1] / "datasets" / "gowalla" / "pipeline.toml"
METRICS = ("recall_hits@20", "ndcg@20")

# The grid of --choose.
ALPHAS = (10.0, 15.0, 25.0)
REGULARIZATION_PER_ALPHA = (1.5, 2.5, 4.0)
ITERATIONS = (2, 3, 4, 6, 8)
EXPONENTS = (0.0, 0.05, 0.1, 0.15)
VALIDATION_USERS = 6000

# Model, recall_hits@20, ndcg@20; each as its paper gives it, the baselines as the benchmark papers do.
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
    events, _ = read_log(config.log)
    given, _ = read_log(config.log.model_copy(update={"paths": config.evaluate.holdout_paths}))
    split = make_split(
        events, config.evaluate, build=lambda train, now: matrix_of(train, config, now)[0], given=given
    )
    started = time.perf_counter()
    trained = train_model(split.train, config.model)
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
    """Print every setting of the grid with its validation figures, the best last."""
    events, _ = read_log(config.log)
    part = validation_part(events, config.evaluate)
    sampled = part.evaluate.model_copy(update={"max_users": VALIDATION_USERS})
    split = make_split(
        part.events, sampled, build=lambda train, now: matrix_of(train, config, now)[0], given=part.given
    )
    found: list[tuple[float, float, str]] = []
    for alpha, per_alpha in product(ALPHAS, REGULARIZATION_PER_ALPHA):
        update = {"alpha": alpha, "regularization": alpha * per_alpha, "iterations": max(ITERATIONS)}
        found += _fit_once(split, config.model.model_copy(update=update))
    print("best:", *max(found))


def _fit_once(split: Split, model: ModelConfig) -> list[tuple[float, float, str]]:
    """ndcg@20, recall_hits@20 and the setting, for every number of iterations and exponent of one fit."""
    weighting, found = fit_weighting(split.train.csr, model), []

    def judge(iterations: int, users: Floats, items: Floats) -> None:
        for exponent in EXPONENTS if iterations in ITERATIONS else ():
            embeddings = Embeddings(users, items, popularity_scale(weighting.item_degree, exponent))
            trained = TrainedModel(embeddings, weighting, model.regularization)
            means = _evaluate(split, trained).means()
            update = {"iterations": iterations, "popularity_exponent": exponent}
            found.append((means["ndcg@20"], means["recall_hits@20"], _shown(model.model_copy(update=update))))
            print("ndcg@20 {:.4f}  recall_hits@20 {:.4f}  {}".format(*found[-1]), flush=True)

    train_model(split.train, model, watch=judge)
    return found


def _evaluate(split: Split, trained: TrainedModel) -> Evaluation:
    recommender = EmbeddingRecommender("als", trained, ExactSearch(trained.embeddings.scoring_items))
    return evaluate(recommender, split, cutoffs=(20,))


def _shown(model: ModelConfig) -> str:
    names = ("factors", "alpha", "regularization", "iterations", "popularity_exponent", "start")
    return ", ".join(f"{name} {getattr(model, name)}" for name in names)


if __name__ == "__main__":
    main()
