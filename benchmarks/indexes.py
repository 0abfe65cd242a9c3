"""Recall and time of every index family, on a synthetic catalogue or on the vectors of a trained model.

    python benchmarks/indexes.py [--items 1000000] [--factors 64] [--families ivf_sq8 ivf_pq]
    python benchmarks/indexes.py --workspace runs/gowalla
    python benchmarks/indexes.py --choice 17632x64 3043x512 27000x64

With `--choice`, one row per size: a model of a planted log is fitted, both indexes are chosen as the night does,
and the processor seconds of both stand beside each other; `share` is that of the two fits of a night. Otherwise it
prints one Markdown table: one query at a time, one thread, seen items left out, k = 100. Search parameters are
tuned on half of the queries, recall is measured on the others. `estimated` is the cost that the choice is made by,
from counted work; its ratios should match those of the clock. Synthetic items are made like those of ALS: with
41,000 of them, the best hundred of a user are as near (cosine 0.79), as long (7 % of all are longer) and as near
each other (0.99 of them in 2.6 % of the catalogue's cells) as in the 64 factors of Gowalla (0.85, 6 %, 3.3 %). Half
of their best users have seen.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

from recsys.data.arrays import Floats
from recsys.data.id_map import IdMap
from recsys.data.matrix import Csr, InteractionMatrix, csr_from_pairs
from recsys.models.factors.als import AlsConfig
from recsys.models.factors.als_model import AlsModel
from recsys.models.neighbours.learning_users import steps_of
from recsys.models.registry import fit_model
from recsys.retrieval.allowance import Allowance, allowed_work
from recsys.retrieval.candidate import Candidate, try_family
from recsys.retrieval.choice import Choice, choose_index
from recsys.retrieval.exact import ExactSearch, normalised
from recsys.retrieval.families.registry import FAMILIES
from recsys.retrieval.flat_index import build_index
from recsys.retrieval.index_config import IndexConfig
from recsys.retrieval.measurement import Held, Sample, answered, microseconds_of
from recsys.retrieval.search import ItemSearch
from recsys.tuning.work import night_work

_USERS, _SEEN = 1_000, 50
_PER_USER, _AT_RANDOM = 40, 0.2

Result = TypeVar("Result")


def synthetic(n_items: int, factors: int) -> tuple[Floats, Sample]:
    """Item vectors float32 (n_items, factors), and queries with the items that each has seen."""
    rng = np.random.default_rng(1)
    n_groups = max(10, round(4 * n_items**0.5))
    family = rng.integers(0, max(2, n_groups // 13), n_groups)
    centres = _directions(_random(rng, int(family.max()) + 1, factors)[family] + _random(rng, n_groups, factors))
    popular = rng.pareto(1.2, n_groups) + 0.2
    group = rng.choice(n_groups, n_items, p=popular / popular.sum())
    items = _directions(centres[group] + 0.4 * _random(rng, n_items, factors))
    items *= rng.lognormal(0, 0.35, n_items).astype(np.float32)[:, None]
    one = rng.choice(n_groups, _USERS, p=popular / popular.sum())
    two = np.array([rng.choice(np.flatnonzero(family == family[group])) for group in one])
    lean = rng.uniform(0, 0.5, (_USERS, 1)).astype(np.float32)
    users = (1 - lean) * centres[one] + lean * centres[two] + 0.4 * _random(rng, _USERS, factors)
    return items, Sample(users, _seen(items, users, rng))


def _random(rng: np.random.Generator, n: int, factors: int) -> Floats:
    """Float32 (n, factors), random directions of length one."""
    return _directions(rng.standard_normal((n, factors), np.float32))


def _directions(vectors: Floats) -> Floats:
    directions: Floats = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return directions


def _seen(items: Floats, users: Floats, rng: np.random.Generator) -> Csr:
    """A random half of each user's best."""
    best = ExactSearch(items).search(users, 2 * _SEEN).indices
    seen = rng.permuted(best, axis=1)[:, :_SEEN]
    user = np.repeat(np.arange(len(users), dtype=np.int32), _SEEN)
    weights = np.ones(seen.size, np.float32)
    return csr_from_pairs(user, seen.ravel().astype(np.int32), weights, (len(users), len(items)))


def trained(workspace: Path) -> tuple[Floats, Sample]:
    """The scoring vectors of a workspace's model, and about a thousand of its users."""
    embeddings = AlsModel.load(workspace / "train" / "model").embeddings
    matrix = InteractionMatrix.load(workspace / "prepare" / "matrix")
    some = slice(0, None, max(1, matrix.n_users // _USERS))
    return embeddings.scoring_items, Sample(embeddings.users[some], matrix.csr[some])


def compare(items: Floats, sample: Sample, families: list[str], target: float) -> None:
    """Print the table row by row."""
    config = IndexConfig(recall_target=target)
    exact = build_index(items)
    tuning, held = sample.asked().halves()
    print(f"{len(items):,} items, {items.shape[1]} factors, recall target {target}\n")
    print("| family | parameters | built in | size | recall@100 | worst filter | query | estimated |")
    print("| :-- | :-- | --: | --: | --: | --: | --: | --: |", flush=True)
    clock, estimated = _one_thread(exact, held), exact.estimated_microseconds(held.vectors)
    print(f"| exact | | | | 1 | 1 | {clock:,.0f} us | {estimated:,.0f} us |")
    asked = (answered(tuning, exact), Held(held, exact))
    for name in families:
        index, candidate = try_family(FAMILIES[name], exact, *asked, config=config, progress=lambda *_: None)
        print(_row(candidate, _one_thread(index, held)), flush=True)


def _one_thread(index: ItemSearch, held: Sample) -> float:
    with threadpool_limits(1):
        return microseconds_of(index, held)


def _row(candidate: Candidate, microseconds: float) -> str:
    filtered = min(recall for name, recall in candidate.recall.items() if "allowed" in name)
    plain = min(recall for name, recall in candidate.recall.items() if "allowed" not in name)
    parameters = ", ".join(f"{name} {value:,}" for name, value in candidate.parameters.items())
    return (
        f"| {candidate.kind} | {parameters} | {candidate.build_seconds:.0f} s | {candidate.bytes / 2**20:.0f} MiB "
        f"| {plain:.4f} | {filtered:.4f} | {microseconds:,.0f} us | {candidate.estimated_microseconds:,.0f} us |"
    )


def planted(n_items: int) -> InteractionMatrix:
    """As many users as items, about forty items each, most of them of the two groups that a user likes."""
    rng = np.random.default_rng(1)
    n_groups, entries = max(10, n_items // 100), _PER_USER * n_items
    user = np.repeat(np.arange(n_items, dtype=np.int32), _PER_USER)
    liked = rng.integers(0, n_groups, (n_items, 2))[user, rng.integers(0, 2, entries)]
    within = (n_items / n_groups * rng.random(entries) ** 2).astype(np.int32)
    item = np.minimum(n_items - 1, liked * (n_items // n_groups) + within)
    item = np.where(rng.random(entries) < _AT_RANDOM, rng.integers(0, n_items, entries), item).astype(np.int32)
    csr = csr_from_pairs(user, item, np.ones(entries, np.float32), (n_items, n_items))
    ids, _ = IdMap.of([f"{number:09d}" for number in range(n_items)])
    return InteractionMatrix(ids, ids, csr)


def choice_row(n_items: int, factors: int, neighbours: int) -> str:
    """Training and choice of one size, as the index step does it."""
    matrix = planted(n_items)
    model = AlsConfig(factors=factors, neighbours=neighbours, auto=False)
    if neighbours:
        fit_model(planted(200), model)  # compiles
    training, trained = _processor_seconds(lambda: fit_model(matrix, model))
    vectors, config = trained.embeddings, IndexConfig()
    allowance = Allowance(
        allowed_work(
            night_work(matrix.csr.shape, matrix.csr.nnz, model, steps=steps_of(matrix.csr, model.neighbours)), config
        )
    )
    some, alike = slice(0, None, max(1, n_items // _USERS)), normalised(vectors.items)

    def choose() -> tuple[Choice, Choice]:
        first = choose_index(
            vectors.scoring_items, vectors.users[some], config, exclude=matrix.csr[some], allowance=allowance
        )
        cells = first.cells and first.cells.by_direction(factors)
        return first, choose_index(alike, alike[some], config, cells=cells, allowance=allowance)

    seconds, (first, second) = _processor_seconds(choose)
    told = " | ".join(_told(choice) for choice in (first, second))
    return f"| {n_items:,} x {factors} | {training:.1f} s | {seconds:.1f} s | {seconds / training / 2:.0%} | {told} |"


def _processor_seconds(work: Callable[[], Result]) -> tuple[float, Result]:
    started = time.process_time()
    result = work()
    return time.process_time() - started, result


def _told(choice: Choice) -> str:
    reasons = (f"{each.kind}: {each.reason}" for each in choice.not_built)
    return "; ".join([f"**{choice.index.kind}**", *reasons])


def compare_choices(sizes: list[str], neighbours: int) -> None:
    """Print the table row by row."""
    print("| vectors | one fit | choice | share | recommendations | similar items |")
    print("| :-- | --: | --: | --: | :-- | :-- |", flush=True)
    for size in sizes:
        n_items, factors = map(int, size.split("x"))
        print(choice_row(n_items, factors, neighbours), flush=True)


def main() -> None:
    """Read the arguments and compare."""
    automatic = [name for name, family in FAMILIES.items() if family.automatic]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--factors", type=int, default=64)
    parser.add_argument("--target", type=float, default=0.99)
    parser.add_argument("--workspace", type=Path, help="of a job that has trained, instead of synthetic vectors")
    parser.add_argument("--families", nargs="+", default=automatic, choices=FAMILIES)
    parser.add_argument("--choice", nargs="+", metavar="ITEMSxFACTORS", help="of planted logs")
    parser.add_argument("--neighbours", type=int, default=0, help="of the model that --choice trains")
    args = parser.parse_args()
    if args.choice:
        compare_choices(args.choice, args.neighbours)
        return
    items, sample = trained(args.workspace) if args.workspace else synthetic(args.items, args.factors)
    compare(items, sample, args.families, args.target)


if __name__ == "__main__":
    main()
