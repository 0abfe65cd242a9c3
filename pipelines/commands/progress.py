"""Progress of long work: a bar on a terminal, plain lines elsewhere; always on standard error."""

import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn

from pipelines.bounded.reports import is_watched, tell_progress
from pipelines.commands.log import is_json, stamp
from recsys import progress

_LINE_EVERY_SECONDS = 10.0


class Terminal:
    """One bar per stage, which stays on screen when it is done. Use it as a context."""

    def __init__(self, console: Console) -> None:
        self._bars = Progress(
            TextColumn("  {task.description:<28}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            console=console,
        )
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, stage: str, done: float, total: float | None) -> None:
        """See recsys.progress.Progress."""
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(stage, total=total)
        self._bars.update(self._tasks[stage], completed=done, total=total)

    def __enter__(self) -> "Terminal":
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._bars.stop()


class Lines:
    """One line when a stage ends, and one every ten seconds before. Use it as a context."""

    def __init__(self) -> None:
        self._printed: dict[str, float] = {}

    def __call__(self, stage: str, done: float, total: float | None) -> None:
        """See recsys.progress.Progress."""
        now = time.monotonic()
        finished = total is not None and done >= total
        if not finished and now - self._printed.setdefault(stage, now) < _LINE_EVERY_SECONDS:
            return
        self._printed[stage] = now
        share = f"{done / total:4.0%}" if total else f"{done:,.0f}"
        sys.stderr.write(f"{stamp()}  {stage}: {share}\n")

    def __enter__(self) -> "Lines":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        sys.stderr.flush()


@contextmanager
def listener() -> Iterator[progress.Progress]:
    """Bars if standard error is a terminal, lines if not; nothing if the log is JSON. A parent is told too."""
    with _shown() as shown:

        def told(stage: str, done: float, total: float | None) -> None:
            tell_progress(stage)
            shown(stage, done, total)

        yield told if is_watched() else shown


def _shown() -> AbstractContextManager[progress.Progress]:
    if is_json():
        return nullcontext(progress.silent)
    console = Console(stderr=True)
    return Terminal(console) if console.is_terminal else Lines()
