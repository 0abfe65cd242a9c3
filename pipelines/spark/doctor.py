"""What `recsys doctor` looks at on Spark: the session, its executors, and the paths that they have to see."""

from pathlib import Path

from pipelines.forecast.finding import Finding
from pipelines.spark.engine import check_tables, paths_read
from pipelines.steps.workspace import steps_of
from recsys.errors import RecsysError
from recsys.pipeline_config import PipelineConfig
from recsys.spark.executors import Executors, check_executors
from recsys.spark.session import check_installed, session_of

INSTALLED, SESSION, EXECUTORS, TABLES = "java, pyspark", "session", "executors", "tables"
"""The names of the checks."""

_REMEDIES = {
    INSTALLED: "install what is missing (docs/spark.md)",
    SESSION: "correct compute.master and compute.conf, or start the cluster",
    TABLES: "correct table or query and the columns that the section names, or give the session its catalogue",
    EXECUTORS: "correct what the message names; docs/spark.md says how executors get recsys and see the files",
}

_WRONG = 2
"""Exit code of a run."""


def look(config: PipelineConfig) -> tuple[Finding, ...]:
    """A finding per check, up to the first problem."""
    found: list[Finding] = []
    name = INSTALLED
    try:
        check_installed()
        found.append(Finding(INSTALLED, "ok", "installed"))
        name = SESSION
        with session_of(config.compute) as spark:
            found.append(Finding(SESSION, "ok", f"Spark {spark.version} on {spark.sparkContext.master}"))
            name, scratch = EXECUTORS, config.compute.scratch_in(config.workspace)
            seen = paths_read(config, steps_of(config)[:1])  # the store may not be there before the first night
            executors = check_executors(spark, scratch=scratch, reads=seen)
            detail = (
                f"{executors.cores} tasks at once, Python {executors.python}; they share {scratch} and see the log"
            )
            found.append(Finding(EXECUTORS, "ok", detail))
            name = TABLES
            if tables := check_tables(spark, config):
                found.append(Finding(TABLES, "ok", f"the columns are there: {', '.join(tables)}"))
    except RecsysError as error:
        found.append(Finding(name, "problem", str(error), _REMEDIES[name], _WRONG))
    return tuple(found)


def _told(executors: Executors, scratch: Path) -> str:
    return f"{executors.cores} tasks at once, Python {executors.python}; they share {scratch} and see the log"
