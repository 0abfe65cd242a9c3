"""A log, a catalogue and a holdout in tables of Spark: prepare leaves what it leaves of files with the same rows."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.spark.engine import check_tables
from pipelines.spark.prepare import prepare as on_spark
from pipelines.steps.prepare import prepare as on_one_machine
from pipelines.steps.workspace import Workspace
from recsys.data.interactions import Interactions
from recsys.data.matrix import InteractionMatrix
from recsys.errors import DataError
from recsys.pipeline_config import load_config
from recsys.progress import silent
from recsys.spark.event_files import EventFiles

N = 400
REST = """
user = "who"
timestamp = "at"
max_refused_share = 0.1
event = "kind"
ignore_events = ["shown"]
[items]
{items}
title = "name"
attributes = ["price", "tags"]
exclude = "price > 15"
[evaluate]
split = "given"
{holdout}
[compute]
{compute}
"""


def events(seed: int) -> pa.Table:
    rng = np.random.default_rng(seed)
    return pa.table(
        {
            "who": [f"u{n}" if n else None for n in rng.integers(0, 30, N)],
            "item": [f"i{n}" for n in rng.integers(0, 20, N)],
            "at": pa.array(1_700_000_000_000_000 + rng.integers(0, 10**12, N), pa.timestamp("us", "UTC")),
            "kind": rng.choice(["buy", "shown"], N),
        }
    )


ITEMS = pa.table(
    {
        "item": [f"i{n}" for n in range(22)],
        "name": [f"Item {n}" for n in range(22)],
        "price": [float(n) for n in range(22)],
        "tags": [["a", "b"][: n % 3] for n in range(22)],
    }
)
TABLES = {"log": events(1), "items": ITEMS, "late": events(2)}


def prepared(folder: Path, name: str, prepare, **sections: str):
    path = folder / f"{name}.toml"
    path.write_text(f'workspace = "{name}"\n[log]\n{sections["log"]}' + REST.format(**sections))
    config = load_config(path)
    workspace = Workspace(config.workspace)
    summary = prepare(config, workspace, progress=silent)
    return config, workspace.folder("prepare"), summary.model_dump()


def test_log_catalogue_and_holdout(spark, tmp_path):
    for name, table in TABLES.items():
        pq.write_table(table, tmp_path / f"{name}.parquet")
        spark.read.parquet(str(tmp_path / f"{name}.parquet")).createOrReplaceTempView(f"shop_{name}")
    paths = {name: f'"{tmp_path}/{name}.parquet"' for name in TABLES}
    sections = {"log": f"paths = {paths['log']}", "items": f"path = {paths['items']}", "compute": ""}
    _, here, local = prepared(
        tmp_path, "local", on_one_machine, **sections, holdout=f"holdout_paths = {paths['late']}"
    )
    config, there, found = prepared(
        tmp_path,
        "spark",
        on_spark,
        log='source = "spark"\ntable = "shop_log"',
        items='source = "spark"\nquery = "SELECT item, name, price, tags FROM shop_items"',
        holdout='holdout_table = "shop_late"',
        compute='engine = "spark"\nblock_entries = 3000',
    )
    odd = {"began_at": None, "fingerprints": None, "files": None}
    assert found | odd == local | odd
    assert all(found["rows"][what] for what in ("refused", "ignored"))
    for name in ("events", "holdout"):
        stored, expected = EventFiles(there / name), Interactions.load(here / name)
        read = stored.in_log_order(stored.read(spark).toArrow())
        assert np.array_equal(read.timestamp, expected.timestamp)
        assert np.array_equal(read.user_idx, expected.user_idx)
    assert (InteractionMatrix.load(there / "matrix").csr != InteractionMatrix.load(here / "matrix").csr).nnz == 0
    assert (there / "items.arrow").read_bytes() == (here / "items.arrow").read_bytes()
    assert len(check_tables(spark, config)) == 3
    spark.catalog.dropTempView("shop_late")
    with pytest.raises(DataError, match=r"log\.source: shop_late of Spark: .* cannot be found"):
        check_tables(spark, config)
