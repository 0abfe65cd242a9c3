"""Time from the matrix to good embeddings, against implicit from its random start.

    python benchmarks/training.py                       # 64, 128 and 256 factors, about ten minutes
    python benchmarks/training.py --factors 64 --events 5000000

A synthetic log of our generator (138,000 users, 27,000 items; 53 million events make about 20 million entries), with
a tenth of the entries held out. The target is the ndcg@20 of implicit after --iterations; both sides are timed until
they are within 0.5 % of it, measured after every iteration with the clock stopped. implicit gets the weighted matrix;
ours starts from the counts, with implicit's solver and with the compiled one, whose loops are loaded before.
Each fit runs in its own process. Memory is the peak growth of the process, divided by
matrix and factors: the entries (8 bytes each) and the vectors.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Literal

import numpy as np
import shop
from implicit.cpu.als import AlternatingLeastSquares
from threadpoolctl import threadpool_limits

from recsys.data.arrays import Floats, Indices
from recsys.data.confidence import fit_confidence
from recsys.data.id_map import IdMap
from recsys.data.matrix import Csr, InteractionMatrix, load_csr, save_csr
from recsys.data.synthetic import generate_matrix, make_world
from recsys.evaluation.evaluator import score_lists
from recsys.models.factors.als import AlsConfig
from recsys.models.factors.embeddings import popularity_scale
from recsys.models.factors.implicit_input import writeable
from recsys.models.factors.model import FactorModel
from recsys.models.registry import fit_model
from recsys.retrieval.exact import ExactSearch

SHAPE = (shop.ALL_USERS, shop.N_ITEMS)
HELD_OUT, ASKED, K = 0.1, 5_000, 20
NEAR = 0.995
"""Tolerance, as a share of the converged ndcg@20."""

OUR_ITERATIONS = 4
OURS: dict[str, Literal["implicit", "compiled"]] = {"recsys": "implicit", "recsys, compiled": "compiled"}
"""Our sides, and the solver of each."""

_MIB = 2**20


class Exam:
    """The held-out entries of the sampled users, and the time that measuring takes."""

    def __init__(self, folder: Path) -> None:
        self.asked: Indices = np.load(folder / "asked.npy")
        shape = (len(self.asked), SHAPE[1])
        self._history, self._holdout = load_csr(folder / "history", shape), load_csr(folder / "holdout", shape)
        self.seconds = 0.0

    def ndcg(self, users: Floats, scoring_items: Floats) -> float:
        """Mean ndcg@20 of the sampled users; their training entries are not ranked."""
        started = time.perf_counter()
        top = ExactSearch(scoring_items).search(users[self.asked], K, exclude=self._history)
        values = score_lists(top, self._holdout, f"ndcg@{K}")
        self.seconds += time.perf_counter() - started
        return float(values.mean())


def make_data(folder: Path, n_events: int) -> int:
    """Write the training matrix and the held-out entries. Returns the number of training entries."""
    csr = generate_matrix(make_world(n_users=SHAPE[0], n_items=SHAPE[1], seed=1), n_events)
    rng = np.random.default_rng(2)
    held = rng.random(csr.nnz) < HELD_OUT
    train, holdout = _only(csr, ~held), _only(csr, held)
    answerable = np.flatnonzero((np.diff(train.indptr) > 0) & (np.diff(holdout.indptr) > 0))
    asked = np.sort(rng.choice(answerable, min(ASKED, len(answerable)), replace=False)).astype(np.int32)
    save_csr(train, folder / "train")
    save_csr(Csr(train[asked]), folder / "history")
    save_csr(Csr(holdout[asked]), folder / "holdout")
    np.save(folder / "asked.npy", asked)
    return int(train.nnz)


def _only(csr: Csr, kept: np.ndarray[Any, np.dtype[np.bool_]]) -> Csr:
    indptr = np.concatenate([[0], np.cumsum(kept)])[csr.indptr].astype(np.int32)
    return Csr((csr.data[kept], csr.indices[kept], indptr), shape=csr.shape)


def curve_of_implicit(csr: Csr, config: AlsConfig, exam: Exam) -> list[tuple[float, float]]:
    """Seconds so far and ndcg@20 after each iteration of implicit on the weighted matrix, from its random start."""
    weighting = fit_confidence(csr, config)
    confidence = weighting.apply(csr).copy()
    scale = popularity_scale(weighting.item_degree, config.popularity_exponent)[:, None]
    curve: list[tuple[float, float]] = []

    def look(iteration: int, seconds: float, loss: float | None) -> None:
        elapsed = time.perf_counter() - started - exam.seconds
        curve.append((elapsed, exam.ndcg(solver.user_factors, solver.item_factors * scale)))

    with threadpool_limits(1, "blas"):
        solver = AlternatingLeastSquares(
            factors=config.factors,
            regularization=config.regularization,
            alpha=1.0,
            iterations=config.iterations,
            random_state=config.seed,
        )
        started = time.perf_counter()
        solver.fit(confidence, show_progress=False, callback=look)
    return curve


def curve_of_ours(csr: Csr, config: AlsConfig, exam: Exam) -> list[tuple[float, float]]:
    """Seconds so far, from the counts, and ndcg@20 after each iteration of ours."""
    curve: list[tuple[float, float]] = []

    def look(iteration: int, model: FactorModel) -> None:
        elapsed = time.perf_counter() - started - exam.seconds
        curve.append((elapsed, exam.ndcg(model.embeddings.users, model.embeddings.scoring_items)))

    matrix = _matrix(csr)
    _load_code(csr, config)
    started = time.perf_counter()
    fit_model(matrix, config, on_iteration=look)
    return curve


def _matrix(csr: Csr) -> InteractionMatrix:
    users, items = (IdMap.of([f"{number:07d}" for number in range(n)])[0] for n in csr.shape)
    return InteractionMatrix(users, items, csr)


def growth(variant: str, csr: Csr, config: AlsConfig) -> float:
    """Peak growth of this process in MiB while one iteration is fitted, the matrix included."""
    if variant in OURS:
        matrix, once = _matrix(csr), config.model_copy(update={"iterations": 1})
        _load_code(csr, config)
        return shop.growth(lambda: fit_model(matrix, once))
    with threadpool_limits(1, "blas"):
        return shop.growth(lambda: _fit_bare(csr, config))


def _load_code(csr: Csr, config: AlsConfig) -> None:
    """Compile or load the loops of a fit, which a process does once."""
    fit_model(_matrix(Csr(csr[:1000])), config.model_copy(update={"factors": 4, "iterations": 1}))


def _fit_bare(csr: Csr, config: AlsConfig) -> None:
    confidence = writeable(fit_confidence(csr, config).apply(csr))
    AlternatingLeastSquares(factors=config.factors, iterations=1).fit(confidence, show_progress=False)


def compare(folder: Path, factors: int, iterations: int) -> str:
    """One row of the table: seconds of both sides to the same quality, their ratio, and memory."""
    curves = {}
    for variant, most in (("implicit", iterations), *((ours, OUR_ITERATIONS) for ours in OURS)):
        curves[variant] = _child("curve", variant, folder, factors, most)
        shown = "  ".join(f"{ndcg:.4f} after {seconds:.1f} s" for seconds, ndcg in curves[variant])
        print(f"{factors} factors, {variant}: {shown}", flush=True)
    target = NEAR * curves["implicit"][-1][1]
    reached = {name: _first(curve, target) for name, curve in curves.items()}
    held = [_child("growth", variant, folder, factors, 1) for variant in (*OURS, "implicit")]
    base = (8 * np.load(folder / "train.data.npy", mmap_mode="r").size + 4 * factors * sum(SHAPE)) / _MIB
    theirs = reached["implicit"]
    ours = [reached[variant] for variant in OURS]
    ratios = [f"{mine[1] / theirs[1]:.2f}" if mine and theirs else "not reached" for mine in ours]
    cells = (
        str(factors),
        f"{target:.4f}",
        _told(theirs),
        *(cell for pair in zip(map(_told, ours), ratios, strict=True) for cell in pair),
        *(f"{grown / base:.2f}" for grown in held),
    )
    return f"| {' | '.join(cells)} |"


def _first(curve: list[tuple[float, float]], target: float) -> tuple[int, float] | None:
    return next(((at, seconds) for at, (seconds, ndcg) in enumerate(curve, start=1) if ndcg >= target), None)


def _told(reached: tuple[int, float] | None) -> str:
    return f"{reached[1]:.1f} s ({reached[0]})" if reached else "not reached"


def _child(part: str, variant: str, folder: Path, factors: int, iterations: int) -> Any:
    """The result of another process that does one fit only, so that memory peaks are not shared."""
    given = (part, variant, str(folder), str(factors), str(iterations))
    answer = subprocess.run([sys.executable, __file__, "--only", *given], check=True, stdout=subprocess.PIPE)
    return json.loads(answer.stdout)


def _measure(part: str, variant: str, folder: Path, config: AlsConfig) -> Any:
    csr = load_csr(folder / "train", SHAPE)
    config = config.model_copy(update={"solver": OURS.get(variant, config.solver)})
    if part == "growth":
        return growth(variant, csr, config)
    curve = curve_of_ours if variant in OURS else curve_of_implicit
    return curve(csr, config, Exam(folder))


def main() -> None:
    """Read the arguments; the parent compares, a child measures one fit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=53_000_000)
    parser.add_argument("--factors", type=int, nargs="+", default=[64, 128, 256])
    parser.add_argument("--iterations", type=int, default=15, help="of implicit, until it counts as converged")
    parser.add_argument("--only", nargs=5, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.only:
        part, variant, folder, factors, iterations = args.only
        config = AlsConfig(factors=int(factors), iterations=int(iterations))
        print(json.dumps(_measure(part, variant, Path(folder), config)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        n_entries = make_data(folder, args.events)
        print(f"{args.events:,} events, {n_entries:,} entries to train on, {SHAPE[0]:,} x {SHAPE[1]:,}", flush=True)
        rows = [compare(folder, factors, args.iterations) for factors in args.factors]
    sides = " | ".join(f"{name} | ratio" for name in OURS)
    memory = " | ".join(f"memory, {name}" for name in (*OURS, "implicit"))
    print(f"| factors | ndcg@20 wanted | implicit | {sides} | {memory} |")
    print("|" + " --: |" * (4 + 3 * len(OURS)), *rows, sep="\n")


if __name__ == "__main__":
    main()
