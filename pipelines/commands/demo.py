"""demo: the built-in log, the whole job on it, and a few users and items to judge the result by."""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from pipelines.bounded.job import tell_job
from pipelines.commands.rendering import path_from_here
from pipelines.datasets.cards import find_card
from pipelines.datasets.fetch import fetch_dataset
from pipelines.steps.run import Announce, run
from recsys.artifacts.registry import Registry
from recsys.config import data_dir
from recsys.engine import Answer, Engine, Question
from recsys.engine.opening import open_engine
from recsys.evaluation.outcome import Outcome
from recsys.pipeline_config import load_config
from recsys.progress import Progress

_SHOWN_USERS = 3
_SHOWN_ITEMS = 1
_ASKED_FOR_NEW = 300
_LONGEST_LIST = 10


@dataclass(frozen=True)
class DemoResult:
    """The engine on the published version, how its run ended, the users and items to show, where the files are.

    `first_day`: the list, with reasons, of a user to whom a book without any event is recommended; None if none is.
    """

    engine: Engine
    outcome: Outcome | None
    users: tuple[str, ...]
    items: tuple[str, ...]
    first_day: Answer | None
    report: Path
    store: Path
    next_commands: tuple[str, ...]


def run_demo(folder: Path, *, progress: Progress, announce: Announce) -> DemoResult:
    """Write the demo log into $RECSYS_DATA_DIR, unless it is there, and run the job on it into `folder`."""
    fetch_dataset("demo", data_dir=data_dir(), progress=progress)
    folder = folder.absolute()
    config_path = find_card("demo").folder / "pipeline.toml"
    store = folder / "store"
    config = load_config(config_path, overrides={"workspace": str(folder), "publish.store": str(store)})
    tell_job(config)
    done = run(config, progress=progress, announce=announce)
    engine = open_engine(Registry(store))
    users = tuple(engine.user_ids.decode(_spread(len(engine.user_ids), _SHOWN_USERS)))
    items = tuple(item.item_id for item in engine.history(users[0], limit=_SHOWN_ITEMS))
    return DemoResult(
        engine=engine,
        outcome=done.publish.outcome,
        users=users,
        items=items,
        first_day=_first_day(engine),
        report=config.workspace / "report.html",
        store=store,
        next_commands=_next_commands(store, users[0], items[0]),
    )


def _first_day(engine: Engine) -> Answer | None:
    """The list with the best place of a new item, as far down as that item, among those of some users."""
    users = engine.user_ids.decode(_spread(len(engine.user_ids), min(len(engine.user_ids), _ASKED_FOR_NEW)))
    places = [
        (item.rank, answer.user_id)
        for answer in engine.recommend_many(users, k=_LONGEST_LIST)
        for item in answer.items
        if item.new
    ]
    if not places:
        return None
    rank, user = min(places, key=lambda place: place[0])
    return engine.ask(Question(user_id=user, k=rank, explain=True))


def _spread(size: int, n: int) -> list[int]:
    """n positions, evenly spaced."""
    return [size * (2 * at + 1) // (2 * n) for at in range(n)]


def _next_commands(store: Path, user: str, item: str) -> tuple[str, ...]:
    shown = path_from_here(store)
    activate = () if shutil.which("recsys") else (f"source {Path(sys.prefix) / 'bin' / 'activate'}",)
    return (
        *activate,
        f"recsys recommend --store {shown} --user {user}",
        f"recsys similar --store {shown} --item {item}",
        f"recsys serve --store {shown}",
        f'curl "http://127.0.0.1:8000/v1/users/{user}/recommendations?k=5"',
    )
