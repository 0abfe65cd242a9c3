"""`[log]`: where the events come from, and what their columns mean."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from recsys.config.base import Duration, FilePath, Section
from recsys.config.files import FileFormat


class LogFiles(FileFormat):
    """The files of a log."""

    paths: tuple[FilePath, ...] = Field(
        min_length=1,
        description="files, folders or patterns such as `events/**/*.parquet`, read in the order of their paths",
    )


class LogSchema(Section):
    """What the columns of a log mean, and which of its rows are refused, for any source."""

    user: str = Field("user", min_length=1, description="column with the user's id")
    item: str = Field("item", min_length=1, description="column with the item's id")
    timestamp: str | None = Field(None, description="column with the time of the event")
    timestamp_unit: Literal["auto", "iso", "s", "ms", "us"] = Field(
        "auto",
        description="ISO 8601 text (UTC if it names no zone) or a number since 1970; "
        "`auto` decides by the first rows",
    )
    max_future: Duration = Field(
        86_400, ge=0, description="rows more than this later than the time of the run are refused"
    )
    event: str | None = Field(None, description="column with the kind of the event")
    value: str | None = Field(None, description="column with a quantity, rating, play count ...")
    event_weights: dict[str, Annotated[float, Field(gt=0)]] = Field(
        default_factory=dict, description="weight of each kind of event; a kind that is not named is refused"
    )
    non_positive: Literal["refuse", "net"] = Field(
        "refuse",
        description="rows with a value <= 0: refused; or, with `net`, negative values are subtracted from the "
        "same user's other values for the item, and only zeros are refused",
    )
    max_refused_share: float = Field(
        0.05, ge=0, le=1, description="a larger share of refused rows stops the job (exit code 2)"
    )
    quarantine_rows: int = Field(
        10_000, ge=0, description="number of refused rows that are kept in quarantine.jsonl, with file and line"
    )

    @model_validator(mode="after")
    def _weights_need_a_column(self) -> Self:
        if self.event_weights and self.event is None:
            raise ValueError("event_weights needs `event`, the column that says which kind a row is")
        return self

    @model_validator(mode="after")
    def _users_are_not_items(self) -> Self:
        if self.user == self.item:
            raise ValueError(f"user and item are both column {self.user!r}; expected two columns")
        return self


class LogConfig(LogSchema, LogFiles):
    """`[log]`: the files of a log, and what their columns mean."""
