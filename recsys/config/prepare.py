"""`[prepare]`: from events to matrix entries."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StrictBool

from recsys.config.base import Duration, Section


def _none_if_none(value: Any) -> Any:
    return None if value == "none" else value


class PrepareConfig(Section):
    """`[prepare]`: from events to matrix entries."""

    half_life_days: Annotated[Annotated[float, Field(gt=0, le=36_500)] | None, BeforeValidator(_none_if_none)] = (
        Field(
            None,
            description='an event\'s weight halves after this many days; "none" for no decay. If it is not set, a '
            "night chooses it with the settings of the model (`model.auto`; docs/training.md)",
        )
    )
    popular_window: Duration = Field(
        28 * 86_400,
        gt=0,
        description="lists for users of whom nothing is known rank items by their users in this time at the end of "
        "the log, then the other items by all their users; doubled until it holds 1,000 events. Not used with "
        "half_life_days: then a user counts by the decay of the newest event with the item",
    )
    min_user_items: int = Field(
        1, ge=1, le=1_000_000, description="users with fewer distinct items are left out (k-core)"
    )
    min_item_users: int = Field(
        1, ge=1, le=1_000_000_000, description="items with fewer distinct users are left out (k-core)"
    )
    max_user_events: int | None = Field(
        None, ge=1, le=2_000_000_000, description="users with more events are left out, as bots"
    )
    repeats: Literal["sum", "max", "last"] = Field(
        "sum", description="how repeated events of one user with one item become one entry"
    )
    deduplicate: StrictBool = Field(
        False, description="first merge rows equal in user, item, event and time (double logging)"
    )

    @property
    def is_without_decay(self) -> bool:
        """Whether the half-life is set to none; one that is not set is None too, but may be chosen."""
        return self.half_life_days is None and "half_life_days" in self.model_fields_set
