import pyarrow as pa

from recsys.content.encoders.word2vec import Word2vecConfig
from recsys.content.sentences import LONGEST, Sentences


def test_a_text_longer_than_a_sentence_of_gensim_is_cut_and_none_of_it_is_lost():
    texts = pa.array(["One two. THREE", "", "a b c d e f g"])
    pieces = list(Sentences(texts, Word2vecConfig(), longest=3).placed())
    assert pieces == [
        (0, ["one", "two", "three"]),
        (2, ["a", "b", "c"]),
        (2, ["d", "e", "f"]),
        (2, ["g"]),
    ]


def test_by_default_pieces_are_as_long_as_gensim_reads():
    pieces = list(Sentences(pa.array(["x " * 25_000]), Word2vecConfig()))
    assert list(map(len, pieces)) == [10_000, 10_000, 5_000]
    from gensim.models.word2vec import MAX_WORDS_IN_BATCH  # noqa: PLC0415  (an extra)

    assert LONGEST == MAX_WORDS_IN_BATCH


def test_every_pass_gives_the_same():
    sentences = Sentences(pa.array(["one two", "three"]), Word2vecConfig())
    assert list(sentences) == list(sentences) == [["one", "two"], ["three"]]
