"""The models that peers.py compares with, and the settings that are tried for each."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from peer_models import (
    MakeLists,
    Part,
    Settings,
    fit_implicit_als,
    fit_implicit_bm25,
    fit_irspack,
    fit_lenskit,
    fit_rectools,
    rectools_als,
    rectools_ease,
)


@dataclass(frozen=True)
class Peer:
    """A model of a library.

    `fit(part, settings)` returns the function that makes the lists. `grid`: the settings that are tried, each
    together with `fixed`. `most_items`: larger catalogues are left out, for the memory or the time.
    """

    library: str
    what: str
    fit: Callable[[Part, Settings], MakeLists]
    grid: tuple[Settings, ...] = ({},)
    fixed: Settings = field(default_factory=dict)
    most_items: int | None = None


def grid(**values: tuple[Any, ...]) -> tuple[Settings, ...]:
    """Every combination of the values."""
    return tuple(dict(zip(values, each, strict=True)) for each in product(*values.values()))


DENSE, SMALL = 12_000, 5_000
"""Items up to which a model is fitted that makes a dense matrix of items by items or lists one user at a time, and
one that needs minutes per thousand items."""

PEERS: dict[str, Peer] = {
    "implicit-defaults": Peer("implicit", "ALS with its defaults, log weights", fit_implicit_als),
    "implicit-als": Peer(
        "implicit",
        "ALS, log weights",
        fit_implicit_als,
        grid(alpha=(2, 10, 40), regularization=(5, 20, 80)) + grid(factors=(512,), alpha=(40,), regularization=(5,)),
        {"factors": 256, "iterations": 10},
    ),
    "implicit-bm25": Peer("implicit", "item k-NN, BM25", fit_implicit_bm25, grid(K=(20, 100), B=(0.2, 0.75))),
    "irspack-ials": Peer(
        "irspack",
        "iALS",
        fit_irspack("IALSRecommender"),
        grid(alpha0=(0.03, 0.1, 0.3), reg=(0.003, 0.01)) + grid(n_components=(512,), alpha0=(0.03,), reg=(0.003,)),
        {"n_components": 128},
    ),
    "irspack-ease": Peer(
        "irspack", "EASE", fit_irspack("DenseSLIMRecommender"), grid(reg=(50, 150, 400)), most_items=DENSE
    ),
    "irspack-edlae": Peer(
        "irspack",
        "EDLAE",
        fit_irspack("EDLAERecommender"),
        grid(reg=(20, 100), dropout_p=(0.3,)),
        most_items=DENSE,
    ),
    "irspack-rp3beta": Peer(
        "irspack",
        "RP3beta",
        fit_irspack("RP3betaRecommender"),
        grid(alpha=(0.7, 1.0), beta=(0.2, 0.5)),
        {"top_k": 200, "normalize_weight": True},
    ),
    "irspack-slim": Peer(
        "irspack", "SLIM", fit_irspack("SLIMRecommender"), grid(alpha=(0.02, 0.05, 0.1)), most_items=SMALL
    ),
    "lenskit-als": Peer(
        "lenskit",
        "implicit MF",
        fit_lenskit("lenskit.als", "ImplicitMFScorer"),
        grid(weight=(2, 10, 40), regularization=(5,)),
        {"embedding_size": 64},
        most_items=DENSE,
    ),
    "lenskit-knn": Peer(
        "lenskit",
        "item k-NN",
        fit_lenskit("lenskit.knn", "ItemKNNScorer"),
        grid(max_nbrs=(20, 100)),
        {"feedback": "implicit", "save_nbrs": 500},
        most_items=DENSE,
    ),
    "lenskit-ease": Peer(
        "lenskit",
        "EASE",
        fit_lenskit("lenskit.knn", "EASEScorer"),
        grid(regularization=(50, 150, 400)),
        most_items=SMALL,
    ),
    "rectools-als": Peer(
        "rectools",
        "its wrapper of implicit's ALS, log weights",
        fit_rectools(rectools_als, "log"),
        grid(alpha=(2, 10), regularization=(20,)),
        {"factors": 256, "iterations": 10},
    ),
    "rectools-ease": Peer(
        "rectools",
        "EASE",
        fit_rectools(rectools_ease, "presence"),
        grid(regularization=(50, 150, 400)),
        most_items=SMALL,
    ),
}
