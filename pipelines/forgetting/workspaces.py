"""What a workspace holds of people who were forgotten, and its removal; the next night makes it anew without them."""

import json
import shutil
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.steps.summaries import PrepareSummary
from pipelines.steps.workspace import Workspace
from recsys.artifacts.files import replace_durably
from recsys.artifacts.forgotten_people import examples_of
from recsys.artifacts.manifest import REPORTS
from recsys.artifacts.rewriting import cleaned_pages
from recsys.data.id_map import IdMap
from recsys.data.ingest.accounting import names_forgotten
from recsys.data.ingest.source import USER
from recsys.errors import RecsysError
from recsys.forgotten import NEVER, Forgotten
from recsys.pipeline_config import PipelineConfig
from recsys.storage import storage_errors

STEPS_WITH_PEOPLE = ("prepare", "evaluate", "train")
"""The steps whose outputs hold rows of users."""


def clean_workspace(
    workspace: Workspace, forgotten: Forgotten, *, config: PipelineConfig, dry_run: bool = False
) -> list[str]:
    """Remove from a workspace whoever was forgotten; what was removed, or would be, as paths below the workspace.

    The caller has the lock of the workspace. Outputs of steps go as a whole, and so does the kept copy of a log, and
    what a stopped job on Spark left that began before somebody was forgotten; of the quarantine and of reports those
    rows go that name people. Raises StorageError.
    """
    if not forgotten:
        return []
    with storage_errors(workspace.root, doing="while people were taken out of the workspace"):
        removed = [*_clean(workspace, forgotten, config.publish.report_ids, dry_run)]
        return removed + _clean_scratch(config.compute.scratch_in(workspace.root), forgotten, dry_run=dry_run)


def _clean(workspace: Workspace, forgotten: Forgotten, report_ids: str, dry_run: bool) -> Iterator[str]:
    read_at = _read_at(workspace)
    people = _people(workspace, forgotten, read_at)
    yield from _clean_reports(workspace, forgotten, people, read_at, numbered=report_ids == "none", dry_run=dry_run)
    for path in sorted(workspace.root.glob("quarantine*.jsonl")):
        if _clean_lines(path, forgotten, dry_run=dry_run):
            yield path.name
    kept = workspace.kept / "log.parquet"
    if kept.exists() and _is_in(kept, forgotten):
        if not dry_run:
            kept.unlink()
        yield f"{workspace.kept.name}/{kept.name}"
    leftovers = [path.name for path in workspace.root.glob(".*.new")]
    for name in (*(STEPS_WITH_PEOPLE if people is None or people else ()), *leftovers):
        if (folder := workspace.folder(name)).exists():
            if not dry_run:
                shutil.rmtree(folder)
            yield name


def _clean_scratch(scratch: Path, forgotten: Forgotten, *, dry_run: bool) -> list[str]:
    """What a stopped job left holds users by number, or their rows; one that began after the last tombstone stays."""
    began = min((path.stat().st_mtime for path in scratch.rglob("*") if path.is_file()), default=None)
    if began is None or began > max(forgotten.until.values()):
        return []
    if not dry_run:
        shutil.rmtree(scratch)
    return [scratch.name]


def _read_at(workspace: Workspace) -> float:
    """When prepare began to read; `NEVER` if that is not known, so that every tombstone counts."""
    with suppress(RecsysError, ValueError, TypeError):
        began_at = workspace.summary(PrepareSummary).began_at
        if began_at is not None:
            return datetime.fromisoformat(began_at).timestamp()
    return NEVER


def _people(workspace: Workspace, forgotten: Forgotten, read_at: float) -> frozenset[str] | None:
    """Those of the prepared log who count no more; None if that cannot be read, though there is something."""
    path = workspace.folder("prepare") / "events" / "users.arrow"
    if not any(workspace.folder(step).exists() for step in STEPS_WITH_PEOPLE):
        return frozenset()
    try:
        users = IdMap.load(path).ids.to_pylist()
    except RecsysError:
        return None
    times = forgotten.times(users)
    return frozenset(users[at] for at in ((times > NEVER) & (times >= read_at)).nonzero()[0].tolist())


def _clean_reports(
    workspace: Workspace,
    forgotten: Forgotten,
    people: frozenset[str] | None,
    read_at: float,
    *,
    numbered: bool,
    dry_run: bool,
) -> Iterator[str]:
    pages = {name: path.read_text("utf-8") for name in REPORTS.values() if (path := workspace.root / name).is_file()}
    if not pages:
        return
    with suppress(ValueError, KeyError):
        shown = {str(example["user_id"]) for example in examples_of(json.loads(pages.get(REPORTS["json"], "{}")))}
        named = {name for name in shown if forgotten.at(name) > NEVER and forgotten.at(name) >= read_at}
        cleaned = cleaned_pages(pages, frozenset(named | (people or frozenset())), numbered=numbered and bool(people))
        for name, text in cleaned.items():
            if text != pages[name]:
                if not dry_run:
                    replace_durably(workspace.root / name, text.encode())
                yield name


def _clean_lines(path: Path, forgotten: Forgotten, *, dry_run: bool) -> bool:
    """Whether lines of a quarantine name people; they are removed."""
    lines = path.read_text("utf-8", "surrogateescape").splitlines(keepends=True)
    kept = [line for line in lines if not _names(line, forgotten)]
    if len(kept) < len(lines) and not dry_run:
        replace_durably(path, "".join(kept).encode("utf-8", "surrogateescape"))
    return len(kept) < len(lines)


def _names(line: str, forgotten: Forgotten) -> bool:
    try:
        return names_forgotten(json.loads(line), forgotten)
    except ValueError:
        return forgotten.named_in(line)


def _is_in(kept: Path, forgotten: Forgotten) -> bool:
    """Whether a kept copy of a log has rows of people; one that cannot be read counts as if."""
    try:
        with pq.ParquetFile(kept) as file:
            for batch in file.iter_batches(columns=[USER]):
                users = {str(user) for user in batch.column(0).unique().to_pylist() if user is not None}
                if (forgotten.times(sorted(users)) > NEVER).any():
                    return True
    except (pa.ArrowException, OSError):
        return True
    return False
