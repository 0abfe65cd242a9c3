"""A small shop with a reader who will be forgotten, and two nights of it."""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from pipelines.steps.run import run
from recsys.artifacts.registry import Registry
from recsys.event_store.database import open_database
from recsys.event_store.events import Events, NewEvent
from recsys.event_store.impressions import Impression, Impressions
from recsys.event_store.merges import Merges
from recsys.pipeline_config import PipelineConfig, load_config
from recsys.progress import silent

MARKED = "zq7-Märkwürdig-41"
"""The id of the reader; no other file of this machine has it."""

SESSION = "zq7-session-of-that-reader"
"""A session of the same reader."""

OTHER = "reader 17"

CONFIG = """
workspace = "work"
[log]
paths = ["events.csv"]
events = "events.db"
user = "user_id"
item = "item_id"
timestamp = "at"
max_future = "9000d"
max_refused_share = 0.5
[items]
path = "items.csv"
id = "item_id"
title = "title"
[evaluate]
holdout = "5d"
cutoffs = [5]
baselines = ["popular"]
bootstrap = 20
[model]
auto = false
factors = 4
iterations = 2
[publish]
metric = "ndcg@5"
min_users = 1
max_metric_drop = 1.0
[[export]]
to = "lists.parquet"
k = 5
[[export]]
to = "lists.csv"
k = 5
[[export]]
to = "sqlite:///FOLDER/lists.db/lists"
k = 5
"""


@dataclass(frozen=True)
class Shop:
    """The folder of a shop. `log` is its owner's; everything else was written by the job and the service."""

    folder: Path

    @property
    def config(self) -> PipelineConfig:
        """Its configuration."""
        return load_config(self.folder / "pipeline.toml")

    @property
    def registry(self) -> Registry:
        """The store."""
        return Registry(self.folder / "store")

    def vector(self, version: str | None = None) -> bytes:
        """The bytes of the reader's vector in a version."""
        bundle = self.registry.load(version)
        at = bundle.users.position(MARKED)
        assert at is not None
        vector = np.asarray(bundle.model.embeddings.users[at])
        assert np.abs(vector).min() > 0
        return vector.tobytes()

    def remove_log(self) -> None:
        """What the owner of the log does."""
        (self.folder / "events.csv").unlink()


def _write(folder: Path) -> None:
    rng = np.random.default_rng(3)
    now = int(time.time()) // 86_400 * 86_400
    rows = ["user_id,item_id,at"]
    for user in range(60):
        taste = user % 3 * 10
        for item in rng.choice(10, size=6, replace=False).tolist():
            rows.append(f"reader {user},book {taste + item},{now - int(rng.integers(1, 40)) * 86_400}")
    rows += [f"{MARKED},book {item},{now - day * 86_400}" for item, day in ((1, 9), (2, 8), (3, 6), (4, 2), (5, 1))]
    rows += [f"{MARKED},book 7,not a time", f'"book 9",{MARKED},', f"{MARKED},,{now}"]
    (folder / "events.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    titles = "\n".join(f"book {item},Title {item}" for item in range(30))
    (folder / "items.csv").write_text(f"item_id,title\n{titles}\n", encoding="utf-8")
    (folder / "pipeline.toml").write_text(CONFIG.replace("FOLDER", str(folder)), encoding="utf-8")


def _keep_events(folder: Path) -> None:
    database = open_database(folder / "events.db")
    now = time.time() - 3600
    who = [(MARKED, None), (MARKED, SESSION), (None, SESSION), (OTHER, None)] * 20
    events = [
        NewEvent(f"e{at}", user, session, f"book {at % 10}", None, 1.0, now + at, now + at)
        for at, (user, session) in enumerate(who)
    ]
    Events(database).add([events])
    Merges(database).merge(SESSION, MARKED)
    given = [
        Impression(f"r{at}", now, user, session, "v0", None, None, "recommendations", "known", [f"book {at}"])
        for at, (user, session) in enumerate(who)
    ]
    Impressions(database).add(given)
    database.close()


@pytest.fixture(scope="session")
def _nights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two nights, of which the reports show every evaluated user."""
    folder = tmp_path_factory.mktemp("reader")
    _write(folder)
    _keep_events(folder)
    run(load_config(folder / "pipeline.toml"), progress=silent)
    again = load_config(folder / "pipeline.toml", overrides={"publish.min_users": 2})
    run(again, steps=("publish", "export"), progress=silent)
    return folder


@pytest.fixture
def shop(_nights: Path, tmp_path: Path) -> Shop:
    """A shop of its own."""
    folder = Path(shutil.copytree(_nights, tmp_path / "shop"))
    text = (folder / "pipeline.toml").read_text("utf-8").replace(str(_nights), str(folder))
    (folder / "pipeline.toml").write_text(text, encoding="utf-8")
    return Shop(folder)
