"""recsys beside the libraries that a user would pick instead: quality, processor time and memory on three real logs.

    python -m venv peers; peers/bin/pip install --group peers
    python -m venv peers-rectools; peers-rectools/bin/pip install --group peers-rectools
    RECSYS_DATA_DIR=data python benchmarks/peers.py --python peers/bin/python peers-rectools/bin/python

The libraries stand in environments of their own, because they need older versions of pandas and numpy than recsys
does, and RecTools than the others (`--group` needs pip 25.1; the groups are in pyproject.toml, and in no lock file).
A library that no interpreter of `--python` has is left out with a message.

All sides get the same split, the matrix that [log] and [prepare] of the card make of its train side, and the same
metric code, ours. A peer's settings are chosen by ndcg@20 on the held-out pairs of the train side that recsys itself
chooses on; then it is fitted once on the whole train side. The grids are in peer_grids.py.
`--metrics` compares how RecTools, ranx and LensKit count instead: their metrics on the lists of recsys.
recsys runs as a newcomer has it (the card without its [model] section), and with the card's settings if it has some.
Every fit is a process of its own. A peer's fits are kept in `--folder` and not repeated; delete it to measure again.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from peer_grids import PEERS, Peer
from peer_metrics import LIBRARIES, print_metrics
from peer_models import PLACES, Lists, Part, Settings
from peer_ours import SETTINGS, VARIANTS, card, variants
from peer_table import METRIC, Row, print_table

from pipelines.steps.evaluate import held_out
from pipelines.steps.run import run
from pipelines.steps.workspace import Workspace
from recsys.data.interactions import Interactions
from recsys.data.splits.split import Split
from recsys.evaluation.evaluator import evaluate, score_lists
from recsys.evaluation.metrics import Values
from recsys.models.recommender import Queries
from recsys.progress import silent
from recsys.retrieval.topk import TopK
from recsys.tuning.validation import Validation, ValidationSet

HERE = Path(__file__).parent
LOGS = ("online-retail-ii", "goodbooks-10k", "gowalla")
VALIDATION_USERS, QUICK_USERS, QUICK_SETTINGS = 5000, 500, 2


@dataclass(frozen=True)
class Fit:
    """One fit: its lists and what it took. `seconds` of the processor; `mib`: the most memory of the process."""

    lists: Lists
    fit_seconds: float
    list_seconds: float
    mib: float


@dataclass(frozen=True)
class Case:
    """A log, prepared and split. `folder`: what its fits read and write."""

    log: str
    folder: Path
    split: Split
    validation: ValidationSet

    @cached_property
    def parts(self) -> dict[str, Path]:
        """The folders that a fit may read: "validation" and "test"."""
        held = {"validation": self.validation, "test": self.split}
        histories = {"validation": self.validation.history, "test": self.split.queries_history}
        for name, side in held.items():
            Part(side.train.csr, histories[name], side.user_idx).save(self.folder / name)
        return {name: self.folder / name for name in held}


def main() -> None:
    """Print one table per log."""
    args = _arguments()
    wanted = LIBRARIES if args.metrics else sorted({PEERS[name].library for name in args.peers})
    interpreters = _interpreters(args.python, wanted)
    for log in args.logs:
        case = make_case(log, args.folder.absolute() / log, users=QUICK_USERS if args.quick else VALIDATION_USERS)
        title = f"{log}: {case.split.train!r}, {len(case.split.user_ids):,} users evaluated"
        rows = [ours(case, variant) for variant in (["default"] if args.metrics else variants(log))]
        n_ours = len(rows)
        if args.metrics:
            print_metrics(rows[0].lists, case.split.holdout, rows[0].per_user, interpreters, title=title)
            continue
        for name in args.peers:
            if (row := measured(case, name, interpreters, quick=args.quick)) is not None:
                rows.append(row)
        print_table(title, rows, n_ours=n_ours)


def make_case(log: str, folder: Path, *, users: int) -> Case:
    """Prepare a log in a workspace of its own, split it, and draw up to `users` validation users."""
    config = card(log, folder / "prepared")
    run(config, steps=("prepare",), progress=silent)
    split = held_out(config, Workspace(config.workspace))
    events = Interactions.load(Workspace(config.workspace).folder("prepare") / "events")
    validation = Validation(events, config, n_users=users).under(config)
    return Case(log, folder / _key(split, validation), split, validation)


def _key(split: Split, validation: ValidationSet) -> str:
    """Of the data: fits to other data are other fits."""
    digest = hashlib.sha256()
    for matrix in (split.train.csr, split.queries_history, validation.train.csr, validation.history):
        for array in (matrix.indptr, matrix.indices, matrix.data):
            digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()[:12]


def ours(case: Case, variant: str) -> Row:
    """recsys in a process of its own: the steps prepare, evaluate and train, always anew."""
    print(f"{case.log}: {VARIANTS[variant]}", file=sys.stderr, flush=True)
    out = case.folder.parent / variant
    out.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, str(HERE / "peer_ours.py"), case.log, variant, str(out)], check=True)
    figures = json.loads((out / "figures.json").read_text())
    lists = np.load(out / "lists.npy")
    values = _evaluated(VARIANTS[variant], lists, case.split)
    return Row(VARIANTS[variant], SETTINGS[variant], lists, values, **figures)


def measured(case: Case, name: str, interpreters: dict[str, str], *, quick: bool) -> Row | None:
    """A peer with the best settings of its grid; None, with a message, if it is left out."""
    peer = PEERS[name]
    if peer.library not in interpreters:
        return None
    if peer.most_items is not None and case.split.train.n_items > peer.most_items:
        print(f"{name} is left out: {case.split.train.n_items:,} items, at most {peer.most_items:,}", file=sys.stderr)
        return None
    python, grid = interpreters[peer.library], peer.grid[:QUICK_SETTINGS] if quick else peer.grid
    try:
        chosen, choose_seconds = _chosen(case, name, grid, python)
        fit = fitted(case, name, chosen, part="test", python=python)
    except subprocess.CalledProcessError as error:
        print(
            f"{name} is left out: its process ended with {error.returncode}: {error.stderr[-2000:]}", file=sys.stderr
        )
        return None
    values = _evaluated(name, fit.lists, case.split)
    title = f"{peer.library}: {peer.what}"
    return Row(title, _shown(peer, chosen), fit.lists, values, fit.fit_seconds, choose_seconds, fit.mib)


def _chosen(case: Case, name: str, grid: Sequence[Settings], python: str) -> tuple[Settings, float]:
    """The settings that rank the validation users best, and the processor seconds of all fits."""
    found: list[tuple[float, Settings]] = []
    seconds = 0.0
    for each in grid if len(grid) > 1 else ():
        settings = {**PEERS[name].fixed, **each}
        fit = fitted(case, name, settings, part="validation", python=python)
        found.append((float(score_lists(_ranked(fit.lists), case.validation.holdout, METRIC).mean()), settings))
        seconds += fit.fit_seconds + fit.list_seconds
        print(f"{case.log}: {name} {settings}: {found[-1][0]:.4f}", file=sys.stderr, flush=True)
    best = max(found, key=lambda each: each[0])[1] if found else {**PEERS[name].fixed, **grid[0]}
    return best, seconds


def fitted(case: Case, name: str, settings: Settings, *, part: str, python: str) -> Fit:
    """Fit in a process of its own, or read what it left before. Raises CalledProcessError if the process fails."""
    key = hashlib.sha256(json.dumps([name, settings], sort_keys=True).encode()).hexdigest()[:12]
    out = case.folder / "fits" / f"{part}-{name}-{key}"
    if not (out / "figures.json").exists():
        out.mkdir(parents=True, exist_ok=True)
        command = [python, str(HERE / "peer_fit.py"), name, json.dumps(settings), str(case.parts[part]), str(out)]
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        subprocess.run(
            command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment
        )
    return Fit(np.load(out / "lists.npy"), **json.loads((out / "figures.json").read_text()))


@dataclass(frozen=True)
class _Precomputed:
    """A recommender that answers from lists made before, in the order of the queries."""

    name: str
    lists: Iterator[Lists]

    def recommend(self, queries: Queries, k: int) -> TopK:
        """The next lists."""
        return _ranked(np.stack([next(self.lists) for _ in range(len(queries))]))


def _evaluated(name: str, lists: Lists, split: Split) -> dict[str, Values]:
    """The metrics of `evaluate` for each user; raises ModelError if a list holds a seen or repeated item."""
    return dict(evaluate(_Precomputed(name, iter(lists)), split, cutoffs=(PLACES,)).per_user)


def _ranked(lists: Lists) -> TopK:
    """The lists with scores that fall from place to place."""
    filled = lists >= 0
    scores = np.where(filled, -np.arange(lists.shape[1], dtype=np.float32), -np.inf).astype(np.float32)
    return TopK(lists, scores, filled.sum(axis=1).astype(np.int32))


def _shown(peer: Peer, settings: Settings) -> str:
    tried = f" (of {len(peer.grid)})" if len(peer.grid) > 1 else ""
    return (", ".join(f"{name} {value}" for name, value in settings.items()) or "defaults") + tried


def _interpreters(pythons: Sequence[str], libraries: Sequence[str]) -> dict[str, str]:
    """For each library the first interpreter that has it; a message for each that none has."""
    found: dict[str, str] = {}
    for library in libraries:
        probe = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({library!r}) is None)"
        has = (python for python in pythons if subprocess.run([python, "-c", probe], check=False).returncode == 0)
        if (python := next(has, None)) is not None:
            found[library] = python
        else:
            group = "peers-rectools" if library == "rectools" else "peers"
            print(
                f"{library} is left out: none of {', '.join(pythons)} has it; install it into an environment of"
                f" its own with `pip install --group {group}` and name its interpreter with --python",
                file=sys.stderr,
            )
    return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--logs", nargs="+", choices=LOGS, default=LOGS, metavar="NAME", help=", ".join(LOGS))
    parser.add_argument(
        "--peers", nargs="*", choices=PEERS, default=list(PEERS), metavar="NAME", help=", ".join(PEERS)
    )
    parser.add_argument("--python", nargs="+", default=[sys.executable], help="interpreters that have the libraries")
    parser.add_argument("--folder", type=Path, default=HERE.parent / "runs" / "peers", help="where fits are kept")
    parser.add_argument("--metrics", action="store_true", help="only compare how the libraries count our own lists")
    parser.add_argument("--quick", action="store_true", help="the first two settings of each grid, 500 users choose")
    return parser.parse_args()


if __name__ == "__main__":
    main()
