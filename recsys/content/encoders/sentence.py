"""Sentence vectors: texts through a network of the BERT family (Reimers, Gurevych 2019)."""

import importlib
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import pyarrow as pa
from pydantic import Field

from recsys.config import FilePath
from recsys.content.config import EncoderConfig
from recsys.content.encoder import Encoded, EncoderKind, Problems
from recsys.content.onnx_graph import OnnxGraph, expect_inputs
from recsys.content.onnx_graph import unavailable as onnx_unavailable
from recsys.content.sentence_onnx import OnnxNetwork, Pooling
from recsys.content.sentence_torch import SentenceTransformersNetwork, open_torch
from recsys.content.texts import text_columns, texts_of
from recsys.data.arrays import Bools, Floats
from recsys.data.items import Items
from recsys.data.matrix import InteractionMatrix
from recsys.errors import ConfigError, DataError
from recsys.extras import install
from recsys.progress import Progress, silent
from recsys.retrieval.exact import normalised

_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
_GRAPHS = ("model.onnx", "onnx/model.onnx")
_TOKENIZER, _MODULES = "tokenizer.json", "modules.json"
_TEXTS_AT_ONCE = 2048
_MOST_CHARACTERS = 32  # per token: the tokenizer reads a whole text before it cuts it


class SentenceConfig(EncoderConfig):
    """Texts through a network of the BERT family: a folder of ONNX, or of sentence-transformers."""

    encoder: Literal["sentence"] = Field("sentence", description="how the vectors are made")
    folder: FilePath = Field(
        description="with model.onnx (or onnx/model.onnx) and tokenizer.json, the extra `onnx`; or, as "
        "sentence-transformers saves it, with modules.json, the extra `sentence`. Nothing is downloaded"
    )
    output: str | None = Field(None, description="ONNX: the output to read; by default the first")
    pooling: Pooling | None = Field(
        None,
        description="ONNX: how the vectors of the tokens become one: `mean`, `cls` or `max`, as it was trained; "
        "not needed if `output` is one vector per text, or for sentence-transformers, which declares its own",
    )
    max_tokens: int = Field(256, ge=1, le=8192, description="of a text; what follows is left out")
    prefix: str = Field("", description='before every text, if the network wants one, such as "passage: "')
    batch: int = Field(32, ge=1, le=4096, description="texts at once")
    threads: int = Field(0, ge=0, le=1024, description="of the network; 0: one per processor")


class Network(Protocol):
    """Turns texts into vectors."""

    @property
    def dimension(self) -> int:
        """The dimension of the vectors."""

    def vectors(self, texts: Sequence[str]) -> Floats:
        """Float32 (n, d), of any length."""


@dataclass(frozen=True, eq=False)
class SentenceEncoder:
    """`network`: of ONNX or sentence-transformers. `prefix`: before every text."""

    columns: tuple[str, ...]
    network: Network
    prefix: str
    max_tokens: int

    @property
    def dimension(self) -> int:
        """The dimension d of its vectors."""
        return self.network.dimension

    def encode(self, items: Items, *, progress: Progress = silent) -> Encoded:
        """The vectors of `items`; zero for an item without text. Long texts are cut."""
        texts = texts_of(items, self.columns)
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        for start in range(0, len(texts), _TEXTS_AT_ONCE):
            progress("encode: sentence", start, len(texts))
            some = texts[start : start + _TEXTS_AT_ONCE].to_pylist()
            known = [at for at, text in enumerate(some) if text.strip()]
            if known:
                cut = [self.prefix + some[at][: _MOST_CHARACTERS * self.max_tokens] for at in known]
                vectors[start + np.array(known)] = self.network.vectors(cut)
        progress("encode: sentence", len(texts), len(texts))
        finite = np.asarray(np.isfinite(vectors).all(axis=1))
        vectors[~finite] = 0
        return Encoded(normalised(vectors), _problems(vectors, finite, texts, items))

    def save(self, folder: Path) -> None:
        """Nothing: a network of this size is not sealed into a version."""


def _problems(vectors: Floats, finite: Bools, texts: pa.StringArray, items: Items) -> Problems:
    problems = Problems()
    for at in np.flatnonzero(~vectors.any(axis=1)).tolist():
        text, named = texts[at].as_py(), f"item {items.ids.id_at(at)!r}"
        if not text.strip():
            problems.add("no text", named)
        else:
            what = "zeros" if finite[at] else "NaN or infinity"
            problems.add(f"the network gave {what}", f"{named}: {text[:80]!r}")
    return problems


def fit_sentence(
    items: Items, config: SentenceConfig, *, histories: InteractionMatrix | None = None, progress: Progress = silent
) -> SentenceEncoder:
    """Read the network; nothing is learned from `items`.

    Raises ConfigError if the folder holds no network, or what reads it is not installed.
    """
    columns = text_columns(items, config.columns)
    key = f"content {config.source_name!r}, folder"
    graph = _graph_of(config)
    network = _transformers(config, key) if graph is None else _onnx(config, graph, key)
    return SentenceEncoder(columns, network, config.prefix, config.max_tokens)


def _graph_of(config: SentenceConfig) -> Path | None:
    return next((path for name in _GRAPHS if (path := config.folder / name).is_file()), None)


def _onnx(config: SentenceConfig, path: Path, key: str) -> OnnxNetwork:
    if reason := onnx_unavailable("tokenizers"):
        raise ConfigError(f"{key}: {path}: 'sentence' {reason}")
    graph = OnnxGraph.open(path, key=key, output=config.output, threads=config.threads)
    expect_inputs(graph, _INPUTS, key=key)
    output = graph.run(_probe(graph))
    if output.ndim not in (2, 3):
        raise ConfigError(
            f"{key}: {path}: output {graph.output!r} has the shape {output.shape}; expected (texts, tokens, d) or "
            "(texts, d); name another one (content.output)"
        )
    if output.ndim == 3 and config.pooling is None:
        raise ConfigError(
            f"{key}: {path}: output {graph.output!r} has a vector per token; set `pooling` to mean, cls or max, as "
            "the model was trained"
        )
    return _tried(OnnxNetwork(graph, _tokenizer(config, key), config.pooling or "mean", config.batch), config, key)


def _tried(network: OnnxNetwork, config: SentenceConfig, key: str) -> OnnxNetwork:
    """The same, if it bears a text of `max_tokens` tokens."""
    try:
        network.vectors(["a " * config.max_tokens])
    except DataError as error:
        raise ConfigError(f"{key}: {error}; max_tokens is {config.max_tokens}") from error
    return network


def _probe(graph: OnnxGraph) -> dict[str, Any]:
    return {name: np.full((1, 1), int(name == "attention_mask"), np.int64) for name in graph.inputs}


def _tokenizer(config: SentenceConfig, key: str) -> Any:
    path = config.folder / _TOKENIZER
    if not path.is_file():
        raise ConfigError(f"{key}: {path}: there is no such file; expected the tokenizer beside the network")
    try:
        tokenizer = importlib.import_module("tokenizers").Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing narrower
        raise ConfigError(f"{key}: {path}: not a tokenizer: {error}") from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(config.max_tokens)
    return tokenizer


def _transformers(config: SentenceConfig, key: str) -> SentenceTransformersNetwork:
    if not (config.folder / _MODULES).is_file():
        expected = f"expected {', '.join(_GRAPHS)} or {_MODULES} in it"
        raise ConfigError(f"{key}: {config.folder}: holds no network; {expected}")
    if importlib.util.find_spec("sentence_transformers") is None:
        raise ConfigError(
            f"{key}: {config.folder} is a folder of sentence-transformers, which is not installed; "
            f"{install('sentence')}, or export the network to ONNX (docs/embeddings.md)"
        )
    return open_torch(
        config.folder, key=key, max_tokens=config.max_tokens, batch=config.batch, threads=config.threads
    )


def _files(config: SentenceConfig) -> tuple[Path, ...]:
    graph = _graph_of(config)
    if graph is None:
        return (config.folder,) if config.folder.is_dir() else ()
    external = (path for path in (graph.with_name(f"{graph.name}.data"), graph.with_name(f"{graph.name}_data")))
    others = (config.folder / _TOKENIZER, *external)
    return (graph, *(path for path in others if path.is_file()))


SENTENCE = EncoderKind(SentenceConfig, fit_sentence, files=_files, by_row=True)
