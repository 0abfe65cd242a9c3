"""Factors that MLlib's own ALS learned and saved become a model here."""

import numpy as np
import pyarrow as pa

from recsys.data.id_map import IdMap
from recsys.data.matrix import Csr, InteractionMatrix
from recsys.models.factors.als import AlsConfig
from recsys.models.registry import fit_model

N_USERS, N_ITEMS, GROUPS = 30, 21, 3


def test_the_factors_of_a_saved_als_model(spark, tmp_path):
    """To the bit, by the labels of the saved indexer; and users solved for them prefer what MLlib's users prefer."""
    from pyspark.ml.feature import StringIndexer  # noqa: PLC0415 (an extra)
    from pyspark.ml.recommendation import ALS  # noqa: PLC0415

    pairs = [(u, i) for u in range(N_USERS) for i in range(N_ITEMS) if u % GROUPS == i % GROUPS and (u + i) % 4]
    rows = pa.table({"u": [u for u, _ in pairs], "item": [f"ü{i:02d}" for _, i in pairs], "n": [1.0] * len(pairs)})
    log = spark.createDataFrame(rows).coalesce(1)
    indexer = StringIndexer(inputCol="item", outputCol="i", stringOrderType="alphabetDesc").fit(log)
    als = ALS(
        userCol="u", itemCol="i", ratingCol="n", rank=3, maxIter=3, implicitPrefs=True, alpha=10.0,
        regParam=0.1, seed=1, numUserBlocks=1, numItemBlocks=2,
    )  # fmt: skip
    learned = als.fit(indexer.transform(log))
    learned.save(str(tmp_path / "als"))
    indexer.save(str(tmp_path / "items"))
    items, users = IdMap.of([f"ü{i:02d}" for i in range(N_ITEMS)])[0], IdMap.of([str(u) for u in range(N_USERS)])[0]
    at = [users.position(str(u)) for u, _ in pairs], [i for _, i in pairs]
    csr = Csr((np.ones(len(pairs), np.float32), at), shape=(N_USERS, N_ITEMS))
    config = AlsConfig(
        item_factors=tmp_path / "als", item_labels=tmp_path / "items", factors=3, neighbours=0,
        weighting="plain", alpha=11.0, regularization=1.0, popularity_exponent=0.0,
    )  # fmt: skip
    model = fit_model(InteractionMatrix(users, items, csr), config)
    expected = {indexer.labels[row.id]: row.features for row in learned.itemFactors.toLocalIterator()}
    as_saved = np.array([expected[item] for item in items.ids.to_pylist()], np.float32)
    assert np.array_equal(model.embeddings.items, as_saved)
    theirs = {str(row.id): row.features for row in learned.userFactors.toLocalIterator()}
    vectors = np.array([theirs[user] for user in users.ids.to_pylist()])
    scores, ours = (each @ model.embeddings.items.T for each in (vectors, model.embeddings.users))
    assert np.corrcoef(scores.ravel(), ours.ravel())[0, 1] > 0.99
