"""What a job on Spark needs while its steps run: a session, executors that can work, and signs of their work."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.bounded.reports import tell_progress
from pipelines.spark.scratch import remove_leftovers
from pipelines.spark.shared_version import is_copied
from pipelines.steps.store import store_folder
from pipelines.steps.workspace import EXPORT
from recsys.data.ingest.configured import holdout_input, items_input, log_input
from recsys.data.ingest.spark_table import SparkTable
from recsys.pipeline_config import PipelineConfig
from recsys.spark.catalogue_table import CatalogueTable
from recsys.spark.executors import check_executors
from recsys.spark.failures import named_failures
from recsys.spark.session import session_of
from recsys.spark.signs_of_work import telling_tasks

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

log = logging.getLogger(__name__)

_WILD = frozenset("*?[")


@contextmanager
def spark_engine(config: PipelineConfig, steps: Sequence[str]) -> Iterator[None]:
    """A session, that which is open or a new one, whose executors have been looked at.

    What Spark raises and no step has named is named here. Raises ConfigError as `open_session` and `check_executors`.
    """
    with session_of(config.compute) as spark, named_failures("while the job ran"):
        remove_leftovers(config)
        if "prepare" in steps:
            check_tables(spark, config)
        scratch = config.compute.scratch_in(config.workspace)
        found = check_executors(spark, scratch=scratch, reads=paths_read(config, steps))
        log.info("Spark %s on %s: %d tasks at once", spark.version, spark.sparkContext.master, found.cores)
        with telling_tasks(spark, tell_progress):
            yield


def check_tables(spark: "SparkSession", config: PipelineConfig) -> tuple[str, ...]:
    """Look for the columns of all that is read from Spark's catalogue; no row is read. Returns what was looked at.

    Raises DataError if a table is missing, lacks a column, or has one of a type that cannot be read.
    """
    named = [log_input(config.log)] if config.log.of_spark else []
    if config.items is not None and config.items.of_spark:
        named.append(items_input(config.items))
    if (holdout := holdout_input(config.evaluate, config.log)) is not None:
        named.append(holdout)
    tables = [CatalogueTable(spark, each) for each in named if isinstance(each, SparkTable)]
    for table in tables:
        table.check(table.table.columns)
    return tuple(table.description for table in tables)


def paths_read(config: PipelineConfig, steps: Sequence[str]) -> list[tuple[str, Path]]:
    """What executors read in `steps`, by the keys that name it; of a pattern the folder above its first wildcard."""
    logs = [("log.paths", _fixed(path)) for path in config.log.paths if isinstance(path, Path)]
    store = store_folder(config)
    key = "publish.store" if isinstance(config.publish.store, Path) else "workspace"  # where the mirror is
    stores = [(key, store)] if store.exists() and not is_copied(config) else []  # there is none before publish
    return [*(logs if "prepare" in steps else ()), *(stores if EXPORT in steps else ())]


def _fixed(path: Path) -> Path:
    wild = next((at for at, part in enumerate(path.parts) if _WILD.intersection(part)), None)
    return path if wild is None else Path(*path.parts[:wild])
