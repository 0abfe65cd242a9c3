"""The vectors that the last run of `encode` made, read back so that only what changed is encoded."""

import json
import logging
from dataclasses import asdict
from pathlib import Path

import numpy as np

from pipelines.steps.content import FOLDER
from recsys.artifacts.files import FileDigest, digest_file, list_files
from recsys.content.encoder import Problems
from recsys.content.encoding import SourceVectors
from recsys.content.space import ContentSpace
from recsys.data.arrays import save_array
from recsys.errors import ArtifactError

_KEPT, _TOLD, _DIGESTS = "kept", "sources.json", "digests.json"

log = logging.getLogger(__name__)


def save_vectors(made: list[SourceVectors], folder: Path) -> None:
    """Write the space of all sources, what each was made from, and the hash of every file, into the step's folder."""
    ContentSpace(tuple(each.source for each in made)).save(folder / FOLDER)
    (folder / _KEPT).mkdir()
    told = {}
    for each in made:
        save_array(each.rows, folder / _KEPT / f"{each.source.name}.npy")
        problems = {"counts": dict(each.problems.counts), "first": each.problems.first}
        told[each.source.name] = {"fingerprint": each.fingerprint, **problems}
    (folder / _KEPT / _TOLD).write_text(json.dumps(told), encoding="utf-8")
    digests = {name: asdict(digest_file(folder / name)) for name in list_files(folder)}
    (folder / _DIGESTS).write_text(json.dumps(digests), encoding="utf-8")


def load_vectors(folder: Path) -> dict[str, SourceVectors]:
    """Source to its vectors; empty if there are none. Damaged ones are a warning: all is encoded anew."""
    if not (folder / _DIGESTS).exists():
        return {}
    try:
        return _verified(folder)
    except (OSError, ValueError, KeyError, TypeError, ArtifactError) as error:
        log.warning("the kept content vectors cannot be used, everything is encoded anew: %s", error)
        return {}


def _verified(folder: Path) -> dict[str, SourceVectors]:
    digests = json.loads((folder / _DIGESTS).read_bytes())
    for name, told in digests.items():
        if digest_file(folder / name) != FileDigest(**told):
            raise ArtifactError(f"{folder / name}: its content changed")
    told = json.loads((folder / _KEPT / _TOLD).read_bytes())
    found = {}
    for source in ContentSpace.load(folder / FOLDER).sources:
        fingerprint, counts, first = (told[source.name][key] for key in ("fingerprint", "counts", "first"))
        rows = np.load(folder / _KEPT / f"{source.name}.npy", allow_pickle=False)
        problems = Problems()
        for reason, n in counts.items():
            problems.add(reason, first[reason], n_items=n)
        found[source.name] = SourceVectors(source, fingerprint, rows, problems)
    return found
