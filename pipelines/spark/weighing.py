"""Weighing on Spark: what a model is trained on and a version is sealed with, from the event files, weighed one way.

`prepare` does it as the configuration says, `train` once more if `evaluate` chose a half-life.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.steps.exclusion import recounted
from pipelines.steps.summaries import PrepareSummary
from pipelines.steps.training_data import POPULARITY
from recsys.data.arrays import Indices, save_array
from recsys.data.cleaning import CleaningSummary
from recsys.data.event_weights import EventWeights
from recsys.data.id_map import IdMap
from recsys.data.items import Items
from recsys.pipeline_config import PipelineConfig
from recsys.spark.bundle import BundleParts, save_rows
from recsys.spark.cleaning import clean_events
from recsys.spark.event_files import EventFiles

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

BLOCKS = "blocks"
"""In the folder of the training data: the matrix in blocks of users, and of items."""


@dataclass(frozen=True, eq=False)
class Log:
    """`files`: the events. `newest`: UTC seconds at which decay starts, None without times.

    `since`: when recent popularity begins, UTC seconds; 0 without times.
    """

    files: EventFiles
    newest: int | None
    since: int


def weigh(
    spark: "SparkSession", config: PipelineConfig, log: Log, catalogue: Items | None, *, folder: Path, scratch: Path
) -> tuple[CleaningSummary, int]:
    """Write into `folder` what a version takes from the events, and the blocks.

    Returns what cleaning did, and the number of items. `catalogue`: its items are columns too.
    """
    weights = EventWeights.of(config.log, config.prepare).at(log.newest)
    columns = _Columns(log.files.items, catalogue)
    cleaned = clean_events(
        spark,
        log.files,
        config.prepare,
        weights,
        scratch=scratch / "cleaned",
        block_entries=config.compute.block_entries,
        columns=columns,
    )
    items = columns.of(cleaned.item_positions)
    parts = BundleParts(
        events=log.files,
        trained=cleaned.trained,
        folded_in=cleaned.folded_in,
        items=scratch / "columns.arrow",
        weights=weights,
        prepare=config.prepare,
        now=log.newest,
        since=log.since,
        most_events=config.compute.block_entries,
        scratch=scratch / "bundle",
    )
    save_array(save_rows(spark, cleaned, parts, folder, items), folder / POPULARITY)
    known = Items.without_attributes(items) if catalogue is None else catalogue
    known.aligned(items).save(folder / "items.arrow")
    (folder / BLOCKS).mkdir()
    for name, blocks in (("users", cleaned.users), ("items", cleaned.items)):
        shutil.move(blocks.folder, folder / BLOCKS / name)
    return cleaned.summary, len(items)


def weigh_again(
    spark: "SparkSession",
    config: PipelineConfig,
    prepared: Path,
    before: PrepareSummary,
    *,
    folder: Path,
    scratch: Path,
) -> CleaningSummary:
    """Write into `folder` the data of the events in `prepared`, of prepare, as `config`, which has a half-life,
    weighs them.

    `before`: the summary of prepare, which counts the events of excluded items too.
    """
    items = Items.load(prepared / "items.arrow", IdMap.load(prepared / "matrix" / "items.arrow"))
    catalogue = None if config.items is None else items
    folder.mkdir(parents=True)
    log = Log(
        EventFiles(prepared / "events"), before.newest_event, since=0
    )  # with a half-life, no window is looked at
    cleaning, _ = weigh(spark, config, log, catalogue, folder=folder, scratch=scratch)
    return recounted(cleaning, first=before.cleaning)


@dataclass(frozen=True, eq=False)
class _Columns:
    """The columns of the matrix: the items of the k-core, and those of the catalogue. `items`: of the log."""

    items: IdMap
    catalogue: Items | None

    def of(self, positions: Indices) -> IdMap:
        """All columns, if the items at `positions` are in the k-core."""
        kept = self.items.take(positions)
        return kept if self.catalogue is None else kept.union(self.catalogue.ids)

    def __call__(self, positions: Indices) -> tuple[Indices, int]:
        columns = self.of(positions)
        return columns.encode(self.items.take(positions).ids)[0], len(columns)
