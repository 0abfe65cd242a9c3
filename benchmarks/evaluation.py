"""Time to evaluate a model for every user, against `implicit.evaluation.ranking_metrics_at_k`.

    python benchmarks/evaluation.py                                    # 6,000 users, 64 and 128 factors
    python benchmarks/evaluation.py --users 138000 --repeats 1         # all of them

27,000 items, about 145 items per history, up to ten of them held out; all items outside the rest are ranked. Same
vectors, same matrices, same cores; implicit runs with one BLAS thread and with all, and the better result counts.
The sides take turns, and the minimum over the repeats counts. On a busy machine compare processor time.

implicit computes four metrics (precision, map, ndcg, auc) at one cut-off per call. Ours computes nine, the recall of
three popularity bands, and diversity if item vectors are given, at all cut-offs in one pass. The fair comparison is
therefore one cut-off against one call. Definitions agree for map, ndcg, and what implicit calls precision, which is
hits / sum of min(k, relevant): our recall, pooled over users. We have no auc.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import shop
from implicit.evaluation import ranking_metrics_at_k

from recsys.data.arrays import Floats
from recsys.data.id_map import IdMap
from recsys.data.matrix import Csr, InteractionMatrix, load_csr, presence, save_csr
from recsys.data.splits.split import Split
from recsys.evaluation.evaluator import evaluate
from recsys.evaluation.results import Evaluation
from recsys.models.factors.model import rows_of, search_known
from recsys.models.recommender import Queries
from recsys.retrieval.exact import ExactSearch
from recsys.retrieval.topk import TopK

CUTOFFS = (10, 20, 100)
HELD_OUT = 10
SIDES = ("recsys", "implicit")


@dataclass(frozen=True, eq=False)
class Case:
    """One model and its queries, as a `Recommender` and for implicit."""

    name: str
    split: Split
    users: Floats
    items: Floats

    def recommend(self, queries: Queries, k: int) -> TopK:
        """The k best unseen items."""
        vectors = self.users if queries.user_idx is None else rows_of(self.users, queries.user_idx, name=self.name)
        return search_known(ExactSearch(self.items), vectors, queries.history, k)

    def ours(self, cutoffs: Sequence[int], *, diversity: bool = False) -> Evaluation:
        """All our metrics."""
        return evaluate(self, self.split, cutoffs=cutoffs, item_vectors=self.items if diversity else None)

    def theirs(self, k: int) -> dict[str, float]:
        """implicit's four."""
        model, split = shop.make_implicit(self.users, self.items), self.split
        metrics: dict[str, float] = ranking_metrics_at_k(
            model, split.train.csr, split.holdout, K=k, show_progress=False, num_threads=shop.CORES
        )
        return metrics


def write_case(folder: Path, n_users: int, factors: Sequence[int]) -> None:
    """Histories, holdout and vectors as files, so that every process reads the same."""
    train, holdout = hold_out(shop.make_histories(n_users))
    asked = np.flatnonzero(np.diff(holdout.indptr))
    train, holdout = train[asked], holdout[asked]
    save_csr(train, folder / "train")
    save_csr(presence(holdout), folder / "holdout")
    for d in factors:
        for name, vectors in zip(("users", "items"), shop.make_vectors(train, d), strict=True):
            np.save(folder / f"{name}{d}.npy", vectors)
    print(f"{len(asked):,} users, {train.nnz:,} entries of train, {holdout.nnz:,} held out", flush=True)


def hold_out(histories: Csr) -> tuple[Csr, Csr]:
    """Train and holdout: HELD_OUT random items per user, or half of a user's items if there are fewer."""
    sizes = np.diff(histories.indptr)
    row = np.repeat(np.arange(len(sizes)), sizes)
    order = np.lexsort((np.random.default_rng(2).random(histories.nnz), row))
    held = np.empty(histories.nnz, np.bool_)
    held[order] = np.arange(histories.nnz) - histories.indptr[row] < np.minimum(HELD_OUT, sizes // 2)[row]
    return _kept(histories, row, ~held), _kept(histories, row, held)


def _kept(csr: Csr, row: Any, mask: Any) -> Csr:
    indptr = np.concatenate([[0], np.cumsum(np.bincount(row[mask], minlength=csr.shape[0]))])
    return Csr((csr.data[mask], csr.indices[mask], indptr.astype(np.int32)), shape=csr.shape)


def read_case(folder: Path, factors: int) -> Case:
    """What `write_case` wrote."""
    users, items = np.load(folder / f"users{factors}.npy"), np.load(folder / f"items{factors}.npy")
    shape = (len(users), len(items))
    train, holdout = load_csr(folder / "train", shape).copy(), load_csr(folder / "holdout", shape).copy()
    user_ids, item_ids = _ids("u", len(users)), _ids("b", len(items))
    matrix = InteractionMatrix(IdMap(user_ids), IdMap(item_ids), train)
    everybody = np.arange(len(users), dtype=np.int32)
    return Case(f"{factors}", Split(matrix, train, everybody, user_ids, holdout, {}, {}), users, items)


def _ids(letter: str, n: int) -> Any:
    return pa.array([f"{letter}{number:07d}" for number in range(n)])


def compare(case: Case, repeats: int) -> None:
    """Rows of the table for one dimension."""
    all_calls = []
    for k in CUTOFFS:
        ours, theirs = _in_turns(case, k, repeats)
        _print_row(case, f"{k}", ours, theirs)
        all_calls.append(theirs)
    at_once = shop.least([shop.clocked(partial(case.ours, CUTOFFS)) for _ in range(repeats)])
    three_calls = sum(seconds for seconds, _ in all_calls), sum(cpu for _, cpu in all_calls)
    _print_row(case, "all at once / three calls", at_once, three_calls)
    seconds, cpu_seconds = shop.clocked(partial(case.ours, CUTOFFS, diversity=True))
    print(f"| {case.name} | all, with diversity | {seconds:.2f} | | | {cpu_seconds:.2f} | | |")


def _in_turns(case: Case, k: int, repeats: int) -> tuple[shop.Clocked, shop.Clocked]:
    ours, theirs = [], []
    for _ in range(repeats):
        for threads in shop.BLAS_THREADS:
            theirs.append(shop.under_blas(partial(shop.clocked, partial(case.theirs, k)), threads))
        ours.append(shop.clocked(partial(case.ours, (k,))))
    return shop.least(ours), shop.least(theirs)


def _print_row(case: Case, cutoffs: str, ours: shop.Clocked, theirs: shop.Clocked) -> None:
    figures = " | ".join(f"{a:.2f} | {b:.2f} | **{b / a:.2f}**" for a, b in zip(ours, theirs, strict=True))
    print(f"| {case.name} | {cutoffs} | {figures} |", flush=True)


def print_agreement(case: Case) -> None:
    """The largest difference between the metrics that both have."""
    ours, reachable = case.ours(CUTOFFS), np.diff(case.split.holdout.indptr)[:, None]
    gaps: dict[str, list[float]] = {"map": [], "ndcg": [], "pooled recall (its precision)": []}
    for k in CUTOFFS:
        theirs = case.theirs(k)
        pooled = np.average(ours.per_user[f"recall@{k}"], weights=np.minimum(k, reachable)[:, 0])
        found = (ours.means()[f"map@{k}"], ours.means()[f"ndcg@{k}"], pooled)
        for name, mine, his in zip(gaps, found, (theirs["map"], theirs["ndcg"], theirs["precision"]), strict=True):
            gaps[name].append(abs(mine - his))
    told = ", ".join(f"{name} {max(values):.1e}" for name, values in gaps.items())
    print(f"\n{case.name} factors, largest difference at any cut-off: {told}")


def print_growth(side: str, case: Case) -> None:
    """MiB that this process grows by while one side evaluates once."""
    work = partial(case.ours, CUTOFFS[-1:]) if side == "recsys" else partial(case.theirs, CUTOFFS[-1])
    print(f"{shop.growth(work):.0f}")


def _growth(side: str, folder: Path, factors: int) -> str:
    """The output of another process, so that neither side finds memory that the other has left."""
    command = [sys.executable, __file__, "--only", side, "--folder", str(folder), "--factors", str(factors)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def main() -> None:
    """Read the arguments; the parent compares, a child measures one side's memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=6_000, help=f"how many; {shop.ALL_USERS} are all (6000)")
    parser.add_argument("--factors", type=int, nargs="+", default=[64, 128], help="dimensions (64 128)")
    parser.add_argument("--repeats", type=int, default=2, help="runs of each side, the least counts (2)")
    parser.add_argument("--only", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.only:
        print_growth(args.only, read_case(args.folder, args.factors[0]))
        return
    with tempfile.TemporaryDirectory() as name:
        run(Path(name), args)


def run(folder: Path, args: argparse.Namespace) -> None:
    """Everything but the reading of arguments."""
    print(f"{shop.CORES} cores, {shop.N_ITEMS:,} items", end=", ")
    write_case(folder, args.users, args.factors)
    print("| factors | cut-offs | recsys s | implicit s | ratio | recsys cpu s | implicit cpu s | ratio |")
    print("| --: | :-- | --: | --: | --: | --: | --: | --: |")
    cases = [read_case(folder, factors) for factors in args.factors]
    for case in cases:
        compare(case, args.repeats)
    for case in cases:
        print_agreement(case)
        grown = ", ".join(f"{side} {_growth(side, folder, case.users.shape[1])} MiB" for side in SIDES)
        print(f"{case.name} factors, memory at {CUTOFFS[-1]} beside data and libraries: {grown}")


if __name__ == "__main__":
    main()
