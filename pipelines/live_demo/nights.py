"""The live demo: every night the job reads the shop's database, every day readers use what it published."""

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipelines.live_demo.database import running_database
from pipelines.live_demo.readers import Readers
from pipelines.live_demo.service import running_service, wait_for_version
from pipelines.live_demo.shop import DAY, LIVE, Shop, open_shop
from pipelines.steps.run import run
from pipelines.steps.summaries import PrepareSummary
from pipelines.steps.workspace import Workspace
from recsys.address import Address
from recsys.artifacts.experiments import Experiments
from recsys.artifacts.registry import Registry
from recsys.data.synthetic import Choices
from recsys.errors import ArtifactError, GateError
from recsys.event_store.database import Database, open_database
from recsys.online.baseline import assumed, goal_of
from recsys.online.experiment import ExperimentReading, look
from recsys.online.figures import Figures, online_report, prepared
from recsys.online.queries import Window
from recsys.pipeline_config import load_config
from recsys.progress import Progress

VARIABLE = "DEMO_DATABASE"
"""The environment variable that holds the database's address while the demo runs."""

_EXPECTED_CLICK_THROUGH, _EFFECT = 0.3, 0.2
_WRITTEN_WITHIN, _LOOK_EVERY = 10.0, 0.2


@dataclass(frozen=True)
class LiveNight:
    """One night and the day after it. `version`: what served. `refused`: why nothing new did, empty if it did.

    `events`: rows of the log that the night read. `arms`: what the day's readers did with the lists, by arm: control
    has popular books, treatment the lists of the version.
    """

    number: int
    version: str
    refused: str
    events: int
    arms: dict[str, Figures]


@dataclass(frozen=True)
class LiveDemoResult:
    """How the demo ended: the experiment's last reading, and where the files are."""

    reading: ExperimentReading
    shop: Shop


def run_live_demo(
    folder: Path,
    *,
    database: str | None,
    nights: int,
    visits: int,
    progress: Progress,
    announce: Callable[[LiveNight], None],
) -> LiveDemoResult:
    """Run `nights` nights and the days between them, `visits` visits each; `announce` is called after each day.

    `database`: URL of a PostgreSQL database, in which the schema recsys_demo is made anew; None for one that runs for
    the demo alone, with its files in `folder`. Raises ConfigError if there is neither.
    """
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        url = stack.enter_context(running_database(database, folder / "postgresql"))
        stack.enter_context(_variable(VARIABLE, url))
        shop = open_shop(folder, url, variable=VARIABLE)
        events = stack.enter_context(closing(prepared(open_database(Address(url)))))
        with events.read():  # which makes the tables that the log is read from
            pass
        demo = _LiveDemo(shop, events, visits, progress)
        first = demo.night()
        client = stack.enter_context(
            running_service(shop.store, port=_free_port(), events=url, log=folder / "service.log")
        )
        demo.begin_experiment()
        readers = Readers(Choices(shop.world), client)
        for number in range(1, nights + 1):
            told = first if number == 1 else demo.night()
            wait_for_version(client, told.version)
            announce(demo.day(readers, number, told))
        return LiveDemoResult(demo.end_experiment(), shop)


@contextmanager
def _variable(name: str, value: str) -> Iterator[None]:
    """An environment variable for as long as the block runs."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]
        if before is not None:
            os.environ[name] = before


@dataclass(frozen=True, eq=False)
class _Night:
    """What the job did: the version that serves after it, and why it is not a new one, if it is not."""

    version: str
    refused: str
    events: int


class _LiveDemo:
    def __init__(self, shop: Shop, events: Database, visits: int, progress: Progress) -> None:
        self._shop, self._database, self._visits, self._progress = shop, events, visits, progress
        self._registry = Registry(shop.store)
        self._experiments = Experiments(self._registry)

    def night(self) -> _Night:
        """Run the whole job. A gate that refuses is a night like others: the old version serves on."""
        config, refused = load_config(self._shop.config_path), ""
        try:
            run(config, progress=self._progress)
        except GateError as error:
            refused = str(error)
        if (serving := self._registry.current()) is None:
            raise ArtifactError(f"the first night published nothing: {refused}")
        summary = Workspace(config.workspace).summary(PrepareSummary)
        return _Night(serving, refused, summary.rows.rows_read)

    def begin_experiment(self) -> None:
        """Half of the readers get popular books, the others the lists of the version that serves."""
        goal = goal_of(
            assumed(_EXPECTED_CLICK_THROUGH), rate="click_through", effect=_EFFECT, share=0.5, clicks=("view",)
        )
        self._experiments.start(control="popular", treatment="current", share=0.5, goal=goal, name="live-demo")

    def day(self, readers: Readers, number: int, night: _Night) -> LiveNight:
        """Let readers in, and tell what they did with what they were shown."""
        since = time.time()
        readers.day(starts=LIVE + (number - 1) * DAY, seconds=DAY, visits=self._visits, progress=self._progress)
        return LiveNight(number, night.version, night.refused, night.events, self._arms(since, time.time()))

    def end_experiment(self) -> ExperimentReading:
        """The verdict."""
        return look(self._database, self._experiments.stop(reason="the demo is over"))

    def _arms(self, since: float, until: float) -> dict[str, Figures]:
        """By arm; once all lists are written, which the service does every second."""
        deadline = time.monotonic() + _WRITTEN_WITHIN
        while True:
            found = online_report(self._database, Window(since, until, clicks=("view",))).overall
            if sum(each.lists for each in found) >= self._visits or time.monotonic() > deadline:
                return {each.arm: each for each in found if each.arm is not None}
            time.sleep(_LOOK_EVERY)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
