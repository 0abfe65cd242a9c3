"""What the sections of a configuration read: files, a Delta table, or the rows of a database.

`log_input`, `items_input` and `holdout_input` are the only places that know which kinds of source there are. A new
kind is a class with the members of `Input`, and a line in `log_input`.
"""

from collections.abc import Mapping
from typing import Protocol

from recsys.config import EvaluateConfig, ItemsConfig, LogConfig
from recsys.data.ingest.catalogue_columns import columns_of_items
from recsys.data.ingest.delta_source import DeltaSource, is_delta
from recsys.data.ingest.file_source import FileSource
from recsys.data.ingest.source import Columns, Source
from recsys.data.ingest.sql_source import SqlSource


class Input(Source, Protocol):
    """A source that a configuration names: it can be looked at before it is read, and again afterwards."""

    @property
    def names(self) -> tuple[str, ...]:
        """What it reads, for the report: names of files, or of a table. The same on every machine."""

    def check(self, columns: Columns) -> None:
        """Look at the start of it. Raises DataError if it lacks a column, or cannot be read."""

    def size_in_memory(self) -> int:
        """About how many bytes its rows have. Raises as `fingerprint`."""

    def block_bytes_in_memory(self) -> float:
        """About how many bytes the largest of its batches has once it is parsed."""

    def marks(self) -> Mapping[str, str]:
        """A mark per part of it (a file, a table), by the part's name: another mark if the part has changed.

        Cheap; the rows are not read. Empty if nothing tells.
        """


def log_input(log: LogConfig, *, key: str = "log.source") -> Input:
    """What `[log]` reads. `key`: of the configuration, that names its database."""
    if log.source is None and is_delta(log):
        return DeltaSource.of(log, log.paths, Columns.of(log))
    return FileSource.of(log) if log.source is None else SqlSource.of(log, Columns.of(log), key=key)


def items_input(items: ItemsConfig) -> Input:
    """What `[items]` reads."""
    if items.source is None and is_delta(items):
        return DeltaSource.of(items, items.path, columns_of_items(items))
    if items.source is None:
        return FileSource.of_items(items)
    return SqlSource.of(items, columns_of_items(items), key="items.source")


def holdout_input(evaluate: EvaluateConfig, log: LogConfig) -> Input | None:
    """The held-out events of `evaluate.split = "given"`, with the columns of the log; None if there are none."""
    if not evaluate.has_given_holdout:
        return None
    key = "log.source" if evaluate.holdout_source is None else "evaluate.holdout_source"
    return log_input(log.model_copy(update=evaluate.holdout_rows(log.source)), key=key)
