"""model.json: which algorithm made the model in a folder, and the settings that its `load` needs."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recsys.data.loading import load_json
from recsys.errors import ArtifactError
from recsys.models.neighbours.weights import NeighbourWeights

NAME = "model.json"


def write_model_file(folder: Path, algorithm: str, **settings: Any) -> None:
    """Write the name of the algorithm and plain values into `folder`, which exists."""
    text = json.dumps({"algorithm": algorithm, **settings}, indent=2)
    (folder / NAME).write_text(text + "\n", encoding="utf-8")


def read_model_file(folder: Path) -> dict[str, Any]:
    """What `write_model_file` wrote, `algorithm` among it. Raises ArtifactError if it is missing or damaged."""
    path = folder / NAME
    settings = load_json(path)
    if not isinstance(settings, dict) or not isinstance(settings.get("algorithm"), str):
        raise ArtifactError(f"{path}: expected an object with the name of the algorithm, got {str(settings)[:200]!r}")
    return settings


def neighbours_setting(neighbours: NeighbourWeights | None) -> dict[str, float]:
    """What `write_model_file` writes about neighbours; nothing if there are none."""
    return {} if neighbours is None else {_STRENGTH: neighbours.strength}


def strength_in(settings: Mapping[str, Any], folder: Path) -> float | None:
    """The strength of the neighbours; None if the model has none. Raises ArtifactError if it is no number."""
    strength = settings.get(_STRENGTH)
    if strength is None or isinstance(strength, float):
        return strength
    raise ArtifactError(f"{folder / NAME}: {_STRENGTH} is {strength!r}, expected a number")


_STRENGTH = "neighbours_strength"
