"""A folder of sentence-transformers, run by torch. Nothing is downloaded, and no code of the folder is run."""

import importlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recsys.data.arrays import Floats
from recsys.errors import ConfigError

_PICKLED = (".bin", ".pt", ".pth", ".pkl", ".ckpt")


@dataclass(frozen=True, eq=False)
class SentenceTransformersNetwork:
    """`model`: a SentenceTransformer, which pools as its folder declares."""

    model: Any
    batch: int
    threads: int

    @property
    def dimension(self) -> int:
        """The dimension of the vectors."""
        return int(self.model.get_embedding_dimension())

    def vectors(self, texts: Sequence[str]) -> Floats:
        """Float32 (n, d)."""
        with _torch_threads(self.threads):
            found = self.model.encode(list(texts), batch_size=self.batch, show_progress_bar=False, prompt="")
        return np.ascontiguousarray(found, dtype=np.float32)


def open_torch(folder: Path, *, key: str, max_tokens: int, batch: int, threads: int) -> SentenceTransformersNetwork:
    """The model of `folder`. `key`: of the configuration, for messages.

    Raises ConfigError if its weights are pickled, or the library cannot read it.
    """
    _refuse_pickles(folder, key)
    library = importlib.import_module("sentence_transformers")
    importlib.import_module("transformers.utils.logging").disable_progress_bar()  # progress is the night's
    try:
        model = library.SentenceTransformer(
            str(folder),
            device="cpu",
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True},
        )
    except Exception as error:  # the library raises what its parts raise
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigError(f"{key}: {folder}: sentence-transformers cannot read it: {reason}") from error
    model.max_seq_length = min(max_tokens, model.max_seq_length or max_tokens)
    return SentenceTransformersNetwork(model, batch, threads)


def _refuse_pickles(folder: Path, key: str) -> None:
    """Raise ConfigError if a part of the model has no other weights than pickled ones."""
    for path in sorted(folder.rglob("*")):
        if path.suffix in _PICKLED and not any(path.parent.glob("*.safetensors")):
            raise ConfigError(f"{key}: {path}: reading pickled weights can run code; expected a .safetensors file")


@contextmanager
def _torch_threads(number: int) -> Iterator[None]:
    """Hold torch, which has one number of threads per process, to `number`; 0: as it is."""
    torch = importlib.import_module("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(number or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
