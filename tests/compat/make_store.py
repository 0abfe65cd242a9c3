"""Write a tiny store and the answers it gives: what later releases must still load and answer alike.

Run once for each schema version, by the last release that writes it, and never again:

    python tests/compat/make_store.py tests/compat/schema-1
"""

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from recsys.artifacts.bundle import seal_bundle
from recsys.artifacts.contents import Contents
from recsys.artifacts.manifest import VersionFacts
from recsys.artifacts.registry import Registry
from recsys.data.id_map import IdMap
from recsys.data.items import Items
from recsys.data.matrix import InteractionMatrix, csr_from_pairs
from recsys.engine import Answer, Engine
from recsys.models.factors.als import AlsConfig
from recsys.models.registry import fit_model
from recsys.retrieval.exact import normalised
from recsys.retrieval.flat_index import build_index

N_USERS, N_ITEMS = 24, 18
CONFIG = AlsConfig(factors=4, iterations=3, regularization=1.0, popularity_exponent=0.2)
USERS = ("user 00", "user 07", "üser 23", "somebody else")
ITEM = "item 03"


def make(store: Path) -> None:
    """Train on three planted groups, publish twice, and write what is answered to `store`/answers.json."""
    matrix = planted()
    first, second = (seal(store, matrix, verdict) for verdict in ("first", "second"))
    registry = Registry(store)
    registry.publish(first)
    registry.publish(second)
    text = json.dumps(answers(Engine(registry.load())), indent=1, ensure_ascii=False)
    (store / "answers.json").write_text(text + "\n", encoding="utf-8")


def planted() -> InteractionMatrix:
    """Users and items of group g are those whose number leaves g when divided by three."""
    users, _ = IdMap.of([f"{'ü' if number == 23 else 'u'}ser {number:02}" for number in range(N_USERS)])
    items, _ = IdMap.of([f"item {number:02}" for number in range(N_ITEMS)])
    user, item = np.divmod(np.arange(N_USERS * N_ITEMS, dtype=np.int32), N_ITEMS)
    chosen = (user % 3 == item % 3) & ((user * 7 + item * 5) % 4 > 0) | ((user + item) % 11 == 0)
    weight = (1 + (user + item) % 3).astype(np.float32)
    csr = csr_from_pairs(user[chosen], item[chosen], weight[chosen], (N_USERS, N_ITEMS))
    return InteractionMatrix(users, items, csr)


def seal(store: Path, matrix: InteractionMatrix, name: str) -> str:
    """Seal a version; `name` goes into its configuration, so that it is a version of its own."""
    model = fit_model(matrix, CONFIG)
    titles = [None if number == 5 else f"Title {number}" for number in range(N_ITEMS)]
    table = pa.table({"title": pa.array(titles, pa.string()), "price": np.arange(N_ITEMS, dtype=np.float64)})
    return seal_bundle(
        store,
        Contents(
            users=matrix.users,
            items=Items(matrix.items, table),
            model=model,
            history=matrix.csr,
            popularity=np.asarray(model.item_degree),
            index=build_index(model.embeddings.scoring_items),
            similar=build_index(normalised(model.embeddings.items)),
        ),
        VersionFacts(
            config={"name": name, "model": CONFIG.model_dump(mode="json")},
            log={"fingerprint": "planted", "rows_read": int(matrix.csr.nnz)},
            counts={"users": N_USERS, "items": N_ITEMS, "entries": int(matrix.csr.nnz)},
            metrics={"ndcg@20": 0.5, "coverage@20": None},
            gates=[{"name": "beats most popular", "passed": True, "detail": "by hand"}],
            verdict="published",
            index={"recall@100": 1.0},
        ),
    ).version


def answers(engine: Engine) -> dict[str, Any]:
    """What the engine says to a fixed set of questions, without the version's name."""
    return {
        "recommend": {user_id: _plain(engine.recommend(user_id, k=8)) for user_id in USERS},
        "seen too": _plain(engine.recommend(USERS[0], k=5, exclude_seen=False)),
        "similar": _plain(engine.similar(ITEM, k=5)),
        "item": dataclasses.asdict(engine.item(ITEM)),
        "history": [dataclasses.asdict(item) for item in engine.history(USERS[1])],
    }


def _plain(answer: Answer) -> dict[str, Any]:
    fields = dataclasses.asdict(answer)
    return {name: value for name, value in fields.items() if name not in {"model_version", "warnings"}}


if __name__ == "__main__":
    make(Path(sys.argv[1]))
