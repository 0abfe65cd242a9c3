"""`[publish.limits]`: how much less than the serving version's a night's log and catalogue may hold."""

from pydantic import Field, StrictBool

from recsys.config.base import Duration, Section


def _drop(what: str) -> float:
    value: float = Field(0.2, ge=0, le=1, description=f"share by which the number of {what} may fall")
    return value


class LimitsConfig(Section):
    """`[publish.limits]`: how much less than the serving version's a night's log and catalogue may hold."""

    max_rows_read_drop: float = _drop("rows read")
    max_rows_accepted_drop: float = _drop("rows accepted")
    max_users_drop: float = _drop("users with an accepted row")
    max_items_drop: float = _drop("items with an accepted row")
    max_gone_users: float = Field(
        0.25, ge=0, le=1, description="share of the serving version's users that tonight's log may lack"
    )
    max_event_share_drop: float = Field(
        0.5, ge=0, le=1, description="share by which a kind of event may become a smaller part of the log"
    )
    max_stale: Duration = Field(
        259_200,
        ge=0,
        description="time by which the newest event may be further behind the clock than usual, and for which "
        "a kind of event may stop coming while others go on",
    )
    max_step_back: Duration = Field(
        86_400, ge=0, description="time by which the newest event may be before the serving version's"
    )
    max_log_age: Duration | None = Field(
        None,
        ge=0,
        description="a newest event that is longer ago than this is refused, on the first night too; a duration",
    )
    max_catalogue_drop: float = _drop("items in the catalogue")
    min_catalogue_share: float = Field(
        0.5, ge=0, le=1, description="share of the log's events whose item the catalogue must know"
    )
    max_catalogue_share_drop: float = Field(0.1, ge=0, le=1, description="points by which that share may fall")
    max_unknown_rise: float = Field(
        0.2, ge=0, le=1, description="points by which the share of items for which an attribute is unknown may rise"
    )
    same_attribute_kinds: StrictBool = Field(
        True, description="refuse if an attribute is gone or has changed its kind, such as from number to text"
    )
