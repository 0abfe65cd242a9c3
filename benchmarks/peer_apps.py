"""What a user would write instead of a service: an app of forty lines around the same vectors. Run by uvicorn.

    PEER_ARRAYS=FOLDER uvicorn --app-dir benchmarks peer_apps:implicit_app      # or numpy_app, qdrant_app

It imports nothing of recsys, because it runs in the environment of `peers_serving.py --python`. `async def` is the
quicker choice for all three: a plain function would be called in a thread. What a user has seen is left out.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
from fastapi import FastAPI, HTTPException
from scipy.sparse import csr_matrix

_FOLDER = Path(os.environ["PEER_ARRAYS"])


def _array(name: str) -> Any:
    return np.load(_FOLDER / f"{name}.npy")


def _seen() -> csr_matrix:
    """CSR (n_users, n_items): what each user has seen."""
    indices = _array("seen_indices")
    return csr_matrix(
        (np.ones(len(indices), np.float32), indices, _array("seen_indptr")),
        shape=(len(_array("users")), len(_array("items"))),
    )


def implicit_app() -> FastAPI:
    """Around `recommend` of implicit."""
    from implicit.cpu.als import AlternatingLeastSquares  # noqa: PLC0415  (each app has its own library)

    model = AlternatingLeastSquares(factors=_array("items").shape[1])
    model.user_factors, model.item_factors, seen = _array("users"), _array("items"), _seen()
    position = {user: at for at, user in enumerate(_array("user_ids").tolist())}
    item_ids = _array("item_ids").tolist()
    app = FastAPI()

    @app.get("/users/{user_id}/recommendations")
    async def recommend(user_id: str, k: int = 10) -> dict[str, Any]:
        at = position.get(user_id)
        if at is None:
            raise HTTPException(404, "unknown user")
        found, scores = model.recommend(at, seen[at], N=k, filter_already_liked_items=True)
        items = zip(found.tolist(), scores.tolist(), strict=True)
        return {"user_id": user_id, "items": [{"item_id": item_ids[item], "score": score} for item, score in items]}

    return app


def numpy_app() -> FastAPI:
    """A product and `argpartition`."""
    users, items, seen = _array("users"), _array("items"), _seen()
    position = {user: at for at, user in enumerate(_array("user_ids").tolist())}
    item_ids = _array("item_ids").tolist()
    app = FastAPI()

    @app.get("/users/{user_id}/recommendations")
    async def recommend(user_id: str, k: int = 10) -> dict[str, Any]:
        at = position.get(user_id)
        if at is None:
            raise HTTPException(404, "unknown user")
        scores = items @ users[at]
        scores[seen.indices[seen.indptr[at] : seen.indptr[at + 1]]] = -np.inf
        best = np.argpartition(-scores, k)[:k]
        best = best[np.argsort(-scores[best])]
        found = zip(best.tolist(), scores[best].tolist(), strict=True)
        return {"user_id": user_id, "items": [{"item_id": item_ids[item], "score": score} for item, score in found]}

    return app


def qdrant_app() -> FastAPI:
    """A collection of qdrant-client's local mode, asked with a filter."""
    from qdrant_client import QdrantClient, models  # noqa: PLC0415

    users, items, seen = _array("users"), _array("items"), _seen()
    item_ids, prices = _array("item_ids").tolist(), _array("prices").tolist()
    client = QdrantClient(":memory:")
    vectors = models.VectorParams(size=items.shape[1], distance=models.Distance.DOT)
    client.create_collection("items", vectors_config=vectors)
    payload = [{"item_id": item_id, "price": price} for item_id, price in zip(item_ids, prices, strict=True)]
    client.upload_collection("items", items, payload=payload, ids=range(len(items)))
    position = {user: at for at, user in enumerate(_array("user_ids").tolist())}
    cheap = models.FieldCondition(key="price", range=models.Range(lt=float(_array("max_price"))))
    app = FastAPI()

    @app.get("/users/{user_id}/filtered")
    async def filtered(user_id: str, k: int = 10) -> dict[str, Any]:
        at = position.get(user_id)
        if at is None:
            raise HTTPException(404, "unknown user")
        known = models.HasIdCondition(has_id=seen.indices[seen.indptr[at] : seen.indptr[at + 1]].tolist())
        condition = models.Filter(must=[cheap], must_not=[known])
        found = client.query_points("items", query=users[at], query_filter=condition, limit=k).points
        items = [{"item_id": point.payload["item_id"], "score": point.score} for point in found if point.payload]
        return {"user_id": user_id, "items": items}

    return app
