"""By how much the scores of folded-in histories differ from the trained ones, on the version that a store serves.

    python benchmarks/folded_scores.py --store runs/goodbooks-10k/store [--users 1000]

Users drawn at random, the ten items that each would be listed (by exact search, seen items left out): the relative
difference of an item's score between the trained user vector and the stored history folded in.
"""

import argparse
from pathlib import Path

import numpy as np

from recsys.artifacts.bundle import Bundle
from recsys.artifacts.registry import Registry
from recsys.data.arrays import Floats


def differences(bundle: Bundle, *, n_users: int, k: int = 10) -> Floats:
    """Float32 (n_users * k,): |folded-in - trained score| / |trained score|."""
    rng = np.random.default_rng(1)
    users = np.sort(rng.choice(len(bundle.users), min(n_users, len(bundle.users)), replace=False))
    embeddings, history = bundle.model.embeddings, bundle.history[users]
    items = embeddings.scoring_items
    trained, folded = embeddings.users[users] @ items.T, bundle.model.fold_in(history) @ items.T
    trained[history.nonzero()] = -np.inf
    listed = np.argsort(-trained, axis=1)[:, :k]
    scores, again = (np.take_along_axis(each, listed, axis=1) for each in (trained, folded))
    there = np.isfinite(scores) & (scores != 0)
    found: Floats = np.abs(again - scores)[there] / np.abs(scores[there])
    return found


def main() -> None:
    """Read the arguments, measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--users", type=int, default=1_000)
    args = parser.parse_args()
    bundle = Registry(args.store).load()
    half, most = np.quantile(differences(bundle, n_users=args.users), (0.5, 0.9))
    print(f"{bundle.manifest.version}: scores differ by {half:.2%} (median), a tenth of them by more than {most:.2%}")


if __name__ == "__main__":
    main()
