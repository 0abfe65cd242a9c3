"""Hours: the span of a log from its events by hour, which Spark counts."""

from typing import TYPE_CHECKING

import numpy as np

from recsys.data.log_span import HOUR, HourCounts, LogSpan

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def span_of(events: "DataFrame") -> LogSpan | None:
    """The span of `events`, which have a column `time`, UTC seconds; None if there are none."""
    from pyspark.sql import functions as F  # noqa: N812 (pyspark, an extra)

    hours = events.groupBy(F.floor(F.col("time") / HOUR)).agg(
        F.min("time").alias("first"), F.max("time").alias("last"), F.count("time").alias("count")
    )
    table = hours.select("first", "last", "count").toArrow().sort_by("first")
    if table.num_rows == 0:
        return None
    return LogSpan.of_hours(
        HourCounts(*(table.column(name).to_numpy().astype(np.int64) for name in table.schema.names))
    )
