"""What the driver reads for a job on Spark: here the rows of a database, by increments."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from pipelines.spark.prepare import prepare as on_spark
from pipelines.steps.prepare import prepare as on_one_machine
from pipelines.steps.workspace import Workspace
from recsys.config import ComputeConfig
from recsys.data.matrix import InteractionMatrix
from recsys.pipeline_config import load_config
from recsys.progress import silent

START, HOUR = 1_700_000_000, 3_600
CONFIG = """
workspace = "work"
[log]
source = "sqlite:///shop.db"
table = "events"
timestamp = "at"
timestamp_unit = "s"
max_refused_share = 0.1
incremental = true
late = "2h"
"""


def insert(folder: Path, hours: range) -> None:
    """An event per hour, some without a user."""
    rows = [(f"u{hour % 7}" if hour % 23 else "", f"i{hour % 5}", START + hour * HOUR) for hour in hours]
    with closing(sqlite3.connect(folder / "shop.db")) as database, database:
        database.execute("CREATE TABLE IF NOT EXISTS events (user TEXT, item TEXT, at INTEGER)")
        database.executemany("INSERT INTO events VALUES (?, ?, ?)", rows)


def test_a_night_goes_on_from_the_rows_that_another_engine_kept(spark, tmp_path):
    """The first night of one machine; then only what is new is fetched, with the summary of one machine."""
    (tmp_path / "pipeline.toml").write_text(CONFIG)
    config = load_config(tmp_path / "pipeline.toml")
    insert(tmp_path, range(200))
    on_one_machine(config, Workspace(config.workspace), progress=silent)
    insert(tmp_path, range(200, 230))
    shutil.copytree(config.workspace, tmp_path / "there")
    local = on_one_machine(config, Workspace(config.workspace), progress=silent)
    compute = ComputeConfig(engine="spark", block_entries=1_000)
    there = config.model_copy(update={"workspace": tmp_path / "there", "compute": compute})
    found = on_spark(there, Workspace(there.workspace), progress=silent)
    assert found.model_dump() | {"began_at": None} == local.model_dump() | {"began_at": None}
    assert (found.increment.kept, found.increment.fetched) == (197, 33)
    here, there = (InteractionMatrix.load(Workspace(folder).folder("prepare") / "matrix") for folder in
                   (config.workspace, tmp_path / "there"))  # fmt: skip
    assert (here.csr != there.csr).nnz == 0
