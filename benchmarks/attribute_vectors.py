"""Authors of goodbooks as vectors: random directions against a truncated SVD and one dimension per author.

1,000 of 10,000 books are hidden from a 64-dimensional ALS; each gets the mean of the learned vectors of the 20
nearest other books by content, weighted by cosine to a power; every reader's hidden books are ranked among these.

    RECSYS_DATA_DIR=data python benchmarks/attribute_vectors.py
"""

import tempfile
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize

from pipelines.steps.encode import prepared_items
from pipelines.steps.run import run
from pipelines.steps.workspace import Workspace
from recsys.content.encoders.attributes import AttributesConfig, fit_attributes
from recsys.data.matrix import Csr, InteractionMatrix
from recsys.models.registry import fit_model, model_config
from recsys.pipeline_config import load_config
from recsys.progress import silent

CARD = Path(__file__).parents[1] / "datasets" / "goodbooks-10k" / "pipeline.toml"
ALS = {"algorithm": "als", "factors": 64, "auto": False, "iterations": 8, "neighbours": 0}
N_HIDDEN, K, NEAREST = 1_000, 20, 20


def main() -> None:
    """Print recall@20 and ndcg@20 of every form, by power."""
    with tempfile.TemporaryDirectory() as folder:
        config = load_config(CARD, overrides={"workspace": folder, "publish.store": f"{folder}/store"})
        run(config, steps=("prepare",), progress=silent)
        matrix = InteractionMatrix.load(Path(folder) / "prepare" / "matrix")
        items = prepared_items(config, Workspace(config.workspace))
        hidden = np.sort(np.random.default_rng(77).choice(matrix.n_items, N_HIDDEN, replace=False)).astype(np.int32)
        warm = np.setdiff1d(np.arange(matrix.n_items, dtype=np.int32), hidden)
        seen = Csr(sp.csr_matrix(matrix.csr)[:, warm])
        model = fit_model(InteractionMatrix(matrix.users, matrix.items.take(warm), seen), model_config(ALS))
        held = sp.csr_matrix(matrix.csr)[:, hidden]
        for name, vectors in forms(items):
            for power in (0, 4, 8):
                placed = mean_of_nearest(vectors[hidden], vectors[warm], model.embeddings.items, power)
                recall, ndcg = quality(model.embeddings.users, placed, held)
                print(f"{name:<40} power {power}: recall@20 {recall:.4f}, ndcg@20 {ndcg:.4f}", flush=True)


def forms(items):
    """Name and vectors, float32 (n_items, d), of each form."""
    for separator in (None, ", "):
        for dimension in (256, 512):
            config = AttributesConfig(columns=("authors",), separator=separator, dimension=dimension)
            encoded = fit_attributes(items, config).encode(items)
            yield f"directions, separator {separator!r}, {dimension}", encoded.vectors
    people = [[each.strip() for each in (text or "").split(",")] for text in items.table["authors"].to_pylist()]
    weighted = TfidfVectorizer(analyzer=lambda names: names).fit_transform(people)
    yield f"one dimension each, {weighted.shape[1]}", np.asarray(weighted.todense(), np.float32)
    for dimension in (256, 512):
        reduced = TruncatedSVD(dimension, random_state=1).fit_transform(weighted)
        yield f"truncated SVD, {dimension}", normalize(reduced).astype(np.float32)


def mean_of_nearest(cold, warm, learned, power):
    """Float32 (n_cold, factors): the mean of the learned vectors of the nearest, weighted by cosine ** power."""
    cosine = cold @ warm.T
    nearest = np.argpartition(-cosine, NEAREST, axis=1)[:, :NEAREST]
    weights = np.clip(np.take_along_axis(cosine, nearest, 1), 0, None)
    weights = (weights > 1e-6).astype(np.float32) if power == 0 else weights**power
    return np.einsum("nk,nkd->nd", weights / np.maximum(weights.sum(1, keepdims=True), 1e-9), learned[nearest])


def quality(users, placed, held):
    """recall@20 (of at most 20) and ndcg@20, means over users with hidden items."""
    discount, found = 1 / np.log2(np.arange(2, K + 2)), []
    for user in np.flatnonzero(np.diff(held.indptr)):
        relevant = held.indices[held.indptr[user] : held.indptr[user + 1]]
        hits = np.isin(np.argsort(-(placed @ users[user]))[:K], relevant)
        ideal = min(K, len(relevant))
        found.append((hits.sum() / ideal, (hits * discount).sum() / discount[:ideal].sum()))
    return np.mean(found, axis=0)


if __name__ == "__main__":
    main()
