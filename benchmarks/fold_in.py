"""Time to fold in a new user, and to give the whole answer.

    python benchmarks/fold_in.py [--events 50] [--factors 128] [--items 27000] [--repeats 400]

One thread. Each repeat is another user with --events events on distinct items, popular ones more often. Compared, on
the same item vectors and confidences: implicit's `recalculate_user`, its `recommend(recalculate_user=True)`, and a
dense numpy solve over all items, as the paper states the formula. The sides take turns, a tenth of the users at a
time, so that each works with a warm cache, as in a service.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from recsys.artifacts.bundle import Bundle
from recsys.artifacts.manifest import VersionFacts, new_manifest
from recsys.data.arrays import Floats
from recsys.data.confidence import fit_confidence
from recsys.data.id_map import IdMap
from recsys.data.items import Items
from recsys.data.matrix import Csr, csr_from_pairs
from recsys.engine import Engine, Event, Question
from recsys.models.factors.als import AlsConfig
from recsys.models.factors.als_model import AlsModel
from recsys.models.factors.embeddings import Embeddings
from recsys.retrieval.exact import normalised
from recsys.retrieval.flat_index import build_index

N_USERS, ENTRIES_PER_USER, TURNS = 2_000, 80, 10
FOLD_IN, ANSWER = "recsys, fold-in alone", "recsys, whole answer (k = 10)"
IMPLICIT, IMPLICIT_ANSWER = "implicit, recalculate_user", "implicit, recommend with recalculate_user (N = 10)"
DENSE = "numpy, dense solve"
BESIDE = {FOLD_IN: FOLD_IN, IMPLICIT: FOLD_IN, DENSE: FOLD_IN, ANSWER: ANSWER, IMPLICIT_ANSWER: ANSWER}


def main() -> None:
    """Read the arguments, measure, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=50)
    parser.add_argument("--factors", type=int, default=128)
    parser.add_argument("--items", type=int, default=27_000)
    parser.add_argument("--repeats", type=int, default=400)
    args = parser.parse_args()
    with threadpool_limits(1):
        measured = measure(args)
    print(f"{args.events} events, {args.factors} factors, {args.items:,} items, {args.repeats} users, one thread\n")
    print("| | median ms | p99 ms | times as long |\n| :-- | --: | --: | --: |")
    for name, other in BESIDE.items():
        median, ratio = np.median(measured[name]), np.median(measured[name]) / np.median(measured[other])
        print(f"| {name} | {median:.3f} | {np.quantile(measured[name], 0.99):.3f} | {ratio:.2f} |")


def measure(args: argparse.Namespace) -> dict[str, NDArray[np.float64]]:
    """Milliseconds of each repeat by side, without the first of every turn."""
    rng = np.random.default_rng(1)
    bundle = synthetic_bundle(args.items, args.factors, rng)
    people = [_history(args.items, args.events, rng) for _ in range(args.repeats + TURNS)]
    sides = _sides(bundle)
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(TURNS):
        for name, side in sides.items():
            taken[name] += [_milliseconds(side(history)) for history in people[turn::TURNS]][1:]
    return {name: np.array(times) for name, times in taken.items()}


def _milliseconds(ready: Callable[[], Any]) -> float:
    started = time.perf_counter()
    ready()
    return 1000 * (time.perf_counter() - started)


def _sides(bundle: Bundle) -> dict[str, Callable[[Csr], Callable[[], Any]]]:
    """The timed functions by name; each takes a history, one row of counts."""
    engine, model = Engine(bundle), bundle.model
    bare = _implicit(bundle)

    def question(history: Csr) -> Callable[[], Any]:
        events = tuple(Event(item_id) for item_id in bundle.items.ids.decode(history.indices))
        return lambda: engine.ask(Question(events=events))

    def recalculated(history: Csr) -> Callable[[], Any]:
        confidence = model.weighting.apply(history)
        return lambda: bare.recalculate_user(0, confidence)

    def recommended(history: Csr) -> Callable[[], Any]:
        confidence = model.weighting.apply(history)
        return lambda: bare.recommend(0, confidence, N=10, recalculate_user=True)

    def dense(history: Csr) -> Callable[[], Any]:
        confidence = model.weighting.apply(history)
        return lambda: dense_solve(confidence, model.embeddings.items, model.regularization)

    return {
        FOLD_IN: lambda history: lambda: model.fold_in(history),
        IMPLICIT: recalculated,
        DENSE: dense,
        ANSWER: question,
        IMPLICIT_ANSWER: recommended,
    }


def dense_solve(confidence: Csr, items: Floats, regularization: float) -> Floats:
    """(Y' C Y + regularization I)^-1 Y' C p over all items: Hu, Koren, Volinsky 2008, equation 4."""
    weight, preference = np.ones(len(items), np.float32), np.zeros(len(items), np.float32)
    weight[confidence.indices], preference[confidence.indices] = confidence.data, 1
    normal = (items.T * weight) @ items + np.float32(regularization) * np.eye(items.shape[1], dtype=np.float32)
    vector: Floats = np.linalg.solve(normal, items.T @ (weight * preference)).astype(np.float32)
    return vector


def _implicit(bundle: Bundle) -> AlternatingLeastSquares:
    model = bundle.model
    solver = AlternatingLeastSquares(
        factors=model.embeddings.factors, regularization=model.regularization, alpha=1.0, num_threads=1
    )
    solver.user_factors, solver.item_factors = model.embeddings.users.copy(), model.embeddings.items.copy()
    return solver


def synthetic_bundle(n_items: int, factors: int, rng: np.random.Generator) -> Bundle:
    """A version with random vectors; no time measured here depends on their values."""
    config = AlsConfig(factors=factors)
    seen = _stacked([_history(n_items, ENTRIES_PER_USER, rng) for _ in range(N_USERS)], n_items)
    users, items = (rng.normal(scale=0.1, size=(n, factors)).astype(np.float32) for n in (N_USERS, n_items))
    embeddings = Embeddings(users, items, np.ones(n_items, np.float32))
    model = AlsModel(embeddings, fit_confidence(seen, config), config.regularization)
    return Bundle(
        manifest=new_manifest({}, VersionFacts()),
        users=IdMap.of([f"user {number:06}" for number in range(N_USERS)])[0],
        items=Items.without_attributes(IdMap.of([f"item {number:06}" for number in range(n_items)])[0]),
        model=model,
        history=seen,
        popularity=model.item_degree,
        index=build_index(embeddings.scoring_items),
        similar=build_index(normalised(items)),
    )


def _history(n_items: int, size: int, rng: np.random.Generator) -> Csr:
    """One row of counts: `size` distinct items, the first ones with higher probability."""
    popularity = (np.arange(n_items) + 20.0) ** -0.9
    item = rng.choice(n_items, size, replace=False, p=popularity / popularity.sum()).astype(np.int32)
    return csr_from_pairs(np.zeros(size, np.int32), item, rng.integers(1, 4, size).astype(np.float32), (1, n_items))


def _stacked(rows: list[Csr], n_items: int) -> Csr:
    row = np.repeat(np.arange(len(rows), dtype=np.int32), [history.nnz for history in rows])
    indices = np.concatenate([history.indices for history in rows])
    return csr_from_pairs(row, indices, np.concatenate([history.data for history in rows]), (len(rows), n_items))


if __name__ == "__main__":
    main()
