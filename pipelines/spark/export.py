"""export on Spark: executors rank and write; databases and the like get the lists from the part files, in order."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pa_parquet

from pipelines.bounded.reports import tell
from pipelines.spark.scratch import scratch_of
from pipelines.spark.shared_version import shared_version
from pipelines.steps.store import open_store
from recsys.config import ExportConfig
from recsys.engine import Engine
from recsys.engine.new_share import utc_today
from recsys.export import Target, try_target
from recsys.export.files import FileTarget
from recsys.export.parts import replacing_parts
from recsys.forgotten import read_forgotten
from recsys.pipeline_config import PipelineConfig
from recsys.progress import Progress
from recsys.spark.export import ListsOrder, cut_users, write_lists
from recsys.spark.session import session_of


def write_on_spark(
    config: PipelineConfig, each: ExportConfig, target: Target, *, engine: Engine, progress: Progress
) -> int:
    """Write the lists of `engine`'s version to `target`, one of `config`. Returns the rows written.

    A file becomes a folder of part files, written by the executors. Other targets are written by the driver, from
    part files in `compute.scratch`. Raises what `write_lists`, `replacing_parts` and `Target.open` raise.
    """
    if isinstance(target, FileTarget):
        tell(parts=str(target.path))
        with replacing_parts(target.path, engine.version) as folder:
            return _write_parts(config, each, engine, folder=folder, ending=target.path.suffix)[0]
    try_target(target)
    with scratch_of("export", config) as folder:
        rows, files = _write_parts(config, each, engine, folder=folder, ending=".parquet")
        _copy(files, target, engine.version, progress=progress)
    return rows


def _write_parts(
    config: PipelineConfig, each: ExportConfig, engine: Engine, *, folder: Path, ending: str
) -> tuple[int, Sequence[Path]]:
    """The rows written by executors, and the part files, in the order of their users."""
    registry = open_store(config)
    forgotten = read_forgotten(registry.store)
    with session_of(config.compute) as spark, shared_version(config, registry.path(engine.version)) as bundle:
        order = ListsOrder(
            bundle=bundle,
            folder=folder,
            ending=ending,
            k=each.k,
            filter=each.filter,
            exclude_seen=each.exclude_seen,
            bounds=cut_users(
                len(engine.user_ids), len(engine.folded_user_ids), cores=spark.sparkContext.defaultParallelism
            ),
            day=utc_today(),
            forgotten=(forgotten.key, dict(forgotten.until)),
        )
        return write_lists(spark, order), order.files


def _copy(files: Sequence[Path], target: Target, version: str, *, progress: Progress) -> None:
    """Write part files to a target. A row group holds whole lists, and a few of them at a time are in memory."""
    with target.open(version) as writer:
        for done, file in enumerate(files, start=1):
            with pa_parquet.ParquetFile(file) as part:
                for group in range(part.num_row_groups):
                    writer.write(part.read_row_group(group))
            progress("export", done, len(files))
