"""LogReading: what every way of reading a log on Spark is given, and where it leaves what it read."""

from dataclasses import dataclass

from recsys.config import LogSchema
from recsys.data.ingest.log_account import LogAccount
from recsys.data.ingest.row_checks import Rules
from recsys.data.ingest.source import Columns
from recsys.forgotten import Forgotten
from recsys.progress import Progress
from recsys.spark.accepted_rows import AcceptedRows


@dataclass(frozen=True, eq=False)
class LogReading:
    """One reading of a log.

    `now`: UTC seconds; rows of later days are refused. `rows`: take what is accepted. `account`: takes what became
    of each row. `forgotten`: whose rows are left out.
    """

    log: LogSchema
    rows: AcceptedRows
    account: LogAccount
    now: int
    forgotten: Forgotten
    progress: Progress

    @property
    def columns(self) -> Columns:
        """Of the log."""
        return Columns.of(self.log)

    @property
    def rules(self) -> Rules:
        """By which rows are accepted; the unit of time is not detected yet."""
        return Rules.of(self.log, now=self.now, forgotten=self.forgotten)
