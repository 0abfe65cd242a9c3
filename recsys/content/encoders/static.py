"""Static token embeddings: the mean of the vectors of a text's tokens, of a model2vec folder or of wordllama."""

import importlib
import importlib.util
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from recsys.config import FilePath
from recsys.content.config import EncoderConfig
from recsys.content.encoder import Encoded, EncoderKind
from recsys.content.pooling import summed, text_problems
from recsys.content.texts import text_columns, texts_of
from recsys.data.arrays import read_only, save_array
from recsys.data.items import Items
from recsys.data.loading import damage_named, load_array, load_json
from recsys.data.matrix import InteractionMatrix
from recsys.errors import ConfigError, DataError, MissingPackageError
from recsys.extras import install
from recsys.plain_files import read_plain
from recsys.progress import Progress, silent
from recsys.retrieval.exact import normalised

_TEXTS_AT_ONCE = 4096
_STATE, _TOKENS, _TOKENIZER = "static.json", "tokens.npy", "tokenizer.json"
_TENSORS = ("embeddings", "embedding.weight")
_MOST_CHARACTERS = 32  # per token: the tokenizer reads a whole text before it cuts it

Halves = NDArray[np.float16]


class StaticConfig(EncoderConfig):
    """Static token embeddings: a model2vec folder, or the weights that the package wordllama ships."""

    encoder: Literal["static"] = Field("static", description="how the vectors are made")
    folder: FilePath | None = Field(
        None, description="of model2vec: model.safetensors and tokenizer.json; takes the place of `model`"
    )
    model: Literal["wordllama"] = Field(
        "wordllama", description="weights of an installed package; wordllama: 256 dimensions"
    )
    max_tokens: int = Field(512, ge=1, le=100_000, description="of a text; what follows is left out")


@dataclass(frozen=True, eq=False)
class StaticEncoder:
    """`tokens`: float16 (n_tokens, d), finite, a row per token of the tokenizer; zero: the token counts for nothing.

    `tokenizer_json`: the tokenizer as its library stores it. Raises DataError if they do not fit together.
    """

    columns: tuple[str, ...]
    tokens: Halves
    tokenizer_json: str
    max_tokens: int

    def __post_init__(self) -> None:
        if self.tokens.dtype != np.float16 or self.tokens.ndim != 2 or not np.isfinite(self.tokens).all():
            raise DataError(f"tokens {self.tokens.dtype} {self.tokens.shape}, expected finite float16 (n, d)")
        last = max(self._tokenizer.get_vocab().values(), default=-1)
        if last >= len(self.tokens):
            raise DataError(f"the tokenizer knows the token {last}, but there are {len(self.tokens)} vectors")
        object.__setattr__(self, "tokens", read_only(self.tokens))

    @property
    def dimension(self) -> int:
        """The dimension d of its vectors."""
        return int(self.tokens.shape[1])

    def encode(self, items: Items, *, progress: Progress = silent) -> Encoded:
        """The vectors of `items`: the sum of the vectors of all tokens; zero for an item without a known token."""
        texts = texts_of(items, self.columns)
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        for start in range(0, len(texts), _TEXTS_AT_ONCE):
            progress("encode: static", start, len(texts))
            rows = slice(start, start + _TEXTS_AT_ONCE)
            cut = [text[: _MOST_CHARACTERS * self.max_tokens] for text in texts[rows].to_pylist()]
            read = self._tokenizer.encode_batch_fast(cut, add_special_tokens=False)
            vectors[rows] = normalised(summed([each.ids for each in read], self.tokens))
        progress("encode: static", len(texts), len(texts))
        return Encoded(vectors, text_problems(vectors, texts, items.ids))

    def save(self, folder: Path) -> None:
        """Write static.json, tokens.npy and tokenizer.json into `folder`."""
        state = {"columns": self.columns, "max_tokens": self.max_tokens}
        (folder / _STATE).write_text(json.dumps(state), encoding="utf-8")
        (folder / _TOKENIZER).write_text(self.tokenizer_json, encoding="utf-8")
        save_array(self.tokens, folder / _TOKENS)

    @staticmethod
    def load(folder: Path) -> "StaticEncoder":
        """Read what `save` wrote. Raises ArtifactError if it is missing or damaged.

        Raises MissingPackageError if tokenizers is not installed.
        """
        if reason := unavailable("tokenizers"):
            raise MissingPackageError(f"{folder}: its encoder 'static' {reason}")
        state, tokens = load_json(folder / _STATE), load_array(folder / _TOKENS)
        with damage_named(folder, f"{_STATE}, {_TOKENS} and {_TOKENIZER}"):
            text = read_plain(folder / _TOKENIZER).decode()
            return StaticEncoder(tuple(state["columns"]), tokens, text, int(state["max_tokens"]))

    @cached_property
    def _tokenizer(self) -> Any:
        tokenizer = _tokenizer_of(self.tokenizer_json)
        tokenizer.no_padding()
        tokenizer.enable_truncation(self.max_tokens)
        return tokenizer


def fit_static(
    items: Items, config: StaticConfig, *, histories: InteractionMatrix | None = None, progress: Progress = silent
) -> StaticEncoder:
    """Read the token vectors; nothing is learned from `items`.

    Raises ConfigError if the folder or package is missing, or a file is not what it should be.
    """
    columns = text_columns(items, config.columns)
    weights, tokenizer = _found(config)
    where = f"content {config.source_name!r}: {weights}"
    try:
        text = tokenizer.read_text(encoding="utf-8")
        tokens = _token_vectors(_tensors(weights), _unknown_token(text))
        return StaticEncoder(columns, tokens, text, config.max_tokens)
    except (OSError, ValueError, DataError) as error:
        raise ConfigError(f"{where} and {tokenizer.name}: {error}") from error


def _token_vectors(tensors: dict[str, NDArray[Any]], unknown: int | None) -> Halves:
    """float16 (n_tokens, d): what a token adds to a sum; the unknown token adds nothing.

    model2vec may keep a weight per token ("weights") and let tokens share vectors ("mapping").
    """
    name = next((name for name in _TENSORS if name in tensors), None)
    if name is None:
        raise DataError(f"holds {', '.join(tensors) or 'nothing'}, expected a tensor {' or '.join(_TENSORS)}")
    vectors = tensors[name]
    if vectors.ndim != 2 or vectors.dtype.kind != "f" or not np.isfinite(vectors).all():
        raise DataError(f"{name} is {vectors.dtype} {vectors.shape}, expected finite numbers (n_tokens, d)")
    if "mapping" in tensors:
        vectors = vectors[_rows(tensors["mapping"], len(vectors))]
    if "weights" in tensors:
        vectors = vectors * _column(tensors["weights"], len(vectors))
    with np.errstate(over="ignore"):  # found by the encoder, which refuses infinity
        halves = vectors.astype(np.float16)
    if unknown is not None and unknown < len(halves):
        halves[unknown] = 0
    return halves


def _rows(mapping: NDArray[Any], n_vectors: int) -> NDArray[Any]:
    if mapping.ndim != 1 or mapping.dtype.kind not in "iu" or mapping.min() < 0 or mapping.max() >= n_vectors:
        raise DataError(f"mapping is {mapping.dtype} {mapping.shape}, expected places in {n_vectors} vectors")
    return mapping


def _column(weights: NDArray[Any], n_tokens: int) -> NDArray[Any]:
    if weights.shape != (n_tokens,) or weights.dtype.kind != "f":
        raise DataError(f"weights is {weights.dtype} {weights.shape}, expected one number per token, {n_tokens}")
    return weights[:, None]


def _tensors(path: Path) -> dict[str, NDArray[Any]]:
    library = importlib.import_module("safetensors.numpy")
    try:
        return dict(library.load_file(path))
    except Exception as error:  # of a kind of its own, or TypeError for a type that numpy lacks
        if isinstance(error, OSError):
            raise
        raise DataError(f"not a safetensors file that numpy can read: {error}") from error


def _tokenizer_of(text: str) -> Any:
    library = importlib.import_module("tokenizers")
    try:
        return library.Tokenizer.from_str(text)
    except Exception as error:  # the library raises nothing narrower
        raise DataError(f"{_TOKENIZER} is not a tokenizer: {error}") from error


def _unknown_token(text: str) -> int | None:
    """The number of the token that stands for unknown words, if there is one."""
    tokenizer, model = _tokenizer_of(text), json.loads(text)["model"]
    if "unk_id" in model:
        return None if model["unk_id"] is None else int(model["unk_id"])
    number: int | None = tokenizer.token_to_id(model.get("unk_token") or "")
    return number


def _found(config: StaticConfig) -> tuple[Path, Path]:
    """The files of weights and of the tokenizer. Raises ConfigError if there are none."""
    if reason := unavailable():
        raise ConfigError(f"content {config.source_name!r}: 'static' {reason}")
    places = _places(config)
    for weights, tokenizer in places:
        if weights.is_file() and tokenizer.is_file():
            return weights, tokenizer
    if config.folder is None:
        raise ConfigError(
            f"content {config.source_name!r}: model = 'wordllama', but the package is not installed, or has other "
            f"files than expected; {install('wordllama')}, or set `folder` to that of a model2vec model"
        )
    raise ConfigError(
        f"content {config.source_name!r}: folder {config.folder}: expected model.safetensors and tokenizer.json in it"
    )


def _places(config: StaticConfig) -> list[tuple[Path, Path]]:
    """Where the weights and the tokenizer may lie; nowhere if the package is not installed."""
    if config.folder is not None:
        inner = (config.folder, config.folder / "0_StaticEmbedding")
        return [(folder / "model.safetensors", folder / "tokenizer.json") for folder in inner]
    package = importlib.util.find_spec("wordllama")  # not imported, because that changes the log's settings
    return [
        (
            Path(folder) / "weights" / "l2_supercat_256.safetensors",
            Path(folder) / "tokenizers" / "l2_supercat_tokenizer_config.json",
        )
        for folder in (package.submodule_search_locations or () if package else ())
    ]


def _files(config: StaticConfig) -> tuple[Path, ...]:
    return next((pair for pair in _places(config) if all(path.is_file() for path in pair)), ())


def unavailable(*libraries: str) -> str | None:
    """Which of the `libraries`, by default all that a fit needs, is not installed, in words; None if all are."""
    for name in libraries or ("tokenizers", "safetensors"):
        if importlib.util.find_spec(name) is None:
            return f"needs {name}, which is not installed; {install('text')}"
    return None


STATIC = EncoderKind(
    StaticConfig,
    fit_static,
    StaticEncoder.load,
    files=_files,
    by_row=True,
    reads_text=True,
    unavailable=unavailable,
)
