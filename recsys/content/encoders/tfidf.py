"""Words of texts, weighted by TF-IDF and reduced by a truncated SVD (latent semantic analysis).

Deerwester et al. (1990). Indexing by latent semantic analysis.
"""

import importlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from recsys.content.config import EncoderConfig
from recsys.content.encoder import Encoded, EncoderKind, Problems
from recsys.content.texts import text_columns, texts_of
from recsys.data.arrays import Floats, read_only, save_array
from recsys.data.items import Items
from recsys.data.matrix import InteractionMatrix
from recsys.errors import ArtifactError, DataError
from recsys.progress import Progress, silent
from recsys.retrieval.exact import normalised

_ROWS_AT_ONCE = 8192
_STATE = "tfidf.json"


class TfidfConfig(EncoderConfig):
    """Words of text columns by TF-IDF, reduced by a truncated SVD. Needs no model."""

    encoder: Literal["tfidf"] = Field("tfidf", description="how the vectors are made")
    dimension: int = Field(256, ge=1, le=4096, description="of the vectors, at most")
    min_items: int = Field(2, ge=1, description="words in fewer items are left out")
    seed: int = Field(1, ge=0, description="of the SVD")


@dataclass(frozen=True, eq=False)
class TfidfEncoder:
    """`vocabulary`: the words. `idf`: float64 (n_words,). `components`: float32 (d, n_words)."""

    columns: tuple[str, ...]
    vocabulary: tuple[str, ...]
    idf: Floats
    components: Floats

    @property
    def dimension(self) -> int:
        """The dimension d of its vectors."""
        return len(self.components)

    def encode(self, items: Items, *, progress: Progress = silent) -> Encoded:
        """The vectors of `items`; zero for an item without a known word."""
        texts, vectorizer = texts_of(items, self.columns), _vectorizer(vocabulary=list(self.vocabulary))
        vectorizer.idf_ = self.idf
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        for start in range(0, len(texts), _ROWS_AT_ONCE):
            progress("encode: tfidf", start, len(texts))
            rows = slice(start, start + _ROWS_AT_ONCE)
            weighted = vectorizer.transform(texts[rows].to_pylist())
            vectors[rows] = normalised(np.ascontiguousarray(weighted @ self.components.T, dtype=np.float32))
        return Encoded(vectors, _problems(vectors, texts, items))

    def save(self, folder: Path) -> None:
        """Write tfidf.json, idf.npy and components.npy into `folder`."""
        state = {"columns": self.columns, "vocabulary": self.vocabulary}
        (folder / _STATE).write_text(json.dumps(state), encoding="utf-8")
        save_array(self.idf, folder / "idf.npy")
        save_array(self.components, folder / "components.npy")

    @staticmethod
    def load(folder: Path) -> "TfidfEncoder":
        """Read what `save` wrote. Raises ArtifactError if it is missing or damaged."""
        try:
            state = json.loads((folder / _STATE).read_bytes())
            idf, components = (np.load(folder / f"{name}.npy", allow_pickle=False) for name in ("idf", "components"))
            return TfidfEncoder(tuple(state["columns"]), tuple(state["vocabulary"]), idf, components)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ArtifactError(f"{folder}: expected {_STATE}, idf.npy and components.npy: {error}") from error


def fit_tfidf(
    items: Items, config: TfidfConfig, *, histories: InteractionMatrix | None = None, progress: Progress = silent
) -> TfidfEncoder:
    """Learn words and their weights from the texts of `items`. Raises DataError if there are too few words."""
    columns = text_columns(items, config.columns)
    vectorizer = _vectorizer(min_df=config.min_items)
    progress("encode: tfidf, words", 0, 1)
    try:
        weighted = vectorizer.fit_transform(texts_of(items, columns).to_pylist())
    except ValueError as error:
        raise DataError(f"content {config.source_name!r}: columns {', '.join(columns)}: {error}") from error
    d = min(config.dimension, min(weighted.shape) - 1)
    if d < 1:
        raise DataError(
            f"content {config.source_name!r}: {weighted.shape[1]} words in {len(items.ids)} items are too few"
        )
    svd = importlib.import_module("sklearn.decomposition").TruncatedSVD(d, random_state=config.seed).fit(weighted)
    progress("encode: tfidf, words", 1, 1)
    components = read_only(np.ascontiguousarray(svd.components_, dtype=np.float32))
    return TfidfEncoder(columns, tuple(vectorizer.get_feature_names_out()), read_only(vectorizer.idf_), components)


def _vectorizer(**settings: Any) -> Any:
    """A TfidfVectorizer; scikit-learn is imported here, because that takes a second that nobody else should wait."""
    vectorizer = importlib.import_module("sklearn.feature_extraction.text").TfidfVectorizer
    return vectorizer(sublinear_tf=True, strip_accents="unicode", **settings)


def _problems(vectors: Floats, texts: pa.StringArray, items: Items) -> Problems:
    problems = Problems()
    for at in np.flatnonzero(~vectors.any(axis=1)).tolist():
        text, named = texts[at].as_py(), f"item {items.ids.id_at(at)!r}"
        if text:
            problems.add("no known word", f"{named}: {text[:80]!r}")
        else:
            problems.add("no text", named)
    return problems


TFIDF = EncoderKind(TfidfConfig, fit_tfidf, TfidfEncoder.load, reads_text=True)
