"""An index as files: the vectors as an array, and for an approximation its structure and parameters."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from recsys.data.arrays import save_array
from recsys.data.loading import damage_named, load_array
from recsys.errors import ArtifactError
from recsys.plain_files import read_plain
from recsys.retrieval.approximate_index import ApproximateIndex, SearchParameters
from recsys.retrieval.families.registry import FAMILIES
from recsys.retrieval.flat_index import FlatIndex
from recsys.retrieval.search import VectorIndex

_MOST = 2**20
"""Far above any number of probes or candidates that is tried."""

_STRUCTURE_BYTES = 2**40

_VECTORS, _STRUCTURE, _PARAMETERS = ".npy", ".structure", ".parameters.json"


class _Parameters(BaseModel):
    """`name`.parameters.json. Unknown keys are refused: another release may have meant another structure."""

    model_config = ConfigDict(extra="forbid", strict=True)

    kind: str
    probes: int = Field(ge=1, le=_MOST)
    candidates: int = Field(ge=1, le=_MOST)


def parsed_files(name: str) -> frozenset[str]:
    """Files of the index `name` that `load_index` wants as verified bytes; the vectors it maps."""
    return frozenset(name + suffix for suffix in (_STRUCTURE, _PARAMETERS))


def save_index(index: VectorIndex, folder: Path, name: str) -> None:
    """Write `name`.npy into `folder`, and for an approximation `name`.structure and `name`.parameters.json.

    Raises OSError.
    """
    save_array(index.vectors, folder / (name + _VECTORS))
    if isinstance(index, ApproximateIndex):
        (folder / (name + _STRUCTURE)).write_bytes(index.structure.to_bytes())
        parameters = _Parameters(kind=index.kind, **vars(index.parameters))
        (folder / (name + _PARAMETERS)).write_text(parameters.model_dump_json() + "\n", encoding="utf-8")


def load_index(
    folder: Path, name: str, shape: tuple[int, int], *, verified: Mapping[str, bytes | memoryview]
) -> VectorIndex:
    """Load what `save_index` wrote, expected to hold vectors of `shape` (n_items, d).

    `verified`: those of `parsed_files` that there are; native parsers do not notice damage, so their hashes must have
    been verified. Structures stay in them: over a mapped file, the processes that map it share its memory.
    Raises ArtifactError if the files do not hold such an index.
    """
    exact = _load_vectors(folder / (name + _VECTORS), shape)
    if name + _STRUCTURE not in verified:
        return exact
    parameters = _load_parameters(folder / (name + _PARAMETERS), verified.get(name + _PARAMETERS))
    family = FAMILIES[parameters.kind]
    with damage_named(folder / (name + _STRUCTURE), f"a structure of {parameters.kind}"):
        structure = family.load(memoryview(verified[name + _STRUCTURE]), shape)
    searched = SearchParameters(parameters.probes, parameters.candidates)
    return ApproximateIndex(family, structure, exact, parameters=searched)


def read_index(folder: Path, name: str, shape: tuple[int, int]) -> VectorIndex:
    """`load_index` of files that this very job wrote, unverified. Raises ArtifactError as it does."""
    found = {
        path.name: read_plain(path, most=_STRUCTURE_BYTES)
        for path in folder.iterdir()
        if path.name in parsed_files(name)
    }
    return load_index(folder, name, shape, verified=found)


def _load_parameters(path: Path, data: bytes | memoryview | None) -> _Parameters:
    if data is None:
        raise ArtifactError(f"{path}: is missing; the structure in the same folder needs it")
    try:
        parameters = _Parameters.model_validate_json(bytes(data))
    except ValidationError as error:
        problem = error.errors()[0]
        raise ArtifactError(": ".join(map(str, [path, *problem["loc"], problem["msg"]]))) from error
    if parameters.kind not in FAMILIES:
        raise ArtifactError(f"{path}: kind: {parameters.kind!r}, expected one of {', '.join(FAMILIES)}")
    return parameters


def _load_vectors(path: Path, shape: tuple[int, int]) -> FlatIndex:
    with damage_named(path, "item vectors"):
        index = FlatIndex(load_array(path))
    if index.vectors.shape != shape:
        raise ArtifactError(f"{path}: vectors of shape {index.vectors.shape}, expected {shape}")
    return index
