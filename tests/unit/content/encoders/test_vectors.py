"""Vectors made elsewhere: every format gives the same vectors, and what is wrong with a row is counted and named."""

import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from recsys.content.encoders.vectors import VectorsConfig, fit_vectors
from recsys.data.id_map import IdMap
from recsys.data.items import Items
from recsys.errors import ConfigError, DataError

IDS = ["book c", "a", "ä", "zz"]
ROWS = np.array([[3, 4, 0], [0, 2, 0], [1, 1, 1], [0, 0, -5]], np.float32)


def items_of(*ids):
    known, _ = IdMap.of(pa.array(ids or IDS))
    return Items(known, pa.table({"title": pa.nulls(len(known), pa.string())}))


def encoded(config, *ids):
    items = items_of(*ids)
    return fit_vectors(items, config).encode(items)


def reasons(found):
    return dict(found.problems.counts)


def _text_lines(ids=IDS, rows=ROWS):
    return "".join(f"{each} {' '.join(map(str, row))}\n" for each, row in zip(ids, rows, strict=True))


def write(folder: Path, form: str) -> VectorsConfig:
    lists = pa.table({"key": IDS, "v": pa.array(ROWS.tolist(), pa.list_(pa.float32()))})
    fixed = lists.set_column(1, "v", pa.array(ROWS.tolist(), pa.list_(pa.float64(), 3)))
    named = {"id_column": "key", "vector_column": "v"}
    if form.startswith("npy"):
        np.save(folder / "v.npy", ROWS.astype(np.float64))
        if form == "npy+npy":
            np.save(folder / "ids.npy", np.array(IDS))
        else:
            (folder / "ids.txt").write_text("\n".join(IDS) + "\n", encoding="utf-8")
        return VectorsConfig(path=folder / "v.npy", ids=next(folder.glob("ids.*")))
    if form in ("parquet", "parquet, fixed"):
        pq.write_table(lists if form == "parquet" else fixed, folder / "v.parquet")
        return VectorsConfig(path=folder / "v.parquet", **named)
    if form == "folder of parquet":
        (folder / "v").mkdir()
        pq.write_table(lists.slice(0, 2), folder / "v" / "1.parquet")
        pq.write_table(lists.slice(2), folder / "v" / "2.parquet")
        return VectorsConfig(path=folder / "v", format="parquet", **named)
    if form == "feather":
        feather.write_feather(fixed, str(folder / "v.feather"))
        return VectorsConfig(path=folder / "v.feather", **named)
    if form == "binary":
        rows = b"".join(
            each.encode().replace(b" ", b"_") + b" " + row.tobytes() + b"\n"
            for each, row in zip(IDS, ROWS, strict=True)
        )
        (folder / "v.bin").write_bytes(b"4 3\n" + rows)
        return VectorsConfig(path=folder / "v.bin")
    lines = ("4 3\n" if form.startswith("word2vec") else "") + _text_lines()
    if form.endswith("gz"):
        (folder / "v.txt.gz").write_bytes(gzip.compress(lines.encode()))
        return VectorsConfig(path=folder / "v.txt.gz")
    (folder / "v.txt").write_text(lines, encoding="utf-8")
    return VectorsConfig(path=folder / "v.txt")


FORMS = ["npy+txt", "npy+npy", "parquet", "parquet, fixed", "folder of parquet", "feather", "binary", "word2vec"]
FORMS += ["word2vec gz", "glove"]


@pytest.mark.parametrize("form", FORMS)
def test_every_format_gives_the_vectors_of_the_items_by_their_ids(tmp_path, form):
    ids = [each.replace(" ", "_") for each in IDS] if form == "binary" else IDS
    found = encoded(write(tmp_path, form), *ids, "none")
    at = {each: row for row, each in enumerate(sorted([*ids, "none"], key=str.encode))}
    for each, row in zip(ids, ROWS, strict=True):
        np.testing.assert_allclose(found.vectors[at[each]], row / np.linalg.norm(row), atol=1e-6)
    assert not found.vectors[at["none"]].any()
    assert reasons(found) == {"no vector in the file": 1}
    assert found.problems.first["no vector in the file"] == "item 'none'"


def test_gensim_reads_and_writes_the_same_files(tmp_path):
    keyed = pytest.importorskip("gensim.models").KeyedVectors(3)
    keyed.add_vectors(["a", "ä", "zz"], ROWS[1:])
    expected = ROWS[1:] / np.linalg.norm(ROWS[1:], axis=1, keepdims=True)
    for binary, name in ((True, "v.bin"), (False, "v.txt")):
        keyed.save_word2vec_format(str(tmp_path / name), binary=binary)
        found = encoded(VectorsConfig(path=tmp_path / name), "a", "zz", "ä")
        np.testing.assert_allclose(found.vectors, expected[[0, 2, 1]], atol=1e-6)


def test_faults_of_rows_are_counted_and_the_items_stay(tmp_path):
    rows = [("a", [1, 0]), ("b", [1, 2, 3]), ("c", [float("nan"), 1]), ("d", [0, 0]), ("e", [float("inf"), 0])]
    rows += [("a", [0, 1]), ("f", None), ("g", [2, 2]), ("foreign", [1, 1])]
    vectors = pa.array([row for _, row in rows], pa.list_(pa.float32()))
    pq.write_table(pa.table({"id": [each for each, _ in rows], "vector": vectors}), tmp_path / "v.parquet")
    found = encoded(VectorsConfig(path=tmp_path / "v.parquet"), *"abcdefgh")
    assert reasons(found) == {
        "a vector, but neither in the log nor in the catalogue": 1,
        "a further vector, which is left out": 1,
        "a vector that cannot be read": 2,
        "a vector with NaN or infinity": 2,
        "a zero vector": 1,
        "no vector in the file": 1,
    }
    assert found.problems.first["a vector that cannot be read"] == "item 'b': 3 numbers, expected 2"
    assert np.flatnonzero(found.vectors.any(axis=1)).tolist() == [0, 6]
    np.testing.assert_allclose(found.vectors[0], [1, 0])  # the first counts


def test_lines_with_too_many_or_no_numbers_are_faults_of_their_items(tmp_path):
    (tmp_path / "v.txt").write_text("a 1 2\nb 1 2 3\nc 1 x\nd 3\ne f 1 1\n", encoding="utf-8")
    found = encoded(VectorsConfig(path=tmp_path / "v.txt"), "a", "b", "c", "d", "e f")
    assert reasons(found) == {"a vector that cannot be read": 3}
    assert np.flatnonzero(found.vectors.any(axis=1)).tolist() == [0, 4]  # an id may hold a space


def test_more_rows_than_are_read_at_once(tmp_path):
    n = 20_000
    rows = np.random.default_rng(1).normal(size=(n, 2)).astype(np.float32)
    ids = [f"{at:05}" for at in range(n)]
    (tmp_path / "v.txt").write_text(f"{n} 2\n{_text_lines(ids, rows)}", encoding="utf-8")
    np.save(tmp_path / "v.npy", rows)
    (tmp_path / "ids.txt").write_text("\n".join(ids), encoding="utf-8")
    text = encoded(VectorsConfig(path=tmp_path / "v.txt"), *ids)
    array = encoded(VectorsConfig(path=tmp_path / "v.npy", ids=tmp_path / "ids.txt"), *ids)
    np.testing.assert_allclose(text.vectors, array.vectors, atol=1e-5)
    assert text.n_known == n


def test_whole_numbers_are_ids_also_as_floats(tmp_path):
    for ids in (pa.array([7, 12]), pa.array([7.0, 12.0])):
        pq.write_table(pa.table({"id": ids, "vector": [[1.0], [2.0]]}), tmp_path / "v.parquet")
        assert encoded(VectorsConfig(path=tmp_path / "v.parquet"), "7", "12").n_known == 2


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (b"5 2\na 1 2\n", "v.txt", "1 vectors, but its first line says 5"),
        (b"", "v.txt", "begins with"),
        (b"4 3\na 123456789012", "v.bin", "within vector 1 of 4|within vector 2 of 4"),
        (b"hello", "v.bin", "expected two numbers"),
        (b"PAR1", "v.parquet", "expected vectors as parquet"),
        (b"hello", "v.feather", "expected vectors as arrow"),
    ],
)
def test_a_damaged_file_is_an_error_that_names_it(tmp_path, content, name, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as error:
        encoded(VectorsConfig(path=tmp_path / name), "a")
    assert name in str(error.value)


def test_ids_and_rows_of_an_npy_file_must_be_as_many(tmp_path):
    config = write(tmp_path, "npy+txt")
    (tmp_path / "ids.txt").write_text("a\nb\n")
    with pytest.raises(DataError, match=r"2 ids, but .*v\.npy has 4 rows"):
        encoded(config, "a")


def test_an_array_that_is_no_table_of_numbers_is_refused(tmp_path):
    config = write(tmp_path, "npy+txt")
    np.save(tmp_path / "v.npy", np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(DataError, match="Python objects"):
        encoded(config, "a")
    np.save(tmp_path / "v.npy", np.zeros((4, 1, 1)))
    with pytest.raises(DataError, match="expected numbers"):
        encoded(config, "a")


def test_an_unknown_column_names_the_nearest(tmp_path):
    write(tmp_path, "parquet")
    with pytest.raises(ConfigError, match=r"no column 'keys' \(`id_column`\); did you mean 'key'"):
        encoded(VectorsConfig(path=tmp_path / "v.parquet", id_column="keys", vector_column="v"), "a")


def test_a_column_that_holds_no_lists_is_refused(tmp_path):
    write(tmp_path, "parquet")
    with pytest.raises(DataError, match="is string, expected lists of numbers"):
        encoded(VectorsConfig(path=tmp_path / "v.parquet", id_column="key", vector_column="key"), "a")


def test_settings_that_do_not_fit_together_are_refused(tmp_path):
    with pytest.raises(ValidationError, match="ids: missing"):
        VectorsConfig(path=tmp_path / "v.npy")
    with pytest.raises(ValidationError, match="found by the item's id"):
        VectorsConfig(path=tmp_path / "v.txt", columns=("title",))
