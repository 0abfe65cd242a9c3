"""`[cold_start]`: how items with few events or none get learned vectors."""

from typing import Literal

from pydantic import Field, StrictBool

from recsys.config import LARGEST_SEED, Section


class ColdStartConfig(Section):
    """`[cold_start]`: vectors of items with few events or none, by `[[content]]`. What is not set is chosen."""

    method: Literal["auto", "neighbours", "ridge", "sum"] = Field(
        "auto",
        description="from content to the learned space: the mean of the nearest warm items' vectors, a ridge "
        "regression, both added, or the best of these",
    )
    neighbours: int | None = Field(None, ge=1, le=1000, description="warm items in the mean; by default chosen")
    power: float | None = Field(
        None,
        ge=0,
        le=64,
        description="a warm item's weight in the mean is its cosine to this power; by default chosen",
    )
    prior_strength: float | None = Field(
        None,
        ge=0,
        le=1_000_000,
        description="ALS: how much an item with events is pulled to its content's vector, as a multiple of the "
        "regularization; 0: not at all; by default chosen",
    )
    rare_events: int = Field(
        10, ge=0, le=1_000_000, description="items with more users than this keep the vectors of the fit"
    )
    hidden_share: float = Field(
        0.1, gt=0, le=0.5, description="share of the warm items that is hidden for the choice"
    )
    pseudo_users: float = Field(
        5.0, ge=1, le=1_000_000, description="users that a new item counts as having where scores follow popularity"
    )
    new_share: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of the places of each list that is kept for new items, rounded up; a request may ask for "
        "another. Items that have turns get them, so that all are shown (docs/api.md)",
    )
    new_min_score: float = Field(
        0.5,
        ge=0,
        le=1,
        description="a new item gets a kept place only if its score is at least this share of the least score of the "
        "list; if that is below zero, only if it reaches it",
    )
    measure: StrictBool = Field(
        True,
        description="let evaluate measure items of no, 1 to 5 and 6 to 10 users, beside the model without content "
        "and simpler ways; this costs one more fit (docs/metrics.md)",
    )
    seed: int = Field(1, ge=0, le=LARGEST_SEED, description="of the hidden items")
