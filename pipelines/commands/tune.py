"""tune: runs prepare if necessary, searches better settings, writes what was found."""

import logging
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from pipelines.steps.run import run
from pipelines.steps.summaries import PrepareSummary
from pipelines.steps.workspace import Workspace
from recsys.artifacts.files import replace_durably
from recsys.data.interactions import Interactions
from recsys.errors import DataError
from recsys.pipeline_config import PipelineConfig
from recsys.progress import Progress, silent
from recsys.spark.event_files import EventFiles
from recsys.spark.sample import read_sample
from recsys.storage import storage_errors
from recsys.tuning.budget import Deadline, SearchBudget
from recsys.tuning.outcome import Outcome, trials_table
from recsys.tuning.search import check_searchable, search_name, search_settings
from recsys.tuning.toml_output import Tuned, write_copy, write_in_place

logger = logging.getLogger(__name__)

_STOPPING = "stopping after this iteration with the best so far; press Ctrl-C again to stop at once"


def tune(
    path: Path,
    config: PipelineConfig,
    budget: SearchBudget,
    *,
    given: Mapping[str, object],
    write: bool = False,
    progress: Progress = silent,
    announce: Callable[[str], None] = lambda line: None,
) -> Outcome:
    """Search from the settings of `config`, which is `path` with the dotted keys `given`; write tuned.toml.

    A search for the same settings, log and budget continues an earlier one. `write`: change `path` too. Ctrl-C ends
    the search with the best so far. Runs prepare if its output is missing or out of date.
    Raises what `search_settings` raises, what prepare raises, and StorageError if the disk refuses.
    """
    check_searchable(config)
    text, workspace = path.read_bytes().decode(), Workspace(config.workspace)
    events = _prepared(config, workspace, progress, announce)
    log = workspace.summary(PrepareSummary).fingerprints.log
    folder, deadline = workspace.folder("tune") / search_name(config, budget, log=log), Deadline(budget.seconds)
    kept = storage_errors(workspace.root, doing="while tune kept its trials")
    with kept, _interruptible(deadline, lambda: announce(_STOPPING)):
        outcome = search_settings(
            events, config, budget, folder=folder, deadline=deadline, progress=progress, announce=announce
        )
    tuned = Tuned(config, given, outcome.settings, outcome.notes(datetime.now(UTC).date(), path.name))
    with storage_errors(workspace.root, doing="while tune wrote what it found"):
        replace_durably(trials_file(config), trials_table(outcome).encode())
        write_copy(tuned_file(config), text, tuned)
        if write and outcome.settings:
            write_in_place(path, tuned)
    logger.info("tuned trials=%s gain=%s seconds=%.1f", outcome.n_trials, outcome.gain, outcome.seconds)
    return outcome


def tuned_file(config: PipelineConfig) -> Path:
    """Path of the configuration that was found."""
    return Workspace(config.workspace).folder("tune") / "tuned.toml"


def trials_file(config: PipelineConfig) -> Path:
    """Path of the table with one row per trial."""
    return Workspace(config.workspace).folder("tune") / "trials.csv"


def _prepared(
    config: PipelineConfig, workspace: Workspace, progress: Progress, announce: Callable[[str], None]
) -> Interactions:
    try:
        folder = workspace.require("prepare", config)
    except DataError:
        announce("prepare has not run, or its settings have changed; running it first")
        run(config, steps=("prepare",), progress=progress)
        folder = workspace.require("prepare", config)
    if config.compute.engine == "local":
        return Interactions.load(folder / "events")
    sample = read_sample(EventFiles(folder / "events"), config.compute.sample_events)
    if not sample.is_whole:
        drawn, total = f"{len(sample.events):,}", f"{sample.of_events:,}"
        announce(f"settings are tried on {drawn} of {total} events (compute.sample_events)")
    return sample.events


@contextmanager
def _interruptible(deadline: Deadline, notice: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C once interrupts the search at its next iteration and calls `notice`; pressed again, it stops at once."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread can set a signal handler
        return
    before = signal.getsignal(signal.SIGINT)

    def interrupt(number: int, frame: FrameType | None) -> None:
        deadline.interrupted = True
        signal.signal(signal.SIGINT, before)
        notice()

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
