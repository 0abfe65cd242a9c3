import gzip
import importlib.util
import struct

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys.content.word_files import WordFile
from recsys.errors import ConfigError, DataError

WORDS = ["the", "Straße", "dog", "cat", "king"]
VECTORS = np.array([[1, 0.5], [-2, 3], [0.25, 8], [1, 1], [0, -1]], np.float32)
needs_gensim = pytest.mark.skipif(importlib.util.find_spec("gensim") is None, reason="gensim is not installed")


def glove(words=WORDS, vectors=VECTORS):
    lines = (f"{word} {' '.join(str(value) for value in row)}\n" for word, row in zip(words, vectors, strict=True))
    return "".join(lines).encode()


def word2vec_text():
    return b"5 2\n" + glove()


def word2vec_binary(end=b"\n"):
    rows = (word.encode() + b" " + row.tobytes() + end for word, row in zip(WORDS, VECTORS, strict=True))
    return b"5 2\n" + b"".join(rows)


def written(path, data):
    path.write_bytes(data)
    return path


def npy(folder, words=None):
    np.save(folder / "vectors.npy", VECTORS)
    return WordFile(folder / "vectors.npy", words or written(folder / "words.txt", "\n".join(WORDS).encode()))


FORMS = {
    "glove.txt": glove(),
    "glove.txt.gz": gzip.compress(glove(), mtime=0),
    "word2vec.txt": word2vec_text(),
    "word2vec.bin": word2vec_binary(),
    "gensim.bin": word2vec_binary(end=b""),
    "word2vec.bin.gz": gzip.compress(word2vec_binary(), mtime=0),
    "tabs.vec": glove().replace(b" ", b"\t"),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_gives_the_words_that_are_asked_for_and_the_first(tmp_path, name):
    found = WordFile(written(tmp_path / name, FORMS[name])).read({"Straße", "king", "unicorn"}, first=1)
    assert found.words == ("the", "Straße", "king")
    np.testing.assert_array_equal(found.vectors, VECTORS[[0, 1, 4]])


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_npy_takes_its_words_from_a_text_file(tmp_path, end):
    file = npy(tmp_path, written(tmp_path / "words.txt", "\n".join(WORDS).encode() + end))
    found = file.read({"cat"}, first=0)
    assert found.words == ("cat",)
    np.testing.assert_array_equal(found.vectors, VECTORS[[3]])


def test_npy_takes_its_words_from_parquet(tmp_path):
    pq.write_table(pa.table({"rank": range(5), "word": WORDS}), tmp_path / "words.parquet")
    assert npy(tmp_path, tmp_path / "words.parquet").read(set(), first=9).words == tuple(WORDS)


@needs_gensim
@pytest.mark.parametrize("binary", [False, True])
def test_files_that_gensim_writes_are_read(tmp_path, binary):
    from gensim.models import KeyedVectors  # noqa: PLC0415  (an extra)

    theirs = KeyedVectors(2)
    theirs.add_vectors(WORDS, VECTORS)
    path = tmp_path / ("gensim.bin" if binary else "gensim.txt")
    theirs.save_word2vec_format(path, binary=binary)
    np.testing.assert_array_equal(WordFile(path).read(set(), first=9).vectors, VECTORS)


def test_a_word_of_several_parts_is_one_word(tmp_path):
    path = written(tmp_path / "glove.txt", glove(["the", "new york", "york"], VECTORS[:3]))
    found = WordFile(path).read({"york", "new"}, first=0)
    assert found.words == ("york",)
    np.testing.assert_array_equal(found.vectors, VECTORS[[2]])


def test_a_word_that_comes_again_keeps_its_first_vector(tmp_path):
    path = written(tmp_path / "glove.txt", glove(["dog", "cat", "dog"], VECTORS[:3]))
    np.testing.assert_array_equal(WordFile(path).read({"dog"}, first=0).vectors, VECTORS[:1])


def test_words_that_fill_several_buffers_are_read(tmp_path):
    rng = np.random.default_rng(1)
    vectors = rng.standard_normal((9000, 100)).astype(np.float32)
    body = b"".join(f"w{at} ".encode() + row.tobytes() for at, row in enumerate(vectors))
    found = WordFile(written(tmp_path / "big.bin", b"9000 100\n" + body)).read({"w8999", "w4321"}, first=0)
    assert found.words == ("w4321", "w8999")
    np.testing.assert_array_equal(found.vectors, vectors[[4321, 8999]])


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.txt", b"", r"a\.txt, line 1: b'', expected a word and its vector"),
        ("a.txt", "the 1 2\n".encode("utf-16"), r"a\.txt, line 2|a\.txt: the word .* is not UTF-8|line 1"),
        ("a.txt", glove() + b"short 1\n", r"a\.txt, line 6: 1 numbers, expected a word and 2"),
        (
            "a.txt",
            glove() + b"king2 1 two\n",
            r"a\.txt, line 6: 'king2': could not convert .*two.*; expected numbers",
        ),
        ("a.txt", glove() + b"king2 1 nan\n", r"a\.txt, line 6: 'king2' has NaN or infinity"),
        ("a.txt", glove() + b"\xff\xfe 1 2\n", r"a\.txt: the word b'\\xff\\xfe' is not UTF-8"),
        ("a.txt", word2vec_text()[:-8], r"a\.txt, line 6: 1 numbers|a\.txt: ends after 4 words, expected 5"),
        ("a.txt", b"7 2\n" + glove(), r"a\.txt: ends after 5 words, expected 7"),
        ("a.txt", b"one\n", r"a\.txt, line 1: b'one\\n', expected a word"),
        ("a.txt", b"x" * 3_000_000, r"a\.txt, line 1"),
        ("a.bin", word2vec_binary()[:-3], r"a\.bin: ends or is damaged within word 5 of 5"),
        ("a.bin", b"5 2\n" + b"x" * 3_000_000, r"a\.bin: ends or is damaged within word 1 of 5"),
        ("a.bin", b"5 2 1\n", r"a\.bin: begins with b'5 2 1\\n', expected two numbers"),
        ("a.bin", b"5 999999\n", r"a\.bin: begins with .*, expected two numbers"),
        ("a.bin", b"1 2\nking " + struct.pack("<2f", 1, np.nan), r"a\.bin, word 1: 'king' has NaN or infinity"),
        ("a.txt.gz", gzip.compress(glove(), mtime=0)[:-4], r"a\.txt\.gz: cannot be read"),
        ("a.txt.gz", glove(), r"a\.txt\.gz: cannot be read: Not a gzipped file"),
        ("a.bin", struct.pack("<2i", 793712314, 12) + b"\0" * 20, r"a\.bin: .*fastText model"),
    ],
)
def test_a_damaged_file_is_named_with_the_place(tmp_path, name, data, message):
    with pytest.raises((DataError, ConfigError), match=message):
        WordFile(written(tmp_path / name, data)).read({"the"}, first=100)


def test_faults_of_npy_and_its_words_are_named(tmp_path):
    with pytest.raises(DataError, match=r"words\.txt: 2 words, but .*vectors\.npy has 5 rows"):
        npy(tmp_path, written(tmp_path / "words.txt", b"a\nb")).read(set(), first=9)
    with pytest.raises(DataError, match=r"words\.txt: expected words as UTF-8 text or Parquet"):
        npy(tmp_path, written(tmp_path / "words.txt", b"\xff\n" * 5)).read(set(), first=9)
    with pytest.raises(DataError, match=r"words\.parquet: expected words as UTF-8 text or Parquet"):
        npy(tmp_path, written(tmp_path / "words.parquet", b"PAR1")).read(set(), first=9)
    pq.write_table(pa.table({"rank": range(5)}), tmp_path / "ranks.parquet")
    with pytest.raises(DataError, match=r"columns rank, expected exactly one of strings"):
        npy(tmp_path, tmp_path / "ranks.parquet").read(set(), first=9)
    with pytest.raises(ConfigError, match=r"vectors\.npy: an npy file holds no words; set `words`"):
        WordFile(tmp_path / "vectors.npy").read(set(), first=9)
    with pytest.raises(ConfigError, match=r"nothing\.txt: no such file"):
        WordFile(tmp_path / "nothing.txt").read(set(), first=9)


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"\x93NUMPY\x01\x00", "not an npy file"), (b"", "not an npy file")],
)
def test_a_damaged_npy_is_named(tmp_path, data, message):
    file = npy(tmp_path)
    file.path.write_bytes(data)
    with pytest.raises(DataError, match=rf"vectors\.npy: {message}"):
        file.read(set(), first=9)


@pytest.mark.parametrize("array", [VECTORS[0], VECTORS.astype(int), np.array([["a"]]), np.array([{}])])
def test_an_npy_of_another_kind_is_named(tmp_path, array):
    file = npy(tmp_path)
    np.save(file.path, array)
    with pytest.raises(DataError, match=r"vectors\.npy: (not an npy file|\S+ \(.*\), expected floating-point)"):
        file.read(set(), first=9)


@needs_gensim
def test_fasttext_makes_vectors_of_unknown_words_from_their_ngrams(tmp_path):
    from gensim.models.fasttext import FastText, save_facebook_model  # noqa: PLC0415

    sentences = [["walking", "walker", "dog"], ["running", "runner", "cat"]] * 20
    model = FastText(sentences, vector_size=6, min_count=1, bucket=500, seed=1, workers=1, epochs=1)
    save_facebook_model(model, str(tmp_path / "model.bin"))
    found = WordFile(tmp_path / "model.bin").read({"walked", "dog", "Cat", "runner"}, first=2)
    by_word = dict(zip(found.words, found.vectors, strict=True))
    assert set(by_word) >= {"walked", "dog", "runner"} and "Cat" not in by_word  # its lower case is known
    for word in ("walked", "dog", "runner", found.words[0]):
        np.testing.assert_allclose(by_word[word], model.wv[word], atol=1e-6)


@needs_gensim
def test_a_truncated_fasttext_file_is_named(tmp_path):
    from gensim.models.fasttext import FastText, save_facebook_model  # noqa: PLC0415

    model = FastText([["walking", "dog"]] * 20, vector_size=6, min_count=1, bucket=500, seed=1, workers=1, epochs=1)
    path = tmp_path / "model.bin"
    save_facebook_model(model, str(path))
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(DataError, match=r"model\.bin: gensim cannot read this fastText model"):
        WordFile(path).read({"dog"}, first=9)
