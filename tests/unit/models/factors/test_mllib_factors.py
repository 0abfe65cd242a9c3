"""Item vectors of MLlib's ALS: read as it writes them, and whatever is wrong with them is named with file and row."""

import json
import logging
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys.data.id_map import IdMap
from recsys.data.matrix import Csr, InteractionMatrix
from recsys.errors import ConfigError, DataError
from recsys.models.factors.als import AlsConfig
from recsys.models.factors.als_model import AlsModel
from recsys.models.factors.mllib_factors import FactorFiles
from recsys.models.registry import fit_model, model_config

ITEMS = IdMap.of(["10", "2", "30", "7"])[0]  # in the order of their bytes
ROWS = [(2, [1.0, 0.0]), (10, [0.5, -1.0]), (30, [0.0, 2.0]), (999, [9.0, 9.0])]


def factors(rows, ids=None) -> pa.Table:
    numbers = pa.array([row[0] for row in rows], ids or pa.int32())
    return pa.table({"id": numbers, "features": pa.array([row[1] for row in rows], pa.list_(pa.float32()))})


def metadata(folder: Path, name: str) -> None:
    (folder / "metadata").mkdir(parents=True)
    content = json.dumps({"class": f"org.apache.spark.ml.somewhere.{name}", "rank": 2})
    (folder / "metadata" / "part-00000-x.txt").write_text(content + "\n")


@pytest.fixture
def model(tmp_path):
    """A folder as ALSModel.save writes it: vectors in two files, beside files that are no data."""
    folder = tmp_path / "als"
    metadata(folder, "ALSModel")
    for side in ("itemFactors", "userFactors"):
        (folder / side).mkdir()
        (folder / side / "_SUCCESS").touch()
        (folder / side / "._SUCCESS.crc").touch()
    pq.write_table(factors(ROWS[:1]), folder / "itemFactors" / "part-00000-x.snappy.parquet")
    pq.write_table(factors(ROWS[1:]), folder / "itemFactors" / "part-00001-x.snappy.parquet")
    return folder


def indexer(folder: Path, labels) -> Path:
    metadata(folder, "StringIndexerModel")
    (folder / "data").mkdir()
    pq.write_table(pa.table({"labelsArray": [labels]}), folder / "data" / "part-00000-x.snappy.parquet")
    return folder


def test_vectors_by_the_ids_of_the_log(model, caplog):
    for path in (model, model / "itemFactors"):
        with caplog.at_level(logging.WARNING):
            found = FactorFiles(path).read(ITEMS, 2)
        assert found.tolist() == [[0.5, -1.0], [1.0, 0.0], [0.0, 2.0], [0.0, 0.0]]
        assert "no vector for 1 of 4 items" in caplog.text


def test_vectors_by_the_labels_of_an_indexer(tmp_path):
    pq.write_table(factors([(0, [1.0, 2.0]), (1, [3.0, 4.0])], pa.int64()), tmp_path / "f.parquet")
    labels = indexer(tmp_path / "index", [["7", "elsewhere"]])
    found = FactorFiles(tmp_path / "f.parquet", labels).read(ITEMS, 2)
    assert found.tolist() == [[0, 0], [0, 0], [0, 0], [1, 2]]


def test_a_data_frame_with_ids_of_text(tmp_path):
    pq.write_table(factors([("7", [1.0, 2.0])], pa.string()), tmp_path / "f.parquet")
    assert FactorFiles(tmp_path / "f.parquet").read(ITEMS, 2)[3].tolist() == [1, 2]


WRONG = {
    "another length": (
        [ROWS[0], (10, [1.0])],
        {},
        r"f\.parquet:2: features has 1 numbers, expected 2; .model",
    ),
    "no vector": ([ROWS[0], (10, None)], {}, r"f\.parquet:2: features is missing, expected 2"),
    "not a number": ([(2, [1.0, float("nan")])], {}, r"f\.parquet:1: features holds NaN or infinity"),
    "twice": ([ROWS[0], ROWS[1], ROWS[0]], {}, r"f\.parquet:3: id '2' has a vector already"),
    "no id": ([ROWS[0], (None, [1.0, 0.0])], {}, r"f\.parquet:2: id is missing"),
    "no items": ([ROWS[3]], {}, r"none of its 1 ids is an item of the log, such as '999'.*\(model\.item_labels\)"),
    "nothing": ([], {}, r"f\.parquet: holds no vectors"),
    "no label": (
        [(0, [1.0, 0.0]), (5, [1.0, 0.0])],
        {"labels": [["7"]]},
        r"f\.parquet:2: id 5 has no label",
    ),
    "two columns": (
        [(0, [1.0, 0.0])],
        {"labels": [["7"], ["8"]]},
        "numbers 2 columns; expected the indexer",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named_with_file_and_row(name, tmp_path):
    rows, options, said = WRONG[name]
    pq.write_table(factors(rows), tmp_path / "f.parquet")
    labels = indexer(tmp_path / "index", options["labels"]) if options else None
    with pytest.raises(DataError, match=said):
        FactorFiles(tmp_path / "f.parquet", labels).read(ITEMS, 2)


def test_a_second_vector_in_another_file(model):
    pq.write_table(factors(ROWS[:1]), model / "itemFactors" / "part-00002-x.snappy.parquet")
    with pytest.raises(DataError, match=r"part-00002-x\.snappy\.parquet:1: id '2' has a vector already"):
        FactorFiles(model).read(ITEMS, 2)


def test_what_is_no_factors_is_named(model, tmp_path):
    with pytest.raises(ConfigError, match=r"model\.item_factors: .*nowhere: there is no such folder or file"):
        FactorFiles(tmp_path / "nowhere").read(ITEMS, 2)
    with pytest.raises(ConfigError, match="holds vectors of users; expected itemFactors beside it"):
        FactorFiles(model / "userFactors").read(ITEMS, 2)
    with pytest.raises(ConfigError, match="holds a StringIndexerModel; expected a saved ALSModel"):
        FactorFiles(indexer(tmp_path / "index", [["7"]])).read(ITEMS, 2)
    with pytest.raises(ConfigError, match=r"model\.item_labels: .* holds a ALSModel; expected a saved StringIndexer"):
        FactorFiles(model, model).read(ITEMS, 2)
    pq.write_table(pa.table({"id": [1], "feature": [[1.0]]}), tmp_path / "f.parquet")
    with pytest.raises(DataError, match=r"f\.parquet: no column 'features'; did you mean 'feature'\?"):
        FactorFiles(tmp_path / "f.parquet").read(ITEMS, 1)
    (tmp_path / "g.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(DataError, match=r"g\.parquet: cannot be read as Parquet"):
        FactorFiles(tmp_path / "g.parquet").read(ITEMS, 1)


def test_what_the_start_shows_is_told_before_any_work(model):
    """As a fault of the configuration, by recsys run and recsys doctor."""
    FactorFiles(model).check(2)
    with pytest.raises(ConfigError, match=r"part-00000-x\.snappy\.parquet:1: features has 2 numbers, expected 3"):
        FactorFiles(model).check(3)


def test_the_model_has_these_items_and_users_solved_for_them(model, tmp_path):
    """Fold-in is exact, so a row of the log gets the vector of its user; the model loads as any other."""
    csr = Csr(np.array([[1, 2, 0, 1], [0, 0, 3, 0]], np.float32))
    matrix = InteractionMatrix(IdMap.of(["a", "b"])[0], ITEMS, csr)
    config = AlsConfig(item_factors=model, factors=2, neighbours=0)
    seen = []
    found = fit_model(matrix, config, on_iteration=lambda done, each: seen.append(done))
    assert found.embeddings.items.tolist() == FactorFiles(model).read(ITEMS, 2).tolist()
    np.testing.assert_array_equal(found.fold_in(csr), found.embeddings.users)
    assert found.embeddings.users.any(axis=1).all()
    assert seen == [1]
    found.save(tmp_path / "saved")
    assert np.array_equal(AlsModel.load(tmp_path / "saved").embeddings.items, found.embeddings.items)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"item_factors": "x"}, "item_factors needs `factors`"),
        ({"item_labels": "x"}, "item_labels needs `item_factors`"),
        ({"item_factors": "x", "factors": 2, "continuity": "warm"}, "item_factors has its vectors"),
    ],
)
def test_settings_that_do_not_fit(keys, said):
    with pytest.raises(ValueError, match=said):
        model_config({"algorithm": "als", **keys})


def test_a_version_names_the_files_and_not_where_they_were():
    dumped = AlsConfig(item_factors="/somewhere/als", factors=2).model_dump(mode="json")
    assert dumped["item_factors"] == "als"
    assert "item_factors" not in AlsConfig().model_dump(mode="json"), "versions without it keep their names"
