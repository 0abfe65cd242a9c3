"""Pre-trained word vectors (GloVe, word2vec, fastText), averaged over the words of a text."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from recsys.config import FilePath
from recsys.content.encoder import EncoderKind
from recsys.content.pooled_words import PooledWords, PoolingConfig, fit_pooling
from recsys.content.texts import text_columns, texts_of
from recsys.content.word_files import Format, WordFile
from recsys.content.words import word_counts
from recsys.data.items import Items
from recsys.data.matrix import InteractionMatrix
from recsys.errors import ConfigError, DataError
from recsys.progress import Progress, silent


class WordsConfig(PoolingConfig):
    """Pre-trained word vectors: GloVe and word2vec text, word2vec binary, fastText, npy beside a list of words."""

    encoder: Literal["words"] = Field("words", description="how the vectors are made")
    path: FilePath = Field(description="of the word vectors; text and word2vec's binary form may be .gz")
    words: FilePath | None = Field(
        None, description="npy: the words of its rows; a text file with one per line, or Parquet with one text column"
    )
    format: Format = Field(
        "auto",
        description="of the file; `auto`: by its name and first bytes. `fasttext` needs gensim and is read whole",
    )
    sealed_words: int = Field(
        20_000,
        ge=0,
        le=10_000_000,
        description="first words of the file, in general the most frequent, that are kept beside those of the "
        "catalogue, because searches may use them",
    )


def fit_words(
    items: Items, config: WordsConfig, *, histories: InteractionMatrix | None = None, progress: Progress = silent
) -> PooledWords:
    """Read the vectors of the words of `items`, and learn how frequent each is and what all texts have in common.

    Raises ConfigError if a file is missing; DataError, with file and place, if it is damaged, or if it has no word
    of the catalogue.
    """
    columns = text_columns(items, config.columns)
    texts = texts_of(items, columns)
    counts = word_counts(texts)
    wanted = counts.keys() | {word.lower() for word in counts}
    where = f"content {config.source_name!r}, path"
    try:
        file = WordFile(config.path, config.words, config.format)
        found = file.read(wanted, first=config.sealed_words, progress=progress)
    except (ConfigError, DataError) as error:
        raise type(error)(f"{where}: {error}") from error
    if wanted.isdisjoint(found.words):
        raise DataError(
            f"{where}: {config.path}: has none of the {len(counts)} words of columns {', '.join(columns)}"
        )
    return fit_pooling(texts, counts, config, columns=columns, words=found.words, vectors=found.vectors)


def _files(config: WordsConfig) -> tuple[Path, ...]:
    return (config.path,) if config.words is None else (config.path, config.words)


WORDS = EncoderKind(WordsConfig, fit_words, PooledWords.load, files=_files, reads_text=True)
