"""KeyRecord: what is known of one API key. The key itself is not known."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

MAX_KEYS = 1_000
"""The most keys of one service."""

_NAME = r"^[a-z0-9][a-z0-9._-]{0,62}$"
_ALLOWANCE = re.compile(r"([1-9][0-9]{0,11})/(second|minute|hour|day)")
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}


class Scope(StrEnum):
    """What a key may do."""

    READ = "read"
    """Ask for lists, items and the model."""
    EVENTS = "events"
    """Post events, and merge sessions."""
    METRICS = "metrics"
    """Read /metrics, if that needs a key."""
    ADMIN = "admin"
    """Everything: the other scopes, changes of items, what is kept of people, /admin."""


@dataclass(frozen=True)
class Allowance:
    """How many questions may be asked in `seconds`."""

    amount: int
    seconds: int

    @classmethod
    def of(cls, text: str) -> Self:
        """From a text such as `100/second`. Raises ValueError."""
        if (found := _ALLOWANCE.fullmatch(text)) is None:
            raise ValueError("expected a number and a time, such as 100/second, 5000/hour or 1000000/day")
        return cls(int(found[1]), _SECONDS[found[2]])


def check_allowance(text: str) -> str:
    """`text`, if it is an allowance. Raises ValueError."""
    Allowance.of(text)
    return text


AllowanceText = Annotated[str, AfterValidator(check_allowance)]


class KeyRecord(BaseModel):
    """One key: who has it, what it may do and where, how much, and until when.

    `stores` None: all. `expires`: the last day, in UTC, on which a key is good, or the moment at which it ends.
    `rate`, `quota`: both hold; None: unlimited.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=_NAME)
    hash: str = Field(pattern="^sha256:[0-9a-f]{64}$", repr=False)
    scopes: tuple[Scope, ...] = Field(min_length=1)
    stores: tuple[str, ...] | None = Field(None, min_length=1)
    created: date | None = None
    expires: date | datetime | None = None
    rate: AllowanceText | None = None
    quota: AllowanceText | None = None

    @field_validator("expires")
    @classmethod
    def _has_zone(cls, value: date | datetime | None) -> date | datetime | None:
        if isinstance(value, datetime) and value.tzinfo is None:
            raise ValueError("expected a date, or a time with its offset, such as 2027-01-31T12:00:00Z")
        return value

    def is_expired(self, now: datetime) -> bool:
        """Whether the key is no longer good at `now`."""
        return self.ends is not None and now >= self.ends

    @property
    def ends(self) -> datetime | None:
        """The first moment at which the key is no longer good."""
        if self.expires is None or isinstance(self.expires, datetime):
            return self.expires
        return datetime.combine(self.expires + timedelta(days=1), time(), UTC)

    @property
    def allowances(self) -> tuple[Allowance, ...]:
        """Rate and quota, as far as there are any."""
        return tuple(Allowance.of(text) for text in (self.rate, self.quota) if text is not None)

    def may(self, scope: Scope) -> bool:
        """Whether the key has `scope`."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def is_for(self, store: str) -> bool:
        """Whether the key is good for the store of this name."""
        return self.stores is None or store in self.stores
