"""`[evaluate]`: how the log is split, what is measured, and the baselines."""

from typing import Annotated, Literal

from pydantic import Field, StrictBool, model_validator

from recsys.config.base import Duration, DurationOrAuto, FilePaths, NamesOrAuto, Section


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
    last_n: int = Field(1, ge=1, description="last_n: each user's last n items are held out")
    user_share: float = Field(0.1, gt=0, lt=1, description="held_out_users: share of users never trained on")
    item_share: float = Field(0.2, gt=0, lt=1, description="held_out_users: share of their items to be predicted")
    holdout_paths: FilePaths = Field((), description="given: files, folders or patterns of the held-out events")
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
        (10, 20, 100), min_length=1, description="the k of every metric"
    )
    baselines: NamesOrAuto = Field(
        None,
        description="models to compare with, by their names in docs/baselines.md. By default `auto`: popular and "
        "item_knn, and ease if the train side has up to 2,000 items",
    )
    max_users: int | None = Field(None, ge=1, description="evaluate a random sample of up to this many users")
    visitors: int = Field(
        2000,
        ge=0,
        description="people, at most, who are also measured as visitors of whom only the first one to three items of "
        "a session are known (docs/metrics.md); 0 leaves them out",
    )
    session_gap: Duration = Field(
        1_800, gt=0, description="a session of a user ends before a pause that is longer than this"
    )
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
