"""An index as files: the vectors as an array, and beside them, where one approximates, its structure and effort."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeAlias

import faiss
import numpy as np

from recsys.errors import ArtifactError, ModelError
from recsys.retrieval.faiss_approximate import ApproximateIndex, Effort, native
from recsys.retrieval.faiss_index import FaissIndex

VectorIndex: TypeAlias = FaissIndex | ApproximateIndex
"""What item vectors are searched with, whatever the family."""

_SETTINGS = {"kind", "probes", "candidates"}
_VECTORS, _STRUCTURE, _EFFORT, _FIRST_RELEASE = ".npy", ".structure.faiss", ".effort.json", ".faiss"


def parsed_files(name: str) -> frozenset[str]:
    """Files of the index `name` that `load_index` wants as verified bytes; the vectors it maps."""
    return frozenset(name + suffix for suffix in (_STRUCTURE, _EFFORT, _FIRST_RELEASE))


def save_index(index: VectorIndex, folder: Path, name: str) -> None:
    """Write `name`.npy into `folder`, and for an approximation `name`.structure.faiss and `name`.effort.json.

    Raises OSError.
    """
    np.save(folder / (name + _VECTORS), index.vectors, allow_pickle=False)
    if isinstance(index, ApproximateIndex):
        (folder / (name + _STRUCTURE)).write_bytes(faiss.serialize_index(index.structure).data)
        settings = {"kind": index.kind, **asdict(index.effort)}
        (folder / (name + _EFFORT)).write_text(json.dumps(settings) + "\n", encoding="utf-8")


def load_index(
    folder: Path, name: str, shape: tuple[int, int], *, verified: Mapping[str, bytes | memoryview]
) -> VectorIndex:
    """Load what `save_index` wrote, expected to hold vectors of `shape` (n_items, d), or what the first release did.

    `verified`: those of `parsed_files` that there are; faiss does not notice damage, so their hashes must have been
    verified. Structures stay in them: over a mapped file, the processes that map it share its memory.
    Raises ArtifactError where the files do not hold such an index.
    """
    if name + _FIRST_RELEASE in verified:
        return FaissIndex.from_bytes(verified[name + _FIRST_RELEASE], shape)
    exact = _load_vectors(folder / (name + _VECTORS), shape)
    if name + _STRUCTURE not in verified:
        return exact
    try:
        settings = _settings(verified[name + _EFFORT])
        memory = memoryview(verified[name + _STRUCTURE])
        effort = Effort(int(settings["probes"]), int(settings["candidates"]))
        return ApproximateIndex(str(settings["kind"]), _parse(memory), exact, effort=effort, memory=memory)
    except (KeyError, OverflowError, ValueError, TypeError, RuntimeError, ModelError) as error:
        raise ArtifactError(f"{folder / name}: not an index of a known family: {error}") from error


def read_index(folder: Path, name: str, shape: tuple[int, int]) -> VectorIndex:
    """`load_index` of files that this very job wrote, unverified. Raises ArtifactError as it does."""
    found = {path.name: path.read_bytes() for path in folder.iterdir() if path.name in parsed_files(name)}
    return load_index(folder, name, shape, verified=found)


def _load_vectors(path: Path, shape: tuple[int, int]) -> FaissIndex:
    try:
        index = FaissIndex(np.load(path, mmap_mode="r", allow_pickle=False))
    except (OSError, EOFError, ValueError, ModelError) as error:
        raise ArtifactError(f"{path}: expected item vectors: {error}") from error
    if index.vectors.shape != shape:
        raise ArtifactError(f"{path}: vectors of shape {index.vectors.shape}, expected {shape}")
    return index


def _settings(data: bytes | memoryview) -> dict[str, Any]:
    settings = json.loads(bytes(data))
    if not isinstance(settings, dict):
        raise ValueError(f"{type(settings).__name__}, expected an object")
    if settings.keys() != _SETTINGS:  # another release may have meant another structure by the same name
        raise ValueError(f"effort of {', '.join(sorted(settings))}; expected {', '.join(sorted(_SETTINGS))}")
    return settings


def _parse(data: memoryview) -> Any:
    """The structure in `data`, of which large parts are used where they lie."""
    content = np.frombuffer(data, np.uint8)
    structure = native.read_index(native.ZeroCopyIOReader(faiss.swig_ptr(content), len(content)))
    if not isinstance(structure, faiss.IndexIVF | faiss.IndexHNSW):
        raise ValueError(f"{type(structure).__name__}, expected cells or a graph")
    return structure
