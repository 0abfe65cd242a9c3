"""What each encoder of `[[content]]` brings on goodbooks-10k.

    RECSYS_DATA_DIR=data python benchmarks/encoders.py                 # all three, or one of them:
    RECSYS_DATA_DIR=data python benchmarks/encoders.py cold     # 1,000 hidden books, by each encoder that reads
    RECSYS_DATA_DIR=data python benchmarks/encoders.py rare     # 1,000 books with three readers each, by all
    RECSYS_DATA_DIR=data python benchmarks/encoders.py cold static words   # only those whose line begins so
    RECSYS_DATA_DIR=data python benchmarks/encoders.py models   # glove and item2vec as [model], beside ALS

cold: 1,000 of 10,000 books are hidden from a 64-dimensional ALS; each gets the mean of the learned vectors of the 20
books nearest by content, and every reader's hidden books are ranked among the 1,000. rare: the same, but the 1,000
books keep three readers each, so that encoders that learn from histories know them too. Each encoder runs in a
process of its own; seconds are of the processor, fit and encoding together, memory is what the process grew by.
An encoder whose weights are not installed is skipped, with the reason.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from attribute_vectors import ALS, CARD, N_HIDDEN, K, mean_of_nearest
from encoder_cases import LEARNING, READING

from pipelines.steps.encode import prepared_items
from pipelines.steps.run import run
from pipelines.steps.workspace import Workspace
from recsys.content.registry import ENCODERS, content_config
from recsys.data.arrays import Doubles, Floats, Indices
from recsys.data.event_weights import EventWeights
from recsys.data.ingest.file_source import FileSource
from recsys.data.ingest.readers import read_log
from recsys.data.items import Items
from recsys.data.matrix import Csr, InteractionMatrix
from recsys.data.splits.split import make_split
from recsys.evaluation.evaluator import evaluate
from recsys.models.factors.model import FactorRecommender
from recsys.models.registry import fit_model, model_config
from recsys.pipeline_config import load_config
from recsys.progress import silent
from recsys.retrieval.exact import ExactSearch

RARE_READERS, USERS_AT_ONCE = 3, 2048


@dataclass(frozen=True)
class Made:
    """The vectors of an encoder, float32 (n_items, d), and what they took."""

    vectors: Floats
    seconds: float
    memory: int


def make(settings: dict[str, Any], items: Items, histories: InteractionMatrix | None) -> Made:
    """Run one encoder; called in a process of its own."""
    config = content_config(settings)
    kind = ENCODERS[config.encoder]
    before, started = peak_memory(), time.process_time()
    given = histories if kind.learns_from_histories(config) else None
    vectors = kind.fit(items, config, histories=given, progress=silent).encode(items).vectors
    return Made(np.array(vectors), time.process_time() - started, peak_memory() - before)


def peak_memory() -> int:
    """Bytes that this process has held at once; that of `resource` begins with what the parent held."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def made_by(
    cases: dict[str, Callable[[], dict[str, Any]]], items: Items, histories: InteractionMatrix
) -> Iterator[tuple[str, Made]]:
    """Each of `cases` in a process of its own, one after the other."""
    for name, settings in cases.items():
        try:
            chosen = settings()
        except FileNotFoundError as error:
            print(f"{name}: skipped: {error}", flush=True)
            continue
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            yield name, pool.submit(make, chosen, items, histories).result()


def picked(cases: dict[str, Any], only: Sequence[str]) -> dict[str, Any]:
    """The cases whose name begins with one of `only`; all if there is none."""
    return {name: case for name, case in cases.items() if not only or name.startswith(tuple(only))}


def prepared(folder: str) -> tuple[Items, InteractionMatrix]:
    """Books and ratings of the card."""
    config = load_config(CARD, overrides={"workspace": folder, "publish.store": f"{folder}/store"})
    run(config, steps=("prepare",), progress=silent)
    matrix = InteractionMatrix.load(Path(folder) / "prepare" / "matrix")
    return prepared_items(config, Workspace(config.workspace)), matrix


def cold(only: Sequence[str]) -> None:
    """Books that nobody has rated, as the model sees it."""
    with tempfile.TemporaryDirectory() as folder:
        items, matrix = prepared(folder)
        hidden, warm = chosen_books(matrix.n_items)
        seen = Csr(sp.csr_matrix(matrix.csr)[:, warm])
        train = InteractionMatrix(matrix.users, matrix.items.take(warm), seen)
        model = fit_model(train, model_config(ALS))
        held = sp.csr_matrix(matrix.csr)[:, hidden]
        print_header()
        for name, made in made_by(picked(READING, only), items, train):
            print_line(
                name, made, hidden, warm, learned=model.embeddings.items, users=model.embeddings.users, held=held
            )


def rare(only: Sequence[str]) -> None:
    """Books with three readers: their own learned vectors, and the mean of the books nearest by each encoder."""
    with tempfile.TemporaryDirectory() as folder:
        items, matrix = prepared(folder)
        hidden, warm = chosen_books(matrix.n_items)
        train, held = few_readers(matrix, hidden)
        model = fit_model(train, model_config(ALS))
        users, learned = model.embeddings.users, model.embeddings.items
        recall, ndcg = found_again(users, learned[hidden], held)
        print_header()
        print(f"| ALS, own vectors | {recall:.3f} | {ndcg:.3f} | | | | | {learned.shape[1]} | |", flush=True)
        of_titles = {name: READING[name] for name in ("tfidf, title", "static (wordllama), title")}
        for name, made in made_by(picked(of_titles | LEARNING, only), items, train):
            print_line(name, made, hidden, warm, learned=learned[warm], users=users, held=held)


def chosen_books(n_items: int) -> tuple[Indices, Indices]:
    """The same books in every part, and the others."""
    hidden = np.sort(np.random.default_rng(77).choice(n_items, N_HIDDEN, replace=False)).astype(np.int32)
    return hidden, np.setdiff1d(np.arange(n_items, dtype=np.int32), hidden)


def few_readers(matrix: InteractionMatrix, books: Indices) -> tuple[InteractionMatrix, Csr]:
    """`matrix` with RARE_READERS readers of each of `books`, drawn by chance; and the entries that this takes out."""
    entries, rng = sp.coo_matrix(matrix.csr), np.random.default_rng(78)
    order = rng.permutation(entries.nnz)
    by_book = order[np.argsort(entries.col[order], kind="stable")]
    column = entries.col[by_book]
    place = np.arange(len(column)) - np.searchsorted(column, column)
    out = np.zeros(entries.nnz, bool)
    out[by_book] = np.isin(column, books) & (place >= RARE_READERS)

    def part(of: Any) -> Csr:
        return Csr(sp.csr_matrix((entries.data[of], (entries.row[of], entries.col[of])), shape=entries.shape))

    kept = part(~out)
    kept.sort_indices()
    return InteractionMatrix(matrix.users, matrix.items, kept), part(out)[:, books]


def print_header() -> None:
    """The head of the table."""
    print("| vectors | recall@20 | ndcg@20 | cos^4: recall@20 | ndcg@20 | seconds | books/s | dimension | memory |")
    print("| :-- " + "| --: " * 8 + "|")


def print_line(
    name: str, made: Made, hidden: Indices, warm: Indices, *, learned: Floats, users: Floats, held: Csr
) -> None:
    """How well the mean of the nearest stands for a hidden book: all alike, and weighted by cosine to the fourth."""
    figures = []
    for power in (0, 4):
        placed = mean_of_nearest(made.vectors[hidden], made.vectors[warm], learned, power)
        figures += [f"{value:.3f}" for value in found_again(users, placed, held)]
    speed = len(made.vectors) / made.seconds
    print(
        f"| {name} | {' | '.join(figures)} | {made.seconds:.1f} | {speed:,.0f} | {made.vectors.shape[1]} "
        f"| {made.memory / 2**20:.0f} MiB |",
        flush=True,
    )


def found_again(users: Floats, placed: Floats, held: Csr) -> Doubles:
    """recall@20 (of at most 20) and ndcg@20, means over the users with hidden books."""
    asked = np.flatnonzero(np.diff(held.indptr))
    discount, found = 1 / np.log2(np.arange(2, K + 2)), []
    for start in range(0, len(asked), USERS_AT_ONCE):
        batch = asked[start : start + USERS_AT_ONCE]
        scores, relevant = users[batch] @ placed.T, held[batch].toarray() > 0
        hits = np.take_along_axis(relevant, np.argsort(-scores, axis=1)[:, :K], 1)
        ideal = np.minimum(relevant.sum(axis=1), K)
        found.append(np.c_[hits.sum(axis=1) / ideal, (hits @ discount) / np.cumsum(discount)[ideal - 1]])
    return np.concatenate(found).mean(axis=0)


def models(only: Sequence[str]) -> None:
    """GloVe and item2vec as models, beside ALS, by the card's split; without neighbours, to compare the vectors."""
    config = load_config(CARD)
    events, _ = read_log(FileSource.of(config.log), config.log)
    weights = EventWeights.of(config.log, config.prepare)
    split = make_split(events, config.evaluate, prepare=config.prepare, weights=weights)
    print("| model, 64 factors | recall@20 | ndcg@20 | seconds |\n| :-- | --: | --: | --: |")
    for algorithm in picked({"als": None, "svd": None, "item2vec": None, "glove": None}, only):
        section = ALS if algorithm == "als" else {"algorithm": algorithm, "factors": 64, "neighbours": 0}
        started = time.process_time()
        model = fit_model(split.train, model_config(section))
        seconds = time.process_time() - started
        recommender = FactorRecommender(algorithm, model, ExactSearch(model.embeddings.scoring_items))
        means = evaluate(recommender, split, cutoffs=(K,)).means()
        print(f"| {algorithm} | {means[f'recall@{K}']:.3f} | {means[f'ndcg@{K}']:.3f} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    parts = {"cold": cold, "rare": rare, "models": models}
    for part in sys.argv[1:2] or parts:
        print(f"\n{part}", flush=True)
        parts[part](sys.argv[2:])
