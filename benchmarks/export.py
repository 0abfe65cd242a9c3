"""Time of `recsys export` for every user's 100 best unseen items, against implicit's batch `recommend`.

    python benchmarks/export.py                                  # 10,000 users, 64 and 128 factors
    python benchmarks/export.py --users 138000 --repeats 1       # all of them
    python benchmarks/export.py --factors 64 --profile           # where the time of an export in one thread goes

27,000 items, about 145 items per history. Ours reads a sealed version, ranks, settles near-ties in double precision,
looks up ids and writes a Parquet file; implicit ranks the same vectors in one call and writes nothing. implicit
runs with one BLAS thread and with all, and the better result counts; on either side the minimum over
the repeats counts.
"Lists" is our ranking alone: `Engine.iter_all`.
"""

import argparse
import cProfile
import pstats
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import shop

from pipelines.commands.export import export
from recsys.artifacts.bundle import VERSIONS, load_bundle, seal_bundle
from recsys.artifacts.contents import Contents
from recsys.artifacts.manifest import VersionFacts
from recsys.data.confidence import fit_confidence
from recsys.data.id_map import IdMap
from recsys.data.items import Items
from recsys.data.matrix import Csr
from recsys.engine import Engine
from recsys.models.factors.als import AlsConfig
from recsys.models.factors.als_model import AlsModel
from recsys.models.factors.embeddings import Embeddings
from recsys.progress import silent
from recsys.retrieval.exact import normalised
from recsys.retrieval.flat_index import build_index

K = 100


def publish(store: Path, histories: Csr, factors: int) -> Engine:
    """Fit vectors, seal a version of them below `store`, and load it."""
    users, items = shop.make_vectors(histories, factors)
    n_users, n_items = histories.shape
    embeddings = Embeddings(users, items, np.ones(n_items, np.float32))
    model = AlsModel(embeddings, fit_confidence(histories, AlsConfig()), 30.0)
    manifest = seal_bundle(
        store,
        Contents(
            users=IdMap.of([f"u{number:07d}" for number in range(n_users)])[0],
            items=Items.without_attributes(IdMap.of([f"b{number:06d}" for number in range(n_items)])[0]),
            model=model,
            history=histories,
            popularity=model.item_degree,
            index=build_index(items),
            similar=build_index(normalised(items)),
        ),
        VersionFacts(
            verdict="passed",
        ),
    )
    return Engine(load_bundle(store / VERSIONS / manifest.version))


def compare(store: Path, histories: Csr, factors: int, repeats: int, *, profile: bool) -> None:
    """The two table rows of one dimension, and the profile of an export if it is wanted."""
    engine, out = publish(store, histories, factors), store / "lists.parquet"
    vectors = load_bundle(store / VERSIONS / engine.version).model.embeddings
    model = shop.make_implicit(np.asarray(vectors.users), np.asarray(vectors.items))
    everybody = np.arange(histories.shape[0])
    runs: dict[str, list[shop.Clocked]] = {"lists": [], "export": [], "implicit": []}
    for _ in range(repeats):
        for threads in shop.BLAS_THREADS:
            call = partial(model.recommend, everybody, histories, N=K)
            runs["implicit"].append(shop.under_blas(partial(shop.clocked, call), threads))
        runs["export"].append(shop.clocked(partial(export, engine, out, k=K, progress=silent)))
        runs["lists"].append(shop.clocked(lambda: sum(len(top) for _, top in engine.iter_all(K))))
    best = {name: shop.least(times) for name, times in runs.items()}
    for unit, at in (("s", 0), ("cpu s", 1)):
        lists, whole, theirs = (best[name][at] for name in ("lists", "export", "implicit"))
        ratios = f"**{theirs / whole:.2f}** | {theirs / lists:.2f}"
        print(f"| {factors} | {unit} | {lists:.2f} | {whole:.2f} | {theirs:.2f} | {ratios} |", flush=True)
    print_agreement(engine, model.recommend(everybody[:1000], histories[:1000], N=K)[0])
    if profile:
        print_profile(engine, out)


def print_profile(engine: Engine, out: Path) -> None:
    """Where one export in one thread spends its time."""
    with cProfile.Profile() as profile:
        shop.under_blas(partial(export, engine, out, k=K, progress=silent), 1)
    pstats.Stats(profile).sort_stats("tottime").print_stats(12)


def print_agreement(engine: Engine, theirs: Any) -> None:
    """The share of places at which both name the same item.

    Near-ties may trade places. Without a history, ours lists the most popular items, implicit arbitrary ones.
    """
    _, ours = next(engine.iter_all(K, batch=len(theirs)))
    same = ours.filled & (ours.indices == theirs)
    print(f"\nsame item at {same.sum() / ours.filled.sum():.4%} of the places of {len(theirs)} users\n")


def main() -> None:
    """Read the arguments and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=10_000, help=f"how many; {shop.ALL_USERS} are all (10000)")
    parser.add_argument("--factors", type=int, nargs="+", default=[64, 128], help="dimensions (64 128)")
    parser.add_argument("--repeats", type=int, default=2, help="runs of each side, the least counts (2)")
    parser.add_argument("--profile", action="store_true", help="print where the time of an export goes")
    args = parser.parse_args()
    histories = shop.make_histories(args.users)
    print(f"{shop.CORES} cores, {args.users:,} users, {shop.N_ITEMS:,} items, {histories.nnz:,} seen, k = {K}\n")
    print("| factors | | lists | export | implicit | implicit / export | implicit / lists |")
    print("| --: | :-- | --: | --: | --: | --: | --: |")
    for factors in args.factors:
        with tempfile.TemporaryDirectory() as folder:
            compare(Path(folder), histories, factors, args.repeats, profile=args.profile)


if __name__ == "__main__":
    main()
