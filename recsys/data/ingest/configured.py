"""What the sections of a configuration read: files, a table of a lake, of a database or of Spark, or events.

`log_input`, `items_input` and `holdout_input` are the only places that know which kinds of source there are. A new
kind is a class with the members of `Input`, and a line in `log_input`.
"""

from recsys.config import EvaluateConfig, ItemsConfig, LogConfig
from recsys.data.ingest.catalogue_columns import columns_of_items
from recsys.data.ingest.delta_source import DeltaSource, is_delta
from recsys.data.ingest.event_store_source import EventStoreSource
from recsys.data.ingest.file_source import FileSource
from recsys.data.ingest.iceberg_source import IcebergSource, is_iceberg
from recsys.data.ingest.input import Input
from recsys.data.ingest.joined_source import JoinedSource
from recsys.data.ingest.source import Columns
from recsys.data.ingest.spark_table import SparkTable
from recsys.data.ingest.sql_source import SqlSource


def log_input(log: LogConfig, *, key: str = "log.source") -> Input:
    """What `[log]` reads, without the events of an event store beside it.

    `key`: of the configuration, that names its database.
    """
    if log.events is not None and not log.has_rows:
        return EventStoreSource.of(log, log.events)
    if log.source is None and is_delta(log):
        return DeltaSource.of(log, log.paths, Columns.of(log))
    if log.source is None and is_iceberg(log):
        return IcebergSource.of(log, log.paths, Columns.of(log))
    if log.of_spark:
        return SparkTable.of(log, Columns.of(log), key=key)
    return FileSource.of(log) if log.source is None else SqlSource.of(log, Columns.of(log), key=key)


def events_input(log: LogConfig) -> EventStoreSource | None:
    """The events of an event store that are read after the rows of `[log]`; None if there are none beside them."""
    return None if log.events is None or not log.has_rows else EventStoreSource.of(log, log.events)


def whole_log(log: LogConfig) -> Input:
    """All that is read as the log: the rows of `[log]`, and after them the events of an event store."""
    events = events_input(log)
    return log_input(log) if events is None else JoinedSource((log_input(log), events))


def items_input(items: ItemsConfig) -> Input:
    """What `[items]` reads."""
    if items.source is None and is_delta(items):
        return DeltaSource.of(items, items.path, columns_of_items(items))
    if items.source is None and is_iceberg(items):
        return IcebergSource.of(items, items.path, columns_of_items(items))
    if items.source is None:
        return FileSource.of_items(items)
    if items.of_spark:
        return SparkTable.of(items, columns_of_items(items), key="items.source")
    return SqlSource.of(items, columns_of_items(items), key="items.source")


def holdout_input(evaluate: EvaluateConfig, log: LogConfig) -> Input | None:
    """The held-out events of `evaluate.split = "given"`, with the columns of the log; None if there are none."""
    if not evaluate.has_given_holdout:
        return None
    key = "log.source" if evaluate.holdout_source is None else "evaluate.holdout_source"
    return log_input(log.model_copy(update={**evaluate.holdout_rows(log.source), "events": None}), key=key)
