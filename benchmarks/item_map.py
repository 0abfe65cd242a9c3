"""What the map of a version's items costs: processor seconds of PCA and t-SNE.

    python benchmarks/item_map.py --store runs/goodbooks-10k/store --store runs/gowalla/store --made-up 100000

Processor seconds, because they change less with what else the machine does. `--made-up`: a catalogue of so many items
in a thousand groups, 64 dimensions, users falling as 1 / rank.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from recsys.artifacts.registry import Registry
from recsys.data.arrays import Floats
from recsys.space.item_map import MapMethod, make_map

_METHODS: tuple[MapMethod, ...] = ("pca", "tsne")


def main() -> None:
    """Measure, and print the table of RESULTS.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, action="append", default=[])
    parser.add_argument("--made-up", type=int, action="append", default=[], metavar="ITEMS")
    parser.add_argument("--map-items", type=int, default=10_000, help="as publish.map_items")
    arguments = parser.parse_args()
    print("| items | dimensions | pca, CPU s | tsne, CPU s |\n| --: | --: | --: | --: |")
    for store in arguments.store:
        model = Registry(store).load().model
        _measure(np.array(model.embeddings.items), model.item_degree, arguments.map_items)
    for n_items in arguments.made_up:
        _measure(*_made_up(n_items), arguments.map_items)


def _measure(vectors: Floats, degree: Floats, most: int) -> None:
    seconds = []
    for method in _METHODS:
        started = time.process_time()
        make_map(vectors, degree, method=method, most=most)
        seconds.append(time.process_time() - started)
    known = int(vectors.any(axis=1).sum())
    print(f"| {known:,} | {vectors.shape[1]} | {seconds[0]:.2f} | {seconds[1]:.1f} |", flush=True)


def _made_up(n_items: int) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(1)
    groups = rng.normal(size=(1_000, 64))
    vectors = groups[rng.integers(0, 1_000, n_items)] + rng.normal(0, 0.7, (n_items, 64))
    return vectors.astype(np.float32), (1e5 / np.arange(1, n_items + 1)).astype(np.float32)


if __name__ == "__main__":
    main()
