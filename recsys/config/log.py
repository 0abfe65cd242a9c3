"""`[log]`: where the events come from, and what their columns mean."""

import re
from datetime import datetime
from typing import Annotated, Any, Literal, Self
from zoneinfo import available_timezones

from pydantic import Field, StrictBool, ValidationInfo, field_validator, model_validator

from recsys.config.base import AnyPaths, Duration, InputPaths
from recsys.config.database import DatabaseRows, EventStoreAddress, files_or_database, unset
from recsys.config.files import FileFormat
from recsys.config.ids import IdSpelling
from recsys.suggestions import nearest_name, unknown_key_hint


class LogFiles(FileFormat, DatabaseRows):
    """The files of a log, or the rows of a database."""

    events: EventStoreAddress | None = Field(
        None,
        exclude_if=unset,
        description="the event store of the service (`recsys serve --events`), whose events are read too: a file, or "
        '`postgresql://...`; alone or beside `paths` or `source`. `source = "events"` stands for '
        "`${RECSYS_EVENTS}` here",
    )

    paths: InputPaths = Field(
        (),
        description="files, folders or patterns such as `events/**/*.parquet` or `s3://bucket/events`, read in the "
        "order of their paths; required, unless `source` names a database or `events` an event store",
    )

    @model_validator(mode="before")
    @classmethod
    def _events_as_source(cls, given: Any) -> Any:
        if not isinstance(given, dict) or given.get("source") != "events":
            return given
        others = {key: value for key, value in given.items() if key != "source"}
        return {"events": "${RECSYS_EVENTS}", **others}

    @property
    def has_rows(self) -> bool:
        """Whether there are files, or the rows of a database, and not the events of an event store alone."""
        return bool(self.paths) or self.source is not None

    @field_validator("paths")
    @classmethod
    def _instead_of_a_database(cls, paths: AnyPaths, info: ValidationInfo) -> AnyPaths:
        return files_or_database(paths, info)


class LogSchema(IdSpelling):
    """What the columns of a log mean, and which of its rows are refused, for any source."""

    user: str = Field("user", min_length=1, description="column with the user's id")
    item: str = Field("item", min_length=1, description="column with the item's id")
    timestamp: str | None = Field(None, description="column with the time of the event")
    timestamp_unit: Literal["auto", "iso", "s", "ms", "us", "ns"] = Field(
        "auto",
        description="ISO 8601 text or a number since 1970; `auto` decides by the first rows",
    )
    timestamp_format: str | None = Field(
        None,
        min_length=2,
        description="form of a time that is text but not ISO 8601, as of Python's strptime: `%d/%m/%Y %H:%M`",
    )
    timezone: str = Field(
        "UTC",
        description="zone of times that name none, such as `Europe/Berlin`; an hour that the clocks repeat is the "
        "first of the two, a time that they skip is the moment of the change",
    )
    max_future: Duration = Field(
        86_400, ge=0, description="rows more than this later than the time of the run are refused"
    )
    event: str | None = Field(None, description="column with the kind of the event")
    value: str | None = Field(None, description="column with a quantity, rating, play count ...")
    event_weights: dict[str, Annotated[float, Field(ge=0, le=1_000_000, strict=True)]] = Field(
        default_factory=dict,
        description="weight of each kind of event; a kind that is not named is refused, one of weight 0 ignored",
    )
    ignore_events: tuple[str, ...] = Field(
        (), description="kinds of event that are left out, such as impressions: counted as ignored, never refused"
    )
    seen_events: tuple[str, ...] = Field(
        (),
        description="kinds of event that make an item seen, such as `purchase`: lists leave out seen items only; "
        "every kind if unset",
    )
    anonymous: Literal["refuse", "ignore"] = Field(
        "refuse", description="rows without a user: refused, or counted as ignored and left out"
    )
    non_positive: Literal["refuse", "net"] = Field(
        "refuse",
        description="rows with a value <= 0: refused; or, with `net`, negative values are subtracted from the "
        "same user's other values for the item, and only zeros are refused",
    )
    max_refused_share: float = Field(
        0.05,
        ge=0,
        le=1,
        description="a larger share of refused rows, of those that are not ignored, stops the job (exit code 2)",
    )
    quarantine_rows: int = Field(
        10_000,
        ge=0,
        le=10_000_000,
        description="number of refused rows that are kept in quarantine.jsonl, with file and line, or table and row",
    )

    @property
    def weighed_kinds(self) -> dict[str, float]:
        """Weight by kind of event, without those of weight 0; empty if every kind counts 1."""
        return {kind: weight for kind, weight in self.event_weights.items() if weight > 0}

    @property
    def ignored_kinds(self) -> frozenset[str]:
        """The kinds of event that are left out: those of `ignore_events`, and those of weight 0."""
        return frozenset(self.ignore_events) | {kind for kind, weight in self.event_weights.items() if not weight}

    @field_validator("timezone")
    @classmethod
    def _zone_exists(cls, name: str) -> str:
        if name != "UTC" and name not in available_timezones():  # which may be empty if the system has none
            nearest = nearest_name(name, available_timezones())
            hint = f"; did you mean {nearest!r}?" if nearest else ""
            raise ValueError(f"expected the name of a time zone, such as 'Europe/Berlin'{hint}")
        return name

    @model_validator(mode="after")
    def _format_is_of_text(self) -> Self:
        if self.timestamp_format is not None and "%" not in self.timestamp_format:
            raise ValueError("timestamp_format: expected directives of strptime, such as '%d/%m/%Y %H:%M'")
        if self.timestamp_format is not None and (fault := _fault_of(self.timestamp_format)) is not None:
            raise ValueError(f"timestamp_format: {fault}; expected directives of strptime, such as '%d/%m/%Y %H:%M'")
        if self.timestamp_format is not None and self.timestamp_unit not in ("auto", "iso"):
            raise ValueError(
                f"timestamp_format is of text; with timestamp_unit = {self.timestamp_unit!r} leave it out"
            )
        return self

    @model_validator(mode="after")
    def _kinds_need_a_column(self) -> Self:
        for key in ("event_weights", "ignore_events", "seen_events"):
            if getattr(self, key) and self.event is None:
                raise ValueError(f"{key} needs `event`, the column that says which kind a row is")
        return self

    @model_validator(mode="after")
    def _some_kind_counts(self) -> Self:
        if self.event_weights and not self.weighed_kinds:
            raise ValueError(
                "event_weights: every kind has weight 0; name the kinds that count too, "
                "or leave event_weights out and name the others in ignore_events"
            )
        return self

    @model_validator(mode="after")
    def _ignored_kinds_have_no_weight(self) -> Self:
        if both := sorted(set(self.ignore_events) & set(self.weighed_kinds)):
            raise ValueError(
                f"ignore_events: {both[0]!r} has a weight above 0 in event_weights; expected one of them"
            )
        return self

    @model_validator(mode="after")
    def _seen_kinds_count(self) -> Self:
        for kind in self.seen_events:
            if kind in self.ignored_kinds:
                raise ValueError(f"seen_events: {kind!r} is ignored (ignore_events, or weight 0 in event_weights)")
            if self.event_weights and kind not in self.weighed_kinds:
                hint = unknown_key_hint(kind, self.weighed_kinds)
                raise ValueError(f"seen_events: {kind!r} is no kind of event_weights{hint}")
        return self

    @model_validator(mode="after")
    def _users_are_not_items(self) -> Self:
        if self.user == self.item:
            raise ValueError(f"user and item are both column {self.user!r}; expected two columns")
        return self


def _fault_of(form: str) -> str | None:
    """What strptime says against a format, None if it can be read."""
    try:
        datetime.strptime("", form)
    except re.error:
        return "names a part of the time more than once"
    except ValueError as error:
        return None if "does not match format" in str(error) else str(error)
    return None


class LogConfig(LogSchema, LogFiles):
    """`[log]`: the files of a log, or the rows of a database, and what their columns mean."""

    incremental: StrictBool = Field(
        False,
        exclude=True,
        description="of a database: fetch only what is newer than the last night's newest event less `late`, and "
        "keep the other rows in the workspace; `recsys run CONFIG --full` fetches all (docs/sources.md)",
    )
    late: Duration = Field(
        172_800, ge=0, exclude=True, description="incremental: events that arrive up to this much later are seen"
    )

    @model_validator(mode="after")
    def _increments_need_times(self) -> Self:
        if self.incremental and (self.source is None or self.of_spark):
            what = "files are" if self.source is None else "a table of Spark is"
            raise ValueError(f"incremental is of a database (source); {what} read as a whole")
        if self.incremental and self.timestamp is None:
            raise ValueError("incremental needs `timestamp`, the column that says which rows are newer")
        return self
