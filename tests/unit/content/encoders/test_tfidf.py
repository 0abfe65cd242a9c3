import numpy as np
import pyarrow as pa
import pytest

from recsys.content.encoders.tfidf import TfidfConfig, TfidfEncoder, fit_tfidf
from recsys.data.id_map import IdMap
from recsys.data.items import Items
from recsys.errors import ArtifactError, ConfigError

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


def _cosine(titles: list[str | None], **keys: object) -> np.ndarray:
    vectors = fit_tfidf(_items(titles), TfidfConfig(dimension=4, min_items=1, **keys)).encode(_items(titles)).vectors
    return vectors @ vectors.T


def test_bigrams_tell_apart_what_has_the_same_words() -> None:
    titles = ["dog bites man", "man bites dog", "dog bites man", "hat", "red hat"]
    assert _cosine(titles)[0, 1] == pytest.approx(1, abs=1e-5)
    assert _cosine(titles, terms="bigrams")[0, 1] < 0.9
    assert _cosine(titles, terms="bigrams")[0, 2] == pytest.approx(1, abs=1e-5)


def test_characters_compare_texts_without_spaces() -> None:
    titles = ["東京の地図", "京都の地図", "猫の写真集", "犬の写真集"]
    cosine = _cosine(titles, terms="characters")
    assert cosine[0, 1] > cosine[0, 2] and cosine[2, 3] > cosine[0, 3]
    assert cosine[0, 1] > 0.3


def test_html_is_no_part_of_a_text() -> None:
    assert _cosine(["<p>red hat</p>", "red hat", "<p>blue</p>", "p"])[0, 1] == pytest.approx(1, abs=1e-5)


def test_a_text_that_is_too_long_is_cut_and_counted() -> None:
    titles = ["red hat " * 5 + "end", "blue hat", "red end", "hat"]
    encoded = fit_tfidf(_items(titles), TfidfConfig(min_items=1, max_characters=15)).encode(_items(titles))
    assert encoded.problems.counts == {"more than 15 characters, cut": 1}
    assert encoded.problems.first["more than 15 characters, cut"] == "item 'i0': 43 characters"


def test_terms_and_items_that_are_learned_from_are_bounded() -> None:
    titles = [f"word{at % 40} both{at % 3}" for at in range(400)]
    encoder = fit_tfidf(_items(titles), TfidfConfig(max_terms=20, fit_items=100))
    assert len(encoder.vocabulary) == 20
    assert {"both0", "both1", "both2"} <= set(encoder.vocabulary)  # the most frequent ones
    assert encoder.encode(_items(titles)).n_known == 400


@pytest.mark.parametrize("terms", ["words", "bigrams", "characters"])
def test_what_it_counts_is_stored(tmp_path, terms: str) -> None:
    fitted = fit_tfidf(_items(), TfidfConfig(terms=terms, max_characters=12))
    fitted.save(tmp_path)
    loaded = TfidfEncoder.load(tmp_path)
    assert (loaded.terms, loaded.max_characters) == (terms, 12)
    np.testing.assert_array_equal(loaded.encode(_items()).vectors, fitted.encode(_items()).vectors)


def test_a_stored_encoder_whose_parts_do_not_fit_is_refused(tmp_path) -> None:
    fit_tfidf(_items(), TfidfConfig()).save(tmp_path)
    np.save(tmp_path / "idf.npy", np.ones(3, np.float32))
    with pytest.raises(ArtifactError, match=r"idf \(3,\)"):
        TfidfEncoder.load(tmp_path)
