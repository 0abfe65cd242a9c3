"""The sections of a pipeline.toml as frozen models, each with its keys, bounds and defaults."""

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    model_validator,
)

DATA_DIR_VARIABLE = "RECSYS_DATA_DIR"
"""Names the folder that `$RECSYS_DATA_DIR` in a path stands for; `data` in the working folder if it is unset."""

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|d|w)")
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def data_dir() -> Path:
    """The folder of data sets."""
    return Path(os.environ.get(DATA_DIR_VARIABLE) or "data").absolute()


def _seconds(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _DURATION.fullmatch(str(value).strip())
    if match is None:
        raise ValueError("expected a duration such as '28d', '12h' or '90m', or a number of seconds")
    return int(float(match[1]) * _UNIT_SECONDS[match[2]])


def duration_text(seconds: int) -> str:
    """The duration as written in a configuration, in the largest unit (days to seconds) that is whole: '28d'."""
    unit = next(unit for unit in ("d", "h", "m", "s") if seconds % _UNIT_SECONDS[unit] == 0)
    return f"{seconds // _UNIT_SECONDS[unit]}{unit}"


def _resolved(path: Path, info: ValidationInfo) -> Path:
    text = str(path)
    for form in (f"${{{DATA_DIR_VARIABLE}}}", f"${DATA_DIR_VARIABLE}"):
        text = text.replace(form, str(data_dir()))
    base = (info.context or {}).get("base", Path.cwd())
    return Path(os.path.normpath(base / text))


FilePath = Annotated[Path, AfterValidator(_resolved)]
"""A path; relative ones start at the configuration file's folder."""

Duration = Annotated[int, BeforeValidator(_seconds)]
"""Whole seconds, written as a number or as '28d', '12h', '90m', '30s' or '4w'."""


class Section(BaseModel):
    """A table of the file: frozen, nothing unknown, no silent conversions between types."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)


class LogFiles(Section):
    """The files of a log."""

    paths: tuple[FilePath, ...] = Field(min_length=1, description="files or globs, read in sorted order")
    format: Literal["auto", "csv", "tsv", "jsonl", "parquet"] = Field(
        "auto", description="`auto` takes it from the file's name"
    )
    delimiter: str | None = Field(None, min_length=1, max_length=1, description="of csv files; a comma if unset")


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


class ItemsConfig(Section):
    """`[items]`: titles and attributes, used in reports, filters and answers. Items without events have no vector."""

    path: FilePath = Field(description="csv, tsv, jsonl or parquet, plain or compressed")
    id: str = Field("item", min_length=1, description="column with the item's id, written as in the log")
    title: str | None = Field(None, description="column with the title")
    attributes: tuple[str, ...] = Field((), description="further columns, kept as attributes")


class PrepareConfig(Section):
    """`[prepare]`: from events to matrix entries."""

    half_life_days: float | None = Field(None, gt=0, description="an event's weight halves after this many days")
    min_user_items: int = Field(1, ge=1, description="users with fewer distinct items are left out (k-core)")
    min_item_users: int = Field(1, ge=1, description="items with fewer distinct users are left out (k-core)")
    max_user_events: int | None = Field(None, ge=1, description="users with more events are left out, as bots")
    repeats: Literal["sum", "max", "last"] = Field(
        "sum", description="how repeated events of one user with one item become one entry"
    )
    deduplicate: bool = Field(
        False, description="first merge rows equal in user, item, event and time (double logging)"
    )


class EvaluateConfig(Section):
    """`[evaluate]`: how the log is split, what is measured, and the baselines."""

    split: Literal["temporal", "last_n", "held_out_users", "given"] = Field(
        "temporal", description="how the holdout is chosen"
    )
    holdout: Duration = Field(28 * 86_400, gt=0, description="temporal: length of the holdout at the end of the log")
    last_n: int = Field(1, ge=1, description="last_n: each user's last n items are held out")
    user_share: float = Field(0.1, gt=0, lt=1, description="held_out_users: share of users never trained on")
    item_share: float = Field(0.2, gt=0, lt=1, description="held_out_users: share of their items to be predicted")
    holdout_paths: tuple[FilePath, ...] = Field((), description="given: files or globs of the held-out events")
    new_items: Literal["drop", "measure"] = Field(
        "drop",
        description="items of the holdout without a train event: `drop` leaves out their pairs and counts them; "
        "`measure` counts them as relevant, and since a model without content cannot find them, they are misses",
    )
    cutoffs: tuple[Annotated[int, Field(ge=1, le=1000)], ...] = Field(
        (10, 20, 100), min_length=1, description="the k of every metric"
    )
    baselines: tuple[str, ...] = Field(
        ("popular", "item_knn"), description="models to compare with, by their names in docs/baselines.md"
    )
    max_users: int | None = Field(None, ge=1, description="evaluate a random sample of up to this many users")
    bootstrap: int = Field(1000, ge=0, description="resamples for the intervals; 0 leaves them out")
    confidence: float = Field(0.95, gt=0, lt=1, description="coverage of the intervals")
    seed: int = Field(1, ge=0, description="of every random choice in splitting, sampling and resampling")

    @model_validator(mode="after")
    def _given_needs_files(self) -> "EvaluateConfig":
        if self.split == "given" and not self.holdout_paths:
            raise ValueError('split = "given" needs holdout_paths, the files of the test part')
        if self.holdout_paths and self.split != "given":
            raise ValueError('holdout_paths is used only with split = "given"')
        return self


class PublishConfig(Section):
    """`[publish]`: where versions go, and what a new one must not lose."""

    store: FilePath = Field(Path("store"), description="folder of the published versions")
    metric: str = Field("ndcg@20", description="the metric that the gates use")
    max_metric_drop: float = Field(
        0.02,
        ge=0,
        le=1,
        description="share of the serving version's metric, and of its coverage, that a new one may lose",
    )
    must_beat_popular: bool = Field(True, description="refuse a model that does not beat most-popular")
