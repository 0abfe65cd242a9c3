from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from recsys.content.encoders.tfidf import TfidfConfig, fit_tfidf
from recsys.content.registry import ENCODERS
from recsys.content.space import ContentSource, ContentSpace
from recsys.data.id_map import IdMap
from recsys.data.items import Items
from recsys.errors import ArtifactError, DataError


def _source(name: str, rows: list[list[float]], weight: float = 1.0) -> ContentSource:
    vectors = np.array(rows, np.float32)
    return ContentSource(name, "tfidf", ("title",), vectors, weight)


def test_the_cosine_is_the_weighted_mean_of_those_of_the_sources() -> None:
    space = ContentSpace((_source("a", [[1, 0], [0, 1]], 3.0), _source("b", [[1], [1]], 1.0)))
    assert space.vectors[0] @ space.vectors[1] == pytest.approx((3 * 0 + 1 * 1) / 4)


def test_an_item_that_no_source_knows_has_no_vector() -> None:
    space = ContentSpace((_source("a", [[1, 0], [0, 0]]), _source("b", [[1], [0]])))
    assert not space.vectors[1].any()


def test_aligned_items_keep_their_vectors_and_new_ones_get_none() -> None:
    old, _ = IdMap.of(pa.array(["b", "d"]))
    new, _ = IdMap.of(pa.array(["a", "b", "c", "d"]))
    aligned = ContentSpace((_source("a", [[1, 0], [0, 1]]),)).aligned(old, new)
    np.testing.assert_array_equal(aligned.vectors, np.array([[0, 0], [1, 0], [0, 0], [0, 1]], np.float32))


def test_what_is_saved_is_loaded_and_encodes_the_same(tmp_path) -> None:
    ids, _ = IdMap.of(pa.array(["a", "b", "c"]))
    items = Items(ids, pa.table({"title": ["red shirt", "red hat", "blue hat"]}))
    fitted = fit_tfidf(items, TfidfConfig(min_items=1))
    vectors = fitted.encode(items).vectors
    space = ContentSpace((ContentSource("words", "tfidf", ("title",), vectors, 2.0, fitted),))
    space.save(tmp_path / "content")
    loaded = ContentSpace.load(tmp_path / "content")
    np.testing.assert_array_equal(loaded.vectors, space.vectors)
    np.testing.assert_array_equal(loaded.encode(items), space.encode(items))


def test_a_damaged_space_is_refused(tmp_path) -> None:
    (tmp_path / "space.json").write_text('[{"name": "a"}]')
    with pytest.raises(ArtifactError, match="content space"):
        ContentSpace.load(tmp_path)


def test_two_sources_of_one_name_are_refused() -> None:
    with pytest.raises(DataError, match="same name"):
        ContentSpace((_source("a", [[1.0]]), _source("a", [[1.0]])))


def test_a_source_cannot_leave_its_folder(tmp_path) -> None:
    ContentSpace((_source("a", [[1.0]]),)).save(tmp_path)
    (tmp_path / "space.json").write_text((tmp_path / "space.json").read_text().replace('"a"', '"../a"'))
    with pytest.raises(ArtifactError, match="not the name of a folder"):
        ContentSpace.load(tmp_path)


def test_vectors_of_another_dtype_are_refused() -> None:
    with pytest.raises(DataError, match="float64"):
        ContentSpace((ContentSource("a", "tfidf", (), np.ones((1, 1))),))


def test_an_encoder_that_cannot_be_loaded_is_not_saved(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(ENCODERS, "tfidf", replace(ENCODERS["tfidf"], load=None))
    ids, _ = IdMap.of(pa.array(["a", "b"]))
    items = Items(ids, pa.table({"title": ["red shirt", "red hat"]}))
    fitted = fit_tfidf(items, TfidfConfig(min_items=1))
    space = ContentSpace((ContentSource("words", "tfidf", ("title",), fitted.encode(items).vectors, 1.0, fitted),))
    space.save(tmp_path)
    loaded = ContentSpace.load(tmp_path)
    assert [path.name for path in (tmp_path / "words").iterdir()] == ["vectors.npy"]
    assert loaded.sources[0].fitted is None
    assert not loaded.encode(items).any()
