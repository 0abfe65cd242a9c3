"""Warm start: a night that starts from yesterday's vectors, against a cold fit.

    python benchmarks/warm_start.py                              # a made-up shop, 138,000 x 27,000
    python benchmarks/warm_start.py --nights 10 --events 2000000 # does quality fall over many warm nights?
    RECSYS_DATA_DIR=data python benchmarks/warm_start.py --card online-retail-ii

Each night adds 2 % of the events (the newest ones if the log has times), with new users and items; `--added 0.001`
measures many quiet nights. All nights are evaluated on the same pairs, held out from all of them. Seconds are
processor seconds from the matrix to finished vectors; "cosine" is the mean cosine between an item's vector and its
vector of the night before in the same chain. "aligned" is the cold fit, rotated onto yesterday's vectors: the lists
are the same.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from recsys.data.arrays import Indices
from recsys.data.cleaning import build_matrix
from recsys.data.confidence import fit_confidence
from recsys.data.event_weights import EventWeights
from recsys.data.id_map import IdMap
from recsys.data.ingest.file_source import FileSource
from recsys.data.ingest.readers import read_log
from recsys.data.interactions import Interactions
from recsys.data.matrix import InteractionMatrix, csr_from_pairs
from recsys.data.splits.split import Split, make_split
from recsys.data.splits.strategies import split_events
from recsys.data.synthetic import generate_events, make_world
from recsys.evaluation.evaluator import evaluate
from recsys.models.factors.als import AlsConfig, fit_als
from recsys.models.factors.als_model import AlsModel
from recsys.models.factors.continuity import EarlierEmbeddings, aligned, carried_over, mean_item_cosine, shared_rows
from recsys.models.factors.model import FactorRecommender
from recsys.models.factors.spectral import spectral_start
from recsys.models.neighbours.weights import NeighbourWeights
from recsys.models.registry import fit_model
from recsys.pipeline_config import PipelineConfig, load_config, parse_config
from recsys.retrieval.exact import ExactSearch

CARDS = Path(__file__).parents[1] / "datasets"
N_USERS, N_ITEMS = 138_000, 27_000
MAX_USERS = 4000

NEWCOMERS = 0.25
"""Share of new users (and items) per night, relative to the share of added events."""

Made = TypeVar("Made")


@dataclass(frozen=True, eq=False)
class Log:
    """`train`: all nights' events. `split`: what the last night is evaluated on, unseen by every night."""

    config: PipelineConfig
    train: Interactions
    split: Split


@dataclass(frozen=True, eq=False)
class Fit:
    """One fit of one night."""

    model: AlsModel
    seconds: float
    matrix: InteractionMatrix

    @property
    def earlier(self) -> EarlierEmbeddings:
        """The fit in the form that the next night starts from."""
        return EarlierEmbeddings(self.matrix.users, self.matrix.items, self.model.embeddings)


Way = Callable[[Fit, EarlierEmbeddings], Fit]
"""Maps tonight's cold fit and the chain's fit of last night to the chain's fit of tonight."""


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=5_000_000, help="of the made-up log")
    parser.add_argument("--card", help="a folder of datasets/ in place of the made-up log")
    parser.add_argument("--nights", type=int, default=1)
    parser.add_argument("--added", type=float, default=0.02, help="share of all events that a night adds")
    parser.add_argument("--factors", type=int)
    parser.add_argument("--warm-iterations", type=int, nargs="+", default=[1, 2])
    args = parser.parse_args()
    log = of_card(args.card) if args.card else made_up(args.events)
    model = log.config.model.model_copy(update={"factors": args.factors or log.config.model.factors})
    users, items, entries = log.split.train.n_users, log.split.train.n_items, log.split.train.csr.nnz
    print(f"{users:,} x {items:,}, {entries:,} entries, {model.factors} factors, {model.iterations} iterations cold")
    profile(log.split.train, model)
    print("\n| night | | seconds | of cold | ndcg@20 | cosine |\n| --: | :-- | --: | --: | --: | --: |", flush=True)
    compare(log, model, nights(log, args.nights, args.added), args.warm_iterations)


def of_card(name: str) -> Log:
    """The log of a data set, split as its card says."""
    config = load_config(CARDS / name / "pipeline.toml")
    source = FileSource.of(config.log)
    events, _ = read_log(source, config.log, deduplicate=config.prepare.deduplicate)
    given = None
    if config.evaluate.holdout_paths:
        given, _ = read_log(replace(source, paths=config.evaluate.holdout_paths), config.log)
    return _log(config, events, given)


def made_up(n_events: int) -> Log:
    """A made-up shop's log, its last ten days held out."""
    tree = {
        "log": {"paths": ["made-up"], "timestamp": "timestamp"},
        "evaluate": {"holdout": "10d"},
    }
    chunks = list(generate_events(make_world(n_users=N_USERS, n_items=N_ITEMS, seed=1), n_events))
    events = Interactions(
        _ids("u", N_USERS),
        _ids("b", N_ITEMS),
        np.concatenate([chunk.user_idx for chunk in chunks]),
        np.concatenate([chunk.item_idx for chunk in chunks]),
        np.ones(n_events, np.float32),
        np.concatenate([chunk.timestamp for chunk in chunks]),
    )
    return _log(parse_config(tree, base=Path.cwd()), events, None)


def _ids(prefix: str, n: int) -> IdMap:
    return IdMap(pa.array([f"{prefix}{number:07d}" for number in range(n)]))


def _log(config: PipelineConfig, events: Interactions, given: Interactions | None) -> Log:
    evaluating = config.evaluate.model_copy(update={"max_users": MAX_USERS})
    config = config.model_copy(update={"evaluate": evaluating})
    cut = split_events(events, evaluating, rng=np.random.default_rng(evaluating.seed), given=given)
    split = make_split(
        events,
        evaluating,
        prepare=config.prepare,
        weights=EventWeights.of(config.log, config.prepare),
        given=given,
    )
    return Log(config, cut.train, split)


def nights(log: Log, n_nights: int, added: float) -> Iterator[InteractionMatrix]:
    """The matrix of the night before the first, then of each night; the last has every train event."""
    rng, train = np.random.default_rng(1), log.train
    prepare, weights = log.config.prepare, EventWeights.of(log.config.log, log.config.prepare)
    age = rng.permutation(len(train)) if train.timestamp is None else np.argsort(np.argsort(train.timestamp))
    share = NEWCOMERS * added
    first_user, first_item = (_first_night(len(ids), n_nights, share, rng) for ids in (train.users, train.items))
    first_night = np.maximum(first_user[train.user_idx], first_item[train.item_idx])
    for night in range(n_nights + 1):
        known = age < len(train) * (1 - added * (n_nights - night))
        yield build_matrix(train.select(known & (first_night <= night)), prepare, weights=weights)[0]


def _first_night(n: int, n_nights: int, share: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """For each of `n` ids the night it is first seen: 1 and on for `share` of them each, 0 for the others."""
    night = (rng.random(n) / share).astype(np.int64) + 1
    return np.where(night <= n_nights, night, 0)


def compare(log: Log, model: AlsConfig, matrices: Iterator[InteractionMatrix], iterations: list[int]) -> None:
    """Print every night's fits; each chain continues from its own last fit, all begin with the same cold fit."""
    ways: dict[str, Way] = {"cold": lambda cold, before: cold, "aligned": _aligned, "not fitted": _as_it_was}
    ways |= {f"warm, {n} iteration{'s' * (n > 1)}": partial(_warm, model, n) for n in iterations}
    chains: dict[str, EarlierEmbeddings] = {}
    for night, matrix in enumerate(matrices):
        cold = Fit(*_cpu_seconds(partial(fit_model, matrix, model)), matrix)
        for name, way in ways.items():
            fit = way(cold, chains[name]) if night else cold
            if night:
                _print_row(f"| {night} | {name}", log, fit, cold, chains[name])
            chains[name] = fit.earlier


def profile(matrix: InteractionMatrix, model: AlsConfig) -> None:
    """Print where a cold fit's seconds go."""
    confidence, weighing = _cpu_seconds(lambda: fit_confidence(matrix.csr, model).apply(matrix.csr))
    start, starting = _cpu_seconds(lambda: spectral_start(matrix.csr, model.factors, seed=model.seed))
    transposing = _cpu_seconds(lambda: confidence.T.tocsr())[1]
    one = model.model_copy(update={"iterations": 1})
    iterating = _cpu_seconds(lambda: fit_als(confidence, one, start=start))[1] - transposing
    print("\n| part of a fit | seconds |\n| :-- | --: |")
    for name, seconds in (("weighing", weighing), ("spectral start", starting), ("transposing", transposing)):
        print(f"| {name} | {seconds:.2f} |")
    print(f"| one iteration | {iterating:.2f} |")


def _aligned(cold: Fit, before: EarlierEmbeddings) -> Fit:
    turned, seconds = _cpu_seconds(partial(aligned, cold.model, cold.matrix.items, before))
    return Fit(turned, cold.seconds + seconds, cold.matrix)


def _warm(model: AlsConfig, iterations: int, cold: Fit, before: EarlierEmbeddings) -> Fit:
    fewer = model.model_copy(update={"iterations": iterations})
    fit = partial(fit_model, cold.matrix, fewer, start=carried_over(before, cold.matrix))
    return Fit(*_cpu_seconds(fit), cold.matrix)


def _as_it_was(cold: Fit, before: EarlierEmbeddings) -> Fit:
    carried = carried_over(before, cold.matrix)
    kept = replace(carried, item_scale=cold.model.embeddings.item_scale)
    return Fit(cold.model.with_embeddings(kept), 0.0, cold.matrix)


def _print_row(begins: str, log: Log, fit: Fit, cold: Fit, before: EarlierEmbeddings) -> None:
    cosine = mean_item_cosine(fit.model.embeddings, fit.matrix.items, before)
    seconds = f"{fit.seconds:.2f} | {fit.seconds / cold.seconds:.2f}"
    print(f"{begins} | {seconds} | {_quality(fit, log):.4f} | {cosine:.4f} |", flush=True)


def _quality(fit: Fit, log: Log) -> float:
    """ndcg@20 over the held-out pairs; users and items that appear on a later night are misses."""
    train = log.split.train
    before, now = shared_rows(fit.matrix.items, train.items)
    scale = np.ones(train.n_items, np.float32)
    scale[now] = fit.model.embeddings.item_scale[before]
    vectors = replace(carried_over(fit.earlier, train), item_scale=scale)
    model = replace(
        fit.model,
        embeddings=vectors,
        weighting=fit_confidence(train.csr, log.config.model),
        neighbours=_placed(fit.model.neighbours, before, now, train.n_items),
    )
    recommender = FactorRecommender("als", model, ExactSearch(vectors.scoring_items))
    return evaluate(recommender, log.split, cutoffs=(20,)).means()["ndcg@20"]


def _placed(
    neighbours: NeighbourWeights | None, before: Indices, now: Indices, n_items: int
) -> NeighbourWeights | None:
    """`neighbours` over `n_items`: those at the places `before` are at `now`; the others have none."""
    if neighbours is None:
        return None
    place = np.zeros(neighbours.n_items, np.int32)
    place[before] = now
    entries = neighbours.weights.tocoo()
    weights = csr_from_pairs(place[entries.row], place[entries.col], entries.data, (n_items, n_items))
    return replace(neighbours, weights=weights)


def _cpu_seconds(work: Callable[[], Made]) -> tuple[Made, float]:
    started = time.process_time()
    return work(), time.process_time() - started


if __name__ == "__main__":
    main()
