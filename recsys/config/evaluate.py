"""`[evaluate]`: how the log is split, what is measured, and the baselines."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, ValidationInfo, field_validator, model_validator

from recsys.address import Address
from recsys.config.base import LARGEST_SEED, Duration, DurationOrAuto, InputPaths, NamesOrAuto, Section
from recsys.config.database import SourceAddress, checked_address, checked_query, unset

_HOLDOUTS = ("holdout_paths", "holdout_query", "holdout_table")
"""The keys that name rows of the test part; a split has one of them."""

HOLDOUT_ROWS = (*_HOLDOUTS, "holdout_source")
"""The keys that say where the rows of the test part are."""


class EvaluateConfig(Section):
    """`[evaluate]`: how the log is split, what is measured, and the baselines."""

    split: Literal["temporal", "last_n", "held_out_users", "given"] = Field(
        "temporal", description="how the holdout is chosen"
    )
    holdout: DurationOrAuto = Field(
        None,
        gt=0,
        description="temporal: length of the holdout at the end of the log, such as `28d`. By default `auto`: the "
        "longest of 1, 3, 6, 12 hours and 1, 2, 3, 7, 14, 28 days that is at most a fifth of the log; "
        "that of the serving version stays up to a quarter of it",
    )
    last_n: int = Field(1, ge=1, le=1000, description="last_n: each user's last n items are held out")
    user_share: float = Field(0.1, gt=0, lt=1, description="held_out_users: share of users never trained on")
    item_share: float = Field(0.2, gt=0, lt=1, description="held_out_users: share of their items to be predicted")
    holdout_paths: InputPaths = Field((), description="given: files, folders or patterns of the held-out events")
    holdout_source: SourceAddress | None = Field(
        None,
        exclude_if=unset,
        description="given: the database of the held-out events; that of `[log]` if unset",
    )
    holdout_query: str | None = Field(
        None, min_length=1, exclude_if=unset, description="given: the SELECT whose rows are the held-out events"
    )
    holdout_table: str | None = Field(
        None, min_length=1, exclude_if=unset, description="given: the table or view of the held-out events"
    )
    new_items: Literal["drop", "measure"] = Field(
        "drop",
        description="items of the holdout without a train event: `drop` leaves out their pairs and counts them; "
        "`measure` counts them as relevant, and since a model without content cannot find them, they are misses",
    )
    exclude_seen: StrictBool = Field(
        True,
        description="measure lists without seen items; `false`: lists may hold them, and seen items of the holdout "
        "count as relevant, as in a shop where people buy the same again. The version's lists do the same by default",
    )
    cutoffs: tuple[Annotated[int, Field(ge=1, le=1000)], ...] = Field(
        (10, 20, 100), min_length=1, max_length=20, description="the k of every metric"
    )
    baselines: NamesOrAuto = Field(
        None,
        description="models to compare with, by their names in docs/baselines.md. By default `auto`: popular and "
        "item_knn, and ease if the train side has up to 2,000 items",
    )
    max_users: int | None = Field(
        None, ge=1, le=2_000_000_000, description="evaluate a random sample of up to this many users"
    )
    visitors: int = Field(
        2000,
        ge=0,
        le=1_000_000,
        description="people, at most, who are also measured as visitors of whom only the first one to three items of "
        "a session are known (docs/metrics.md); 0 leaves them out",
    )
    session_gap: Duration = Field(
        1_800, gt=0, description="a session of a user ends before a pause that is longer than this"
    )
    bootstrap: int = Field(1000, ge=0, le=100_000, description="resamples for the intervals; 0 leaves them out")
    confidence: float = Field(0.95, gt=0, lt=1, description="coverage of the intervals")
    seed: int = Field(
        1, ge=0, le=LARGEST_SEED, description="of every random choice in splitting, sampling and resampling"
    )

    @property
    def has_given_holdout(self) -> bool:
        """Whether the held-out events are rows of their own: files, a table or a query."""
        return bool(self._holdouts)

    @property
    def _holdouts(self) -> tuple[str, ...]:
        return tuple(key for key in _HOLDOUTS if getattr(self, key))

    @field_validator("holdout_source")
    @classmethod
    def _has_a_driver(cls, address: Address | None, info: ValidationInfo) -> Address | None:
        return checked_address(address, base=(info.context or {}).get("base", Path.cwd()))

    @field_validator("holdout_query")
    @classmethod
    def _is_a_select(cls, query: str | None) -> str | None:
        return checked_query(query)

    @model_validator(mode="after")
    def _given_needs_rows(self) -> "EvaluateConfig":
        if self.split == "given" and not self._holdouts:
            raise ValueError(
                'split = "given" needs holdout_paths, the files of the test part, or holdout_table or holdout_query'
            )
        if self.split != "given" and self._holdouts:
            raise ValueError(f'{self._holdouts[0]} is used only with split = "given"')
        if len(self._holdouts) > 1:
            raise ValueError(f"{' and '.join(self._holdouts)}: expected one of them")
        if self.holdout_source is not None and self._holdouts in ((), _HOLDOUTS[:1]):
            raise ValueError("holdout_source needs holdout_table or holdout_query")
        return self

    def holdout_rows(self, source: Address | None) -> dict[str, Any]:
        """The keys of `[log]` that name the held-out rows. `source`: of the log, for those that name none."""
        if self.holdout_paths:
            return {"paths": self.holdout_paths, "source": None, "query": None, "table": None}
        named = {"query": self.holdout_query, "table": self.holdout_table}
        return {"paths": (), "source": self.holdout_source or source, **named}

    def without_holdout(self) -> "EvaluateConfig":
        """The same without the held-out rows."""
        return self.model_copy(update={"holdout_paths": (), **dict.fromkeys(_HOLDOUTS[1:])})
