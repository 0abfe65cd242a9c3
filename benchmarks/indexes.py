"""Recall and time of every index family, on a synthetic catalogue or on the vectors of a trained model.

    python benchmarks/indexes.py [--items 1000000] [--factors 64] [--families ivf_sq8 ivf_pq]
    python benchmarks/indexes.py --workspace runs/gowalla

Prints one Markdown table: one query at a time, one thread, seen items left out, k = 100. Search parameters are tuned
on half of the queries, recall is measured on the others. `estimated` is the cost that the choice is made by, from
counted work; its ratios should match those of the clock. Synthetic items are made like those of ALS: with 41,000 of
them, the best hundred of a user are as near (cosine 0.79), as long (7 % of all are longer) and as near each other
(0.99 of them in 2.6 % of the catalogue's cells) as in the 64 factors of Gowalla (0.85, 6 %, 3.3 %). Half of their
best users have seen.
"""

import argparse
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from recsys.data.arrays import Floats
from recsys.data.matrix import Csr, InteractionMatrix, csr_from_pairs
from recsys.models.factors.als_model import AlsModel
from recsys.retrieval.candidate import Candidate, try_family
from recsys.retrieval.exact import ExactSearch
from recsys.retrieval.families.registry import FAMILIES
from recsys.retrieval.flat_index import build_index
from recsys.retrieval.index_config import IndexConfig
from recsys.retrieval.measurement import Sample, answered, microseconds_of
from recsys.retrieval.search import ItemSearch

_USERS, _SEEN = 1_000, 50


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
    asked = (answered(tuning, exact), answered(held, exact))
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


def main() -> None:
    """Read the arguments and compare."""
    automatic = [name for name, family in FAMILIES.items() if family.automatic]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--factors", type=int, default=64)
    parser.add_argument("--target", type=float, default=0.99)
    parser.add_argument("--workspace", type=Path, help="of a job that has trained, instead of synthetic vectors")
    parser.add_argument("--families", nargs="+", default=automatic, choices=FAMILIES)
    args = parser.parse_args()
    items, sample = trained(args.workspace) if args.workspace else synthetic(args.items, args.factors)
    compare(items, sample, args.families, args.target)


if __name__ == "__main__":
    main()
