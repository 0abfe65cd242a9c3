"""EXPERIMENT: the experiment of a store, one JSON document beside CURRENT."""

from pathlib import Path

from pydantic import ValidationError

from recsys.artifacts.files import replace_durably
from recsys.errors import ArtifactError
from recsys.experiments.plan import Experiment
from recsys.plain_files import read_plain
from recsys.validation_errors import explained


def read_experiment(path: Path) -> Experiment | None:
    """The experiment in the file `path`, ended or not; None if there is no file. Raises ArtifactError if damaged."""
    try:
        return Experiment.model_validate_json(read_plain(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read: {error}") from error
    except ValidationError as error:
        raise ArtifactError(f"{path}: is damaged; delete it to end the experiment: {explained(error)}") from error


def write_experiment(path: Path, experiment: Experiment) -> None:
    """Write the file in one rename, durably. Raises ArtifactError if the disk refuses."""
    try:
        replace_durably(path, experiment.model_dump_json(indent=1).encode() + b"\n")
    except OSError as error:
        raise ArtifactError(f"{path}: could not be written: {error.strerror}") from error
