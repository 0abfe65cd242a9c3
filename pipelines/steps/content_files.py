"""The files that encoders read beside the catalogue, and what changed in them since encode read them."""

import json
from pathlib import Path

from pipelines.steps.workspace import ENCODE, Workspace
from recsys.content.fingerprint import encoder_fingerprint
from recsys.content.registry import kind_of_encoder
from recsys.errors import DataError
from recsys.pipeline_config import PipelineConfig

_FILE = "files.json"


def fingerprint_key(source_name: str) -> str:
    """The key of a source's fingerprint among the inputs of encode."""
    return f"content.{source_name}"


def save_file_states(config: PipelineConfig, folder: Path) -> None:
    """Write size and time of every file of the encoders into the `folder` of encode, before they are read."""
    (folder / _FILE).write_text(json.dumps(_states(config)), encoding="utf-8")


def changed_content(config: PipelineConfig, workspace: Workspace) -> tuple[str, ...]:
    """A sentence per source whose files have another content than encode read; empty if encode has not run.

    Files with the same size and time are the same; others are read.
    """
    try:
        recorded, fingerprints = json.loads((workspace.folder(ENCODE) / _FILE).read_bytes()), workspace.inputs(ENCODE)
    except (OSError, ValueError, DataError):  # evaluate says that encode has to run
        return ()
    found = []
    for source, (name, state) in zip(config.content_sources, _states(config).items(), strict=True):
        if recorded.get(name) == state:
            continue
        try:
            same = encoder_fingerprint(source) == fingerprints.get(fingerprint_key(name))
        except OSError:
            same = False
        if not same:
            found.append(f"files of content {name!r} have changed since encode read them")
    return tuple(found)


def _states(config: PipelineConfig) -> dict[str, list[list[object]]]:
    """By source: path, size and time of each of its files, as JSON holds it."""
    states = dict[str, list[list[object]]]()
    for source in config.content_sources:
        paths = kind_of_encoder(source).files(source)
        files = sorted(file for path in paths for file in (path.rglob("*") if path.is_dir() else (path,)))
        stats = [(str(file), file.stat()) for file in files if file.is_file()]
        states[source.source_name] = [[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats]
    return states
