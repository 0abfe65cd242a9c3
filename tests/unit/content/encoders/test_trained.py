"""Encoders that gensim trains: word2vec, fasttext, doc2vec."""

import re
import sys

import numpy as np
import pytest

from recsys.content.encoders.fasttext import FasttextConfig
from recsys.content.registry import ENCODERS, content_config
from recsys.content.sentences import unavailable
from recsys.data.items import Items
from recsys.data.matrix import InteractionMatrix
from recsys.errors import ArtifactError, ConfigError, DataError

pytestmark = pytest.mark.skipif(unavailable() is not None, reason="the extra `text` is not installed")

ON_TEXT = ["word2vec", "fasttext", "doc2vec"]
SEALED = ["word2vec", "fasttext"]
ON_HISTORIES = ["word2vec", "doc2vec"]  # glove is in test_glove.py
SMALL = {"dimension": 12, "epochs": 30, "sample": 0}


def fitted(name, items, histories=None, /, **keys):
    config = content_config({"encoder": name, **SMALL, **keys})
    return ENCODERS[name].fit(items, config, histories=histories)


@pytest.mark.parametrize("name", ON_TEXT)
def test_items_of_one_topic_are_near(name, topics, gap):
    encoded = fitted(name, topics).encode(topics)
    assert encoded.vectors.shape == (120, 12)
    assert gap(encoded.vectors) > 0.5


@pytest.mark.parametrize("name", ON_TEXT)
def test_two_fits_of_one_seed_are_the_same_to_the_bit(name, topics):
    first, again, other = (fitted(name, topics, epochs=3, seed=seed).encode(topics).vectors for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


@pytest.mark.parametrize("name", ON_TEXT)
def test_an_item_alone_has_the_same_vector(name, topics, items_of):
    encoder = fitted(name, topics, epochs=3)
    together = encoder.encode(topics).vectors
    title = topics.title(7)
    np.testing.assert_allclose(encoder.encode(items_of([title])).vectors[0], together[7], atol=1e-5)


@pytest.mark.parametrize("name", ON_TEXT)
def test_words_are_read_in_lower_case_and_missing_texts_are_counted(name, topics, items_of):
    encoder = fitted(name, topics, epochs=3)
    encoded = encoder.encode(items_of(["pasta sauce", "PASTA, Sauce!", "", None]))
    np.testing.assert_array_equal(encoded.vectors[0], encoded.vectors[1])
    assert encoded.problems.counts == {"no text": 2}


@pytest.mark.parametrize("name", ["word2vec", "doc2vec"])
def test_a_text_without_a_known_word_is_counted(name, topics, items_of):
    encoded = fitted(name, topics, epochs=3).encode(items_of(["xyzzy", "pasta xyzzy"]))
    assert encoded.problems.counts == {"no known word": 1}
    assert encoded.vectors.any(axis=1).tolist() == [False, True]


def test_fasttext_gives_an_unknown_word_the_vector_of_its_ngrams(topics, items_of):
    encoder = fitted("fasttext", topics)
    known, typo, other, unknown = encoder.encode(items_of(["piston", "pistons", "cheese", "qqqq"])).vectors
    assert known @ typo > 0.9 > typo @ other
    assert not unknown.any()


def test_vectors_of_fasttext_for_unknown_words_are_those_of_gensim(topics):
    """With a single bucket every n-gram was met in training, so that none is left out."""
    from gensim.models.fasttext import FastText  # noqa: PLC0415  (an extra)

    config = FasttextConfig(buckets=1, **SMALL)
    sums, counted = fitted("fasttext", topics, buckets=1).subwords.summed([["pistons"]])
    sentences = [topics.title(at).split() for at in range(120)]
    theirs = FastText(sg=1, window=5, min_n=3, max_n=6, bucket=1, sentences=sentences, **config.for_gensim())
    assert counted.tolist() == [1]
    np.testing.assert_allclose(sums[0], theirs.wv["pistons"], rtol=2e-3, atol=1e-5)


@pytest.mark.parametrize("name", SEALED)
def test_a_stored_encoder_makes_the_same_vectors_without_gensim(name, topics, items_of, tmp_path, monkeypatch):
    encoder, further = fitted(name, topics, epochs=3), items_of(["pasta clutch", "pistons", "xyzzy"])
    encoder.save(tmp_path)
    monkeypatch.setitem(sys.modules, "gensim", None)
    loaded = ENCODERS[name].load(tmp_path)
    for items in (topics, further):
        np.testing.assert_array_equal(loaded.encode(items).vectors, encoder.encode(items).vectors)


@pytest.mark.parametrize("file", ["subwords.json", "ngram_buckets.npy", "ngram_vectors.npy"])
def test_damaged_subwords_are_refused(topics, tmp_path, file):
    fitted("fasttext", topics, epochs=1).save(tmp_path)
    (tmp_path / file).write_bytes(b"\x93NUM")
    with pytest.raises(ArtifactError, match=re.escape(file) + ".*expected"):
        ENCODERS["fasttext"].load(tmp_path)


@pytest.mark.parametrize("name", ON_HISTORIES)
def test_items_of_one_group_of_users_are_near(name, groups: InteractionMatrix, gap):
    items = Items.without_attributes(groups.items)
    encoder = fitted(name, items, groups, on="histories", epochs=60)
    encoded = encoder.encode(items)
    assert gap(encoded.vectors[:39]) > 0.4
    assert not encoded.vectors[39:].any()
    assert encoded.problems.counts == {"in no history with another item": 2}
    assert encoded.problems.first == {"in no history with another item": "i039"}


@pytest.mark.parametrize("name", ON_HISTORIES)
def test_two_fits_on_histories_are_the_same_to_the_bit(name, groups):
    items = Items.without_attributes(groups.items)
    first, again = (fitted(name, items, groups, on="histories", epochs=2).vectors for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_vectors_of_histories_are_stored_with_their_ids(groups, tmp_path, items_of):
    items = Items.without_attributes(groups.items)
    encoder = fitted("word2vec", items, groups, on="histories", epochs=2)
    encoder.save(tmp_path)
    loaded = ENCODERS["word2vec"].load(tmp_path)
    np.testing.assert_array_equal(loaded.encode(items_of([None] * 3)).vectors, encoder.vectors[:3])
    (tmp_path / "item_vectors.npy").unlink()
    with pytest.raises(ArtifactError, match=r"item_vectors\.npy: is missing"):
        ENCODERS["word2vec"].load(tmp_path)


def test_which_encoders_learn_from_histories():
    for name in ON_HISTORIES:
        configs = [content_config({"encoder": name, "on": on}) for on in ("text", "histories")]
        assert [ENCODERS[name].learns_from_histories(config) for config in configs] == [False, True]
    assert ENCODERS["doc2vec"].load is None


@pytest.mark.parametrize("name", ON_HISTORIES)
def test_on_histories_no_column_is_read(name, topics, groups):
    configs = [content_config({"encoder": name, "on": on}) for on in ("text", "histories")]
    assert [ENCODERS[name].reads(topics, config) for config in configs] == [("title",), ()]


def test_doc2vec_in_the_service_is_refused(topics, tmp_path):
    with pytest.raises(ArtifactError, match="'doc2vec' cannot be sealed"):
        fitted("doc2vec", topics, epochs=1).save(tmp_path)


def test_words_of_a_long_text_after_those_gensim_would_read_count(topics, items_of):
    encoder = fitted("doc2vec", topics)
    pasta, diesel = "pasta " * 10_000, "diesel " * 10_000
    beginning, end, whole = encoder.encode(items_of([pasta, diesel, pasta + diesel])).vectors
    assert whole @ end > beginning @ end + 0.2


@pytest.mark.parametrize("name", ON_TEXT)
def test_nothing_to_learn_from_is_refused(name, items_of):
    with pytest.raises(DataError, match=r"content 'mine': nothing to learn from: no word that occurs 3 times"):
        fitted(name, items_of(["one two", "three two", None]), name="mine", min_count=3)


@pytest.mark.parametrize("name", ON_HISTORIES)
def test_no_histories_are_refused(name, groups, items_of):
    with pytest.raises(DataError, match=rf"content '{name}': learns from histories, but there are none"):
        fitted(name, items_of(["a"]), None, on="histories")


def test_histories_of_one_item_each_are_refused(groups):
    alone = InteractionMatrix(groups.users.take(np.arange(80, 81)), groups.items, groups.csr[80:])
    with pytest.raises(DataError, match=r"content 'word2vec': item2vec: nothing to learn from"):
        fitted("word2vec", Items.without_attributes(groups.items), alone, on="histories")


@pytest.mark.parametrize("name", ON_TEXT)
def test_a_missing_gensim_is_named_with_what_to_install(name, topics, monkeypatch):
    monkeypatch.setitem(sys.modules, "gensim", None)
    assert ENCODERS[name].unavailable().startswith("needs gensim")
    with pytest.raises(ConfigError, match=rf"content '{name}': '{name}' needs gensim.*locks/text\.lock"):
        fitted(name, topics)


def test_lengths_of_ngrams_are_in_order():
    with pytest.raises(ValueError, match="shortest_ngram 5 is above longest_ngram 4"):
        FasttextConfig(shortest_ngram=5, longest_ngram=4)


@pytest.mark.parametrize("name", ON_TEXT)
def test_progress_counts_the_passes_of_training(name, topics):
    told = []
    config = content_config({"encoder": name, "dimension": 4, "epochs": 2})
    ENCODERS[name].fit(topics, config, progress=lambda *step: told.append(step))
    assert told == [(f"encode: {name}, training", done, 3) for done in (1, 2, 3)]
