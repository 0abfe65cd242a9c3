"""prepare on Spark writes what prepare on one machine writes: the same summary, files to the bit, and messages."""

import logging
from pathlib import Path

import numpy as np

from pipelines.spark.prepare import prepare as on_spark
from pipelines.steps.prepare import prepare as on_one_machine
from pipelines.steps.workspace import Workspace
from recsys.config import ComputeConfig
from recsys.data.interactions import Interactions
from recsys.data.matrix import InteractionMatrix
from recsys.pipeline_config import load_config
from recsys.progress import silent
from recsys.spark.event_files import EventFiles
from recsys.spark.row_blocks import StoredBlocks, blocks_of, concatenated

SPARK = ComputeConfig(engine="spark", block_entries=2_000)


def both(path: Path, caplog):
    """The folder and the summary of prepare by either engine, and what it warned of."""
    found = []
    for engine, prepare in (("local", on_one_machine), ("spark", on_spark)):
        workspace = Workspace(path.parent / engine)
        compute = SPARK if engine == "spark" else ComputeConfig()
        config = load_config(path).model_copy(update={"workspace": workspace.root, "compute": compute})
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            summary = prepare(config, workspace, progress=silent)
        warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
        found.append((workspace, summary.model_dump() | {"began_at": None}, warnings))
    return found


def compare(spark, local, other):
    """Assert that both wrote the same."""
    (here, summary, warnings), (there, found, told) = local, other
    assert found == summary
    assert told == warnings
    assert there.quarantine.read_text() == here.quarantine.read_text()
    here, there = here.folder("prepare"), there.folder("prepare")
    names = {path.relative_to(here).as_posix() for path in here.rglob("*") if path.is_file()}
    for name in sorted(names - {"step.json", "inputs.json", "events/events.arrow", "holdout/events.arrow"}):
        assert _content(there / name) == _content(here / name), name
    events = EventFiles(there / "events")
    _same_events(events.in_log_order(events.read(spark).toArrow()), Interactions.load(here / "events"))
    matrix = InteractionMatrix.load(here / "matrix")
    for name, csr in (("users", matrix.csr), ("items", matrix.csr.T.tocsr())):
        stored = StoredBlocks.load(there / "blocks" / name)
        blocks = concatenated(blocks_of(stored.read(spark).toArrow(), stored.shape.n_columns))
        assert (blocks != csr).nnz == 0
        assert blocks.shape == csr.shape
    assert [*(there.parent / "spark").iterdir()] == [], "the scratch folder is removed"


def _content(path: Path):
    return np.load(path).tobytes() if path.suffix == ".npy" else path.read_bytes()


def _same_events(found: Interactions, expected: Interactions) -> None:
    assert found.event_names == expected.event_names
    for name in ("user_idx", "item_idx", "value", "timestamp", "event"):
        one, other = getattr(found, name), getattr(expected, name)
        assert (one is None and other is None) or np.array_equal(one, other), name


def test_a_shop(spark, shop, caplog):
    compare(spark, *both(shop, caplog))


DIRTY = """\
user,item,time,kind,value
ü7,b,1700000000,buy,2
u1,b,1700000000,view,1
u1,a,1700000100,buy,1
u1,a,1700000100,buy,1
,a,1700000100,buy,1
u2,c,1700000200,buy,-1
u2,c,1700000100,buy,3
u3,"a",soon,buy,1
u3,a,1700400000,gone,1
"""


def test_a_log_of_dirty_files(spark, tmp_path, caplog):
    """Refused, ignored and merged rows, returns, an empty file, ids of many alphabets, an excluded item."""
    rng = np.random.default_rng(2)
    lines = [
        f"{user},{item},{1_700_000_000 + int(at)},{kind},{value}"
        for user, item, at, kind, value in zip(
            [f"{'üzé名🎈'[int(n) % 5]}{n}" for n in rng.integers(0, 50, 900)],
            [chr(97 + int(n)) for n in rng.integers(0, 20, 900)],
            rng.integers(0, 900_000, 900),
            rng.choice(["buy", "view", "gone"], 900),
            rng.choice([1, 2, -1, 0], 900, p=[0.5, 0.3, 0.17, 0.03]),
            strict=True,
        )
    ]
    log = tmp_path / "log"
    log.mkdir()
    (log / "1.csv").write_text(DIRTY)
    (log / "2.csv").write_text("user,item,time,kind,value\n")
    (log / "3.csv").write_text("\n".join(["user,item,time,kind,value", *lines]) + "\n")
    (tmp_path / "items.csv").write_text("item,title\na,A\nb,B\nq,Q\nc,C\n")
    config = tmp_path / "pipeline.toml"
    config.write_text(f"""
workspace = "{tmp_path}/work"
[log]
paths = ["{log}"]
user = "user"
item = "item"
timestamp = "time"
event = "kind"
value = "value"
ignore_events = ["gone"]
non_positive = "net"
seen_events = ["buy"]
max_refused_share = 0.2
[items]
path = "{tmp_path}/items.csv"
id = "item"
title = "title"
exclude = "title = 'B'"
[prepare]
deduplicate = true
min_user_items = 5
min_item_users = 12
max_user_events = 16
""")
    local, other = both(config, caplog)
    compare(spark, local, other)
    assert all(local[1]["rows"][what] for what in ("refused", "ignored", "merged"))
    assert {"excluded_item", "user_above_max_events", "net_non_positive", "item_below_min_users"} <= set(
        local[1]["cleaning"]["removed"]
    )
