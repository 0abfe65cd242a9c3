"""Items without events, and with one to five: what content brings beside plain ALS. Everything is chosen on train.

    RECSYS_DATA_DIR=data python benchmarks/cold_items.py
    RECSYS_DATA_DIR=data python benchmarks/cold_items.py --cards online-retail-ii

Each card's `[[content]]`, ALS of 64 factors with default settings. First a tenth of the items, of those with 20 users
or more, is taken out of the log, the model is fitted without them, the way from content to vectors is chosen on other
hidden items of what is left, and the items are ranked among themselves and among all. Then the same items keep one to
five users each, and a tenth of all other pairs is held out. Last, if the split is by time, the items that had one
to five users before the cut. Intervals: 95 %, over users.
"""

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipelines.steps.prepare import prepare
from pipelines.steps.workspace import Workspace
from recsys.content.cold_start.completion import complete
from recsys.content.encoding import encode_source
from recsys.content.space import ContentSpace
from recsys.data.arrays import Floats, Indices
from recsys.data.event_weights import EventWeights
from recsys.data.interactions import Interactions
from recsys.data.items import Items
from recsys.data.matrix import Csr, InteractionMatrix, csr_from_pairs, presence
from recsys.data.splits.split import make_split
from recsys.evaluation.evaluator import score_lists
from recsys.evaluation.metrics import Values
from recsys.evaluation.significance import mean_interval, paired_difference
from recsys.models.factors.model import FactorModel
from recsys.models.registry import fit_model, model_config
from recsys.pipeline_config import PipelineConfig, load_config
from recsys.progress import silent
from recsys.retrieval.topk import select_top_k
from recsys.tuning.cold_start import choose_cold_start

COLUMNS = ("among these, recall@20", "ndcg@20", "among all, recall@20", "ndcg@20", "all items, ndcg@20")
SAMPLES, USERS_AT_ONCE = 1_000, 500
SECTION = {"algorithm": "als", "factors": 64, "auto": False, "early_stopping": False}


Scores = Callable[[slice], Floats]
"""From some of the users to float32 (n, n_items)."""


@dataclass(frozen=True)
class Task:
    """What is fitted on, and what is to be found: `relevant`, float32 CSR of `users` and all items."""

    train: InteractionMatrix
    users: Indices
    relevant: Csr
    marked: np.ndarray


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cards", nargs="+", default=["goodbooks-10k", "online-retail-ii"])
    parser.add_argument("--users", type=int, default=4_000, help="users that are ranked for, at most")
    parser.add_argument("--seed", type=int, default=7, help="of the hidden items; the choice has its own")
    arguments = parser.parse_args()
    for card in arguments.cards:
        with tempfile.TemporaryDirectory() as folder:
            _card(card, Path(folder), arguments.users, arguments.seed)


def _card(card: str, folder: Path, n_users: int, seed: int) -> None:
    path = Path(__file__).parents[1] / "datasets" / card / "pipeline.toml"
    overrides: dict[str, object] = {"workspace": str(folder / "work"), "publish.store": str(folder / "store")}
    if card == "online-retail-ii":
        overrides["prepare.min_item_users"] = 1  # items with one to five users are what is measured
    config = load_config(path, overrides=overrides)
    config.publish.store.mkdir()
    prepare(config, Workspace(config.workspace), progress=silent)
    matrix = InteractionMatrix.load(config.workspace / "prepare" / "matrix")
    items = Items.load(config.workspace / "prepare" / "items.arrow", matrix.items)
    space = ContentSpace(tuple(encode_source(items, each, fingerprint="").source for each in config.content_sources))
    rng = np.random.default_rng(seed)
    able = np.flatnonzero(matrix.item_degree >= 20)
    drawn = np.sort(rng.choice(able, min(round(0.1 * matrix.n_items), len(able) // 3), replace=False))
    print(f"\n## {card}: {matrix.n_users:,} users, {matrix.n_items:,} items, {len(drawn):,} hidden", flush=True)
    _report(config, items, space, _hidden(matrix, drawn, np.zeros(matrix.n_items, int), n_users, rng), cold=True)
    _report(
        config, items, space, _hidden(matrix, drawn, rng.integers(1, 6, matrix.n_items), n_users, rng), cold=False
    )
    if config.evaluate.split == "temporal":
        _report(config, items, space, _temporal(config, rng, n_users), cold=False)


def _hidden(
    matrix: InteractionMatrix, drawn: Indices, kept: np.ndarray, n_users: int, rng: np.random.Generator
) -> Task:
    """`drawn` items keep `kept` users each, drawn; a tenth of all other pairs is held out if any is kept."""
    marked = np.zeros(matrix.n_items, np.bool_)
    marked[drawn] = True
    csr = matrix.csr
    row = np.repeat(np.arange(matrix.n_users, dtype=np.int32), np.diff(csr.indptr))
    order = rng.permutation(csr.nnz)
    place = _place_in_group(csr.indices[order])
    of_marked = np.empty(csr.nnz, np.bool_)
    of_marked[order] = place < kept[csr.indices[order]]
    of_others = rng.random(csr.nnz) >= (0.1 if kept.any() else 0.0)
    stays = np.where(marked[csr.indices], of_marked, of_others)
    train, held = (
        csr_from_pairs(row[some], csr.indices[some], csr.data[some], csr.shape) for some in (stays, ~stays)
    )
    able = np.flatnonzero((np.diff(held.indptr) > 0) & (np.diff(train.indptr) > 0))
    users = np.sort(rng.choice(able, min(len(able), n_users), replace=False)).astype(np.int32)
    return Task(InteractionMatrix(matrix.users, matrix.items, train), users, held[users], marked)


def _place_in_group(groups: Indices) -> np.ndarray:
    """The how-many-th of its group each is, from 0."""
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    place = np.empty(len(groups), np.int64)
    place[order] = np.arange(len(groups)) - np.repeat(starts, np.diff(np.append(starts, len(groups))))
    return place


def _temporal(config: PipelineConfig, rng: np.random.Generator, n_users: int) -> Task:
    """The card's own split; marked are the items with one to five users on the train side."""
    events = Interactions.load(config.workspace / "prepare" / "events")
    evaluate = config.evaluate.model_copy(update={"exclude_seen": True})
    weights = EventWeights.of(config.log, config.prepare)
    split = make_split(events, evaluate, prepare=config.prepare, weights=weights, given=None)
    rows = np.arange(len(split.user_ids))
    drawn = np.sort(rng.choice(rows, min(len(rows), n_users), replace=False))
    degree = split.train.item_degree
    return Task(split.train, split.user_idx[drawn], split.holdout[drawn], (degree >= 1) & (degree <= 5))


def _report(config: PipelineConfig, items: Items, space: ContentSpace, task: Task, *, cold: bool) -> None:
    section = model_config(SECTION)
    plain = fit_model(task.train, section)
    over = space if task.train.items is items.ids else space.aligned(items.ids, task.train.items)
    options = {"popularity_exponent": section.popularity_exponent}
    cold_start = config.cold_start
    choice = choose_cold_start(
        plain, task.train.csr, over, cold_start, sources=config.content_sources, metric="ndcg@20", **options
    )
    model = complete(plain, task.train.csr, over, choice.settings, config=cold_start, **options)
    print(choice.sentence(), "\n", choice.settings, flush=True)
    found = {"plain ALS": _scores(plain, task), "completed": _scores(model, task)}
    if cold:
        found = {
            "random": lambda rows: _random(rows, task),
            "popular in category": _popular_in_category(items.aligned(task.train.items), task),
            "content neighbours, no learned space": _by_content(choice.settings.weighted(over), task),
            "completed, vectors alone": _scores(model.with_neighbours(None), task),
            "completed": found["completed"],
        }
    only = presence_of(task.relevant, task.marked)
    print("| | among these: recall@20 | ndcg@20 | among all: recall@20 | ndcg@20 | all items: ndcg@20 |")
    print("| :-- | --: | --: | --: | --: | --: |")
    results = {name: _measure(scores, task, only) for name, scores in found.items()}
    for name, values in results.items():
        print(f"| {name} | {' | '.join(_interval(each) for each in values)} |", flush=True)
    if not cold:
        for at, what in enumerate(COLUMNS):
            before, after = results["plain ALS"][at], results["completed"][at]
            gain = paired_difference(after, before, samples=SAMPLES, confidence=0.95, rng=np.random.default_rng(1))
            share = f"{after.mean() / before.mean() - 1:+.1%}" if before.mean() > 0 else "from zero"
            interval = f"{gain.mean:.4f} ({gain.low:.4f} to {gain.high:.4f})"
            print(f"{what}, {len(after):,} users: {share}, difference {interval}")


def presence_of(relevant: Csr, marked: np.ndarray) -> Csr:
    """The entries of `relevant` in the columns that are marked."""
    row = np.repeat(np.arange(relevant.shape[0], dtype=np.int32), np.diff(relevant.indptr))
    kept = marked[relevant.indices]
    return csr_from_pairs(row[kept], relevant.indices[kept], relevant.data[kept], relevant.shape)


def _random(rows: slice, task: Task) -> Floats:
    return np.random.default_rng(rows.start).random((len(task.users[rows]), len(task.marked)), np.float32)


def _scores(model: FactorModel, task: Task) -> Scores:
    vectors = model.embeddings.users[task.users]
    known = model.embeddings.items.any(axis=1)

    def scores(rows: slice) -> Floats:
        block = vectors[rows] @ model.embeddings.scoring_items.T
        if model.neighbours is not None:
            block += model.neighbours.added(task.train.csr[task.users[rows]]).toarray()
        block[:, ~known] = -np.inf
        return block

    return scores


def _popular_in_category(items: Items, task: Task) -> Scores:
    """Users of the items with the same first value of the last text or list attribute, without the item itself."""
    names = [name for name, kind in items.kinds.items() if kind in ("text", "list") and name != "title"]
    column = items.table.column(names[0]).to_pylist() if names else [None] * len(items.ids)
    keys = [str(value[0] if isinstance(value, list) and value else value) for value in column]
    _, group = np.unique(np.array(keys), return_inverse=True)
    degree = task.train.item_degree.astype(np.float64)
    mean = np.bincount(group, degree) / np.maximum(np.bincount(group, degree > 0), 1)
    return lambda rows: np.tile(mean[group].astype(np.float32), (len(task.users[rows]), 1))


def _by_content(space: ContentSpace, task: Task) -> Scores:
    """The cosine of an item to the mean content of the history."""
    vectors = space.vectors
    return lambda rows: (presence(task.train.csr[task.users[rows]]) @ vectors) @ vectors.T


def _measure(scores: Scores, task: Task, only: Csr) -> list[Values]:
    """Of the marked items among themselves and among all, and of all items among all; NaN for users without any."""
    values = [np.full(len(task.users), np.nan) for _ in range(5)]
    own = np.diff(only.indptr) > 0
    for start in range(0, len(task.users), USERS_AT_ONCE):
        rows = slice(start, start + USERS_AT_ONCE)
        block = np.ascontiguousarray(scores(rows), np.float32)
        seen = task.train.csr[task.users[rows]]
        block[np.repeat(np.arange(len(block)), np.diff(seen.indptr)), seen.indices] = -np.inf
        whole = select_top_k(block, 20)
        block[:, ~task.marked] = -np.inf
        among = select_top_k(block, 20)
        some = own[rows]
        pairs = [(answer, metric) for answer in (among, whole) for metric in ("recall@20", "ndcg@20")]
        for at, (answer, metric) in enumerate(pairs):
            part = type(answer)(answer.indices[some], answer.scores[some], answer.counts[some])
            values[at][rows][some] = score_lists(part, only[rows][some], metric)
        values[4][rows] = score_lists(whole, task.relevant[rows], "ndcg@20")
    return [values[at][own] for at in range(4)] + [values[4]]


def _interval(values: Values) -> str:
    if not len(values):
        return "-"
    found = mean_interval(values, samples=SAMPLES, confidence=0.95, rng=np.random.default_rng(1))
    return f"{found.mean:.4f} ({found.low:.4f} to {found.high:.4f})"


if __name__ == "__main__":
    main()
