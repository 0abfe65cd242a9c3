"""Rewriting: a version without some of its people, sealed anew and put in its place."""

import json
import logging
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from recsys.artifacts.bundle import Bundle, Pages, read_record, read_report, seal_bundle
from recsys.artifacts.contents import Contents
from recsys.artifacts.folded_users import FoldedUsers
from recsys.artifacts.forgotten_people import (
    examples_of,
    forgotten_in,
    names_of,
    names_people,
    shown_in_report,
)
from recsys.artifacts.manifest import REPORTS, SIGNATURE, Manifest, VersionFacts, log_read_at, read_manifest
from recsys.artifacts.registry import Registry
from recsys.artifacts.replacement import replace_version
from recsys.artifacts.signature import VARIABLE, SigningKey
from recsys.data.arrays import Indices
from recsys.data.id_map import IdMap
from recsys.errors import ArtifactError, ForgottenError
from recsys.evaluation.record import Record
from recsys.forgotten import Forgotten, read_forgotten

SEAL_WAIT_SECONDS = 60.0
"""How long rewriting waits for a job that seals a version."""

_ATTEMPTS = 10

_NOTICE = "This page showed the lists of people who were forgotten since. The figures are in report.json."

logger = logging.getLogger(__name__)


def rewrite(registry: Registry, version: str, people: frozenset[str], *, key: SigningKey | None = None) -> str:
    """Seal `version` without `people`, and let the new one take its place in the store; the new one's name.

    Whatever named the old one names the new one: the pointer, HISTORY, a hold, an experiment. Vectors of items, their
    degrees and popularity stay, so that nobody else's lists change. The old one is deleted. If it is stopped, the old
    one is still there, and rewriting it again ends the work. Raises ArtifactError if the version is damaged or signed
    and there is no `key`, or the disk refuses.
    """
    folder = registry.path(version)
    if key is None and (folder / SIGNATURE).exists():
        raise ArtifactError(f"{folder}: is signed; set {VARIABLE}, so that it can be signed again")
    bundle = registry.load(version)
    contents, record = without(bundle, people), _without(read_record(folder)[1], people)
    sealed = seal_bundle(
        registry.store,
        contents,
        _facts(bundle.manifest, contents, len(people)),
        record=record,
        pages=_pages(bundle, registry, people),
        key=key,
        of=bundle.manifest,
        wait_seconds=SEAL_WAIT_SECONDS,
    )
    replace_version(registry, version, sealed.version)
    logger.info("%s is %s without %d people", sealed.version, version, len(people))
    return sealed.version


def publish_without_forgotten(
    registry: Registry, version: str, *, parent: str | None, key: SigningKey | None = None
) -> tuple[str, bool]:
    """`Registry.publish`, of the version rewritten without whoever was forgotten since its log was read.

    Returns its name, which is another one then, and what `Registry.publish` returns; raises as it does.
    """
    for _ in range(_ATTEMPTS):
        try:
            return version, registry.publish(version, parent=parent)
        except ForgottenError as error:
            logger.warning("%s; it is sealed again without them", error)
            version = _rewritten(registry, version, key)
        except ArtifactError as error:
            version = _renamed(registry, version, error)
    raise ForgottenError(f"{registry.path(version)}: people were forgotten {_ATTEMPTS} times while it was published")


def _rewritten(registry: Registry, version: str, key: SigningKey | None) -> str:
    try:
        people = forgotten_in(registry.path(version), read_forgotten(registry.store))
        return rewrite(registry, version, people, key=key) if people else version
    except ArtifactError as error:
        return _renamed(registry, version, error)


def _renamed(registry: Registry, version: str, error: ArtifactError) -> str:
    """The name of `version` after another process has taken people out of it; raises `error` if none has."""
    if (present := registry.renamed(version)) == version:
        raise error
    return present


def without(contents: Contents, people: frozenset[str]) -> Contents:
    """The same contents without the rows of `people`, trained or to be folded in."""
    kept = _others(contents.users, people)
    vectors, folded = contents.model.embeddings, contents.folded_in
    parts = {name: getattr(contents, name) for name in Contents.__dataclass_fields__}
    return Contents(
        **parts
        | {
            "users": contents.users.take(kept),
            "model": contents.model.with_embeddings(
                replace(vectors, users=np.ascontiguousarray(np.asarray(vectors.users)[kept]))
            ),
            "history": contents.history[kept],
            "seen": None if contents.seen is None else contents.seen[kept],
            "folded_in": None if folded is None else _folded(folded, people),
        }
    )


def _folded(folded: FoldedUsers, people: frozenset[str]) -> FoldedUsers | None:
    kept = _others(folded.users, people)
    seen = None if folded.seen is None else folded.seen[kept]
    return FoldedUsers(folded.users.take(kept), folded.history[kept], seen) if len(kept) else None


def _others(users: IdMap, people: frozenset[str]) -> Indices:
    """int32 (m,): the positions of all users but `people`."""
    gone, _ = users.encode(sorted(people))
    others: Indices = np.setdiff1d(np.arange(len(users), dtype=np.int32), gone)
    return others


def _without(record: Record | None, people: frozenset[str]) -> Record | None:
    if record is None:
        return None
    kept = _others(record.users, people)
    per_user = {name: values[kept] for name, values in record.per_user.items()}
    return replace(record, users=record.users.take(kept), per_user=per_user, lists=record.lists[kept])


def _facts(manifest: Manifest, contents: Contents, n_people: int) -> VersionFacts:
    """Those of `manifest`, with the counts of `contents`."""
    told: dict[str, Any] = {name: getattr(manifest, name) for name in VersionFacts.__dataclass_fields__}
    folded = contents.folded_in
    counts = {
        "users": len(contents.users),
        "folded_in_users": 0 if folded is None else len(folded.users),
        "entries": int(contents.history.nnz),
    }
    told["counts"] = manifest.counts | {name: n for name, n in counts.items() if name in manifest.counts}
    told["forgotten"] = manifest.forgotten + n_people
    told["earlier_names"] = (*manifest.earlier_names, manifest.version)
    return VersionFacts(**told)


def _pages(bundle: Bundle, registry: Registry, people: frozenset[str]) -> Pages | None:
    """The pages of its report; if `people` are shown in it, nobody is, and the pages for readers say so."""
    manifest = bundle.manifest
    folder = registry.path(manifest.version)
    found = kept_pages(folder)
    if not found:
        return None
    recorded = read_record(folder)[1]
    evaluated = recorded is not None and len(_others(recorded.users, people)) < len(recorded.users)
    cleaned = cleaned_pages(found, people, numbered=evaluated and not names_people(manifest))
    return lambda version: {name: text.replace(manifest.version, version) for name, text in cleaned.items()}


def kept_pages(folder: Path) -> dict[str, str]:
    """The pages of a version's report by the names of REPORTS; those that there are. Raises ArtifactError."""
    texts = {name: read_report(folder, name) for name in REPORTS.values()}
    return {name: text for name, text in texts.items() if text is not None}


def shown_pages(folder: Path, forgotten: Forgotten) -> dict[str, str]:
    """`kept_pages`, without the users whose ids they show if one of them was forgotten since."""
    pages = kept_pages(folder)
    if not pages or not forgotten:
        return pages
    made_at = log_read_at(read_manifest(folder))
    return cleaned_pages(
        pages, frozenset(each for each in shown_in_report(folder) if forgotten.of_version(made_at, each))
    )


def cleaned_pages(pages: dict[str, str], people: frozenset[str], *, numbered: bool = False) -> dict[str, str]:
    """The pages of a report by the names of REPORTS, without the users that it shows if `people` are among them.

    `numbered`: users are named by numbers, and `people` may be among them.
    """
    report = json.loads(pages.get(REPORTS["json"], "{}"))
    names = {name for user_id in people for name in names_of(user_id)}
    if not numbered and not names & {str(example["user_id"]) for example in examples_of(report)}:
        return pages
    report |= {name: empty for name, empty in (("examples", []), ("regressed", None)) if name in report}
    said = {
        REPORTS["json"]: json.dumps(report, ensure_ascii=False, indent=2) + "\n",
        REPORTS["md"]: f"# Evaluation report\n\n{_NOTICE}\n",
        REPORTS["html"]: f"<!doctype html><title>Evaluation report</title><p>{escape(_NOTICE)}</p>\n",
    }
    return {name: said[name] for name in pages}
