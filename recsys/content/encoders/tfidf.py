"""Words of texts, weighted by TF-IDF and reduced by a truncated SVD (latent semantic analysis).

Deerwester et al. (1990). Indexing by latent semantic analysis.
"""

import importlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from recsys.config import LARGEST_SEED
from recsys.content.config import EncoderConfig
from recsys.content.encoder import Encoded, EncoderKind, Problems
from recsys.content.plain_text import plain_text
from recsys.content.texts import text_columns, texts_of
from recsys.data.arrays import Floats, read_only, save_array
from recsys.data.items import Items
from recsys.data.loading import damage_named, load_array, load_json
from recsys.data.matrix import InteractionMatrix
from recsys.errors import DataError
from recsys.progress import Progress, silent
from recsys.retrieval.exact import normalised

_ROWS_AT_ONCE = 8192
_STATE = "tfidf.json"
_GROUP_SIZES = (2, 3)

Terms = Literal["words", "bigrams", "characters"]


class TfidfConfig(EncoderConfig):
    """Words of text columns by TF-IDF, reduced by a truncated SVD. Needs no model."""

    encoder: Literal["tfidf"] = Field("tfidf", description="how the vectors are made")
    terms: Terms = Field(
        "words",
        description="what is counted: `words`; `bigrams`, words and pairs of neighbours; `characters`, groups of two "
        "and three, for languages without spaces, part numbers and compounds",
    )
    dimension: int = Field(256, ge=1, le=4096, description="of the vectors, at most")
    min_items: int = Field(2, ge=1, le=1_000_000, description="terms in fewer items are left out")
    max_terms: int = Field(50_000, ge=1, le=10_000_000, description="terms that are kept, the most frequent ones")
    max_characters: int = Field(
        10_000, ge=10, le=10_000_000, description="of an item's text; what follows is left out, and counted"
    )
    fit_items: int = Field(
        200_000,
        ge=2,
        le=100_000_000,
        description="items that terms and SVD are learned from, evenly spread; bounds the memory",
    )
    seed: int = Field(1, ge=0, le=LARGEST_SEED, description="of the SVD")


@dataclass(frozen=True, eq=False)
class TfidfEncoder:
    """`vocabulary`: the terms. `idf`: float32 (n_terms,). `components`: float32 (d, n_terms)."""

    columns: tuple[str, ...]
    vocabulary: tuple[str, ...]
    idf: Floats
    components: Floats
    terms: Terms = "words"
    max_characters: int = 10_000

    @property
    def dimension(self) -> int:
        """The dimension d of its vectors."""
        return len(self.components)

    def encode(self, items: Items, *, progress: Progress = silent) -> Encoded:
        """The vectors of `items`; zero for an item without a known term. HTML is no part of a text."""
        texts, problems = texts_of(items, self.columns), Problems()
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        for start in range(0, len(texts), _ROWS_AT_ONCE):
            progress("encode: tfidf", start, len(texts))
            rows = slice(start, start + _ROWS_AT_ONCE)
            plain = [plain_text(text) for text in texts[rows].to_pylist()]
            weighted = self._vectorizer.transform([text[: self.max_characters] for text in plain])
            vectors[rows] = normalised(np.ascontiguousarray(weighted @ self.components.T, dtype=np.float32))
            self._tell(plain, vectors[rows], items, start, problems)
        progress("encode: tfidf", len(texts), len(texts))
        return Encoded(vectors, problems)

    def _tell(self, plain: list[str], vectors: Floats, items: Items, start: int, problems: Problems) -> None:
        """Add what is wrong with the items from position `start` on; `plain`: their texts."""
        known = np.asarray(vectors.any(axis=1)).tolist()
        for at, (text, is_known) in enumerate(zip(plain, known, strict=True)):
            if is_known and len(text) <= self.max_characters:
                continue
            named = f"item {items.ids.id_at(start + at)!r}"
            if is_known:
                problems.add(f"more than {self.max_characters} characters, cut", f"{named}: {len(text)} characters")
            elif text:
                problems.add("no known word", f"{named}: {text[:80]!r}")
            else:
                problems.add("no text", named)

    @cached_property
    def _vectorizer(self) -> Any:
        vectorizer = _vectorizer(self.terms, vocabulary=list(self.vocabulary))
        vectorizer.idf_ = self.idf
        return vectorizer

    def save(self, folder: Path) -> None:
        """Write tfidf.json, idf.npy and components.npy into `folder`."""
        state = {
            "columns": self.columns,
            "vocabulary": self.vocabulary,
            "terms": self.terms,
            "max_characters": self.max_characters,
        }
        (folder / _STATE).write_text(json.dumps(state), encoding="utf-8")
        save_array(self.idf, folder / "idf.npy")
        save_array(self.components, folder / "components.npy")

    @staticmethod
    def load(folder: Path) -> "TfidfEncoder":
        """Read what `save` wrote. Raises ArtifactError if it is missing or damaged."""
        state = load_json(folder / _STATE)
        with damage_named(folder, f"{_STATE}, idf.npy and components.npy"):
            columns, vocabulary = (tuple(state.pop(name)) for name in ("columns", "vocabulary"))
            idf, components = (np.asarray(load_array(folder / f"{name}.npy")) for name in ("idf", "components"))
            if idf.shape != (len(vocabulary),) or components.ndim != 2 or components.shape[1] != len(vocabulary):
                raise ValueError(f"{len(vocabulary)} terms, idf {idf.shape}, components {components.shape}")
            return TfidfEncoder(columns, vocabulary, idf, read_only(components), **state)


def fit_tfidf(
    items: Items, config: TfidfConfig, *, histories: InteractionMatrix | None = None, progress: Progress = silent
) -> TfidfEncoder:
    """Learn terms and their weights from the texts of `items`. Raises DataError if there are too few terms."""
    columns = text_columns(items, config.columns)
    vectorizer = _vectorizer(config.terms, min_df=config.min_items, max_features=config.max_terms)
    progress("encode: tfidf, words", 0, 1)
    try:
        weighted = vectorizer.fit_transform(_plain_texts(items, columns, config))
    except ValueError as error:
        raise DataError(f"content {config.source_name!r}: columns {', '.join(columns)}: {error}") from error
    d = min(config.dimension, min(weighted.shape) - 1)
    if d < 1:
        raise DataError(
            f"content {config.source_name!r}: {weighted.shape[1]} terms in {weighted.shape[0]} items are too few"
        )
    svd = importlib.import_module("sklearn.decomposition").TruncatedSVD(d, random_state=config.seed).fit(weighted)
    progress("encode: tfidf, words", 1, 1)
    return TfidfEncoder(
        columns=columns,
        vocabulary=tuple(vectorizer.get_feature_names_out()),
        idf=read_only(np.asarray(vectorizer.idf_, np.float32)),
        components=read_only(np.ascontiguousarray(svd.components_, dtype=np.float32)),
        terms=config.terms,
        max_characters=config.max_characters,
    )


def _plain_texts(items: Items, columns: tuple[str, ...], config: TfidfConfig) -> Iterator[str]:
    """The texts to learn from, one at a time."""
    texts = texts_of(items, columns)
    if len(texts) > config.fit_items:
        texts = texts.take(pa.array(np.linspace(0, len(texts) - 1, config.fit_items).astype(np.int64)))
    for start in range(0, len(texts), _ROWS_AT_ONCE):
        for text in texts[start : start + _ROWS_AT_ONCE].to_pylist():
            yield plain_text(text)[: config.max_characters]


def _vectorizer(terms: Terms, **settings: Any) -> Any:
    """A TfidfVectorizer; scikit-learn is imported here, because that takes a second that nobody else should wait."""
    vectorizer = importlib.import_module("sklearn.feature_extraction.text").TfidfVectorizer
    if terms == "characters":  # accents stay: without theirs, Japanese and Korean letters are others
        settings |= {"analyzer": "char_wb", "ngram_range": _GROUP_SIZES}
    else:
        settings |= {"strip_accents": "unicode", "ngram_range": (1, 2 if terms == "bigrams" else 1)}
    return vectorizer(sublinear_tf=True, dtype=np.float32, **settings)


TFIDF = EncoderKind(TfidfConfig, fit_tfidf, TfidfEncoder.load, reads_text=True)
