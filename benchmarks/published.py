"""Our embeddings compared with published models, on the split of Gowalla that LightGCN and its successors publish on.

    RECSYS_DATA_DIR=data python benchmarks/published.py            # train as the card says, evaluate on test
    RECSYS_DATA_DIR=data python benchmarks/published.py --choose   # how the card's settings were chosen

`--choose` never opens the test part: it holds out a fifth of each user's training items, fits every setting of the
grid on the rest and ranks them by ndcg@20. The best goes into datasets/gowalla/pipeline.toml by hand.
Training seconds count from the matrix to finished vectors, spectral start included.
"""

import argparse
import time
from dataclasses import dataclass, replace
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


@dataclass(frozen=True)
class Published:
    """A model's figures on this split, and where they stand."""

    model: str
    recall: float
    ndcg: float
    source: str


_OPEN_CF = "Open-CF benchmark, gowalla_x0"
_SIMPLEX = "Mao et al., SimpleX, CIKM 2021 and its repository"

# Only figures that could be looked up. Papers that split Gowalla anew are left out: SGFCF, JGCF, SVD-AE,
# GiffCF, FaGSP, LightGCL, SimGCL and others.
PUBLISHED = (
    Published("most popular", 0.0416, 0.0317, _OPEN_CF),
    Published("item k-NN", 0.1570, 0.1214, _OPEN_CF),
    Published("ENMF", 0.1523, 0.1315, _OPEN_CF),
    Published("NGCF", 0.1570, 0.1327, "Wang et al., SIGIR 2019; as SimpleX quotes it"),
    Published("iALS", 0.1669, 0.1370, "as others tuned it, TOIS 2025"),
    Published("MF-BPR", 0.1627, 0.1378, "a baseline of the papers on this split"),
    Published("EASE", 0.1765, 0.1467, _OPEN_CF),
    Published("YouTubeNet", 0.1754, 0.1473, _SIMPLEX),
    Published("MF-CCL", 0.1837, 0.1493, _SIMPLEX),
    Published("GF-CF", 0.1850, 0.1518, "Shen et al., CIKM 2021; as the authors of ChebyCF measure it"),
    Published("LightGCN", 0.1824, 0.1547, "its authors' PyTorch code, three layers"),
    Published("LightGCN", 0.1830, 0.1554, "He et al., SIGIR 2020; as UltraGCN and SimpleX quote it"),
    Published("SimpleX", 0.1872, 0.1557, _SIMPLEX),
    Published("BSPM-LM", 0.1901, 0.1570, "Choi et al., SIGIR 2023"),
    Published("UltraGCN", 0.1862, 0.1580, "Mao et al., CIKM 2021 and its repository"),
    Published("BSPM-EM", 0.1920, 0.1597, "Choi et al., SIGIR 2023"),
    Published("ChebyCF", 0.1941, 0.1616, "Kim et al., SIGIR 2025 and its repository"),
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
    means = evaluation.means()
    _print_table(Published("**recsys**", means[METRICS[0]], means[METRICS[1]], "this run, the card's settings"))
    for name in METRICS:
        interval = mean_interval(
            evaluation.per_user[name], samples=1000, confidence=0.95, rng=np.random.default_rng(1)
        )
        print(f"{name}: 95 % interval {interval.low:.4f} to {interval.high:.4f} over {evaluation.n_users:,} users")
    print(f"training took {seconds:.1f} s; settings: {_shown(config.model)}")


def _print_table(ours: Published) -> None:
    """Every model from the lowest ndcg to the highest, and how many are above ours in each metric."""
    print("| model | recall_hits@20 | ndcg@20 | source |\n| :-- | --: | --: | :-- |")
    for each in sorted((*PUBLISHED, ours), key=lambda each: each.ndcg):
        print(f"| {each.model} | {each.recall:.4f} | {each.ndcg:.4f} | {each.source} |")
    above = {
        name: sum(getattr(each, name) > getattr(ours, name) for each in PUBLISHED) for name in ("recall", "ndcg")
    }
    print(f"of {len(PUBLISHED)} published, above ours: {above['recall']} in recall, {above['ndcg']} in ndcg")


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
