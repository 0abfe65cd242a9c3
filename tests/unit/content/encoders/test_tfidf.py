import numpy as np
import pyarrow as pa
import pytest

from recsys.content.encoders.tfidf import TfidfConfig, TfidfEncoder, fit_tfidf
from recsys.data.id_map import IdMap
from recsys.data.items import Items
from recsys.errors import ConfigError

TITLES = ["red cotton shirt", "blue cotton shirt", "steel kitchen knife", "steel bread knife", "", None]


def _items(titles: list[str | None] = TITLES) -> Items:
    ids, _ = IdMap.of(pa.array([f"i{at}" for at in range(len(titles))]))
    return Items(ids, pa.table({"title": pa.array(titles, pa.string())}))


def test_items_with_common_words_are_near_and_others_are_not() -> None:
    vectors = fit_tfidf(_items(), TfidfConfig(dimension=3)).encode(_items()).vectors
    cosine = vectors @ vectors.T
    assert cosine[0, 1] > 0.8 and cosine[2, 3] > 0.8
    assert abs(cosine[0, 2]) < 0.1


def test_an_item_without_text_has_no_vector_and_is_counted() -> None:
    encoded = fit_tfidf(_items(), TfidfConfig()).encode(_items())
    assert not encoded.vectors[4:].any()
    assert encoded.problems.counts == {"no text": 2}
    assert encoded.n_known == 4


def test_a_stored_encoder_makes_the_same_vectors(tmp_path) -> None:
    fitted = fit_tfidf(_items(), TfidfConfig())
    fitted.save(tmp_path)
    np.testing.assert_array_equal(
        TfidfEncoder.load(tmp_path).encode(_items()).vectors, fitted.encode(_items()).vectors
    )


def test_the_vector_of_an_item_does_not_depend_on_the_others() -> None:
    fitted = fit_tfidf(_items(), TfidfConfig())
    alone = fitted.encode(_items(TITLES[:1])).vectors[0]
    np.testing.assert_allclose(alone, fitted.encode(_items()).vectors[0], atol=1e-6)


def test_an_unknown_column_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'title'"):
        fit_tfidf(_items(), TfidfConfig(columns=("titel",)))
