"""Intake: a request's events, sorted out."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from recsys.engine.event_rules import Refusal
from recsys.event_store.events import NewEvent


class RefusedEvent(BaseModel):
    """An event that was not kept, because no night could use it."""

    model_config = ConfigDict(frozen=True)

    index: int = Field(description="its place in the request, from 0")
    code: Refusal = Field(description="why; does not change with the wording")


@dataclass(frozen=True)
class Intake:
    """What is kept of a request, and what is not. `n_unknown_items`: kept events of items that no version has yet."""

    accepted: Sequence[NewEvent]
    refused: Sequence[RefusedEvent] = ()
    n_unknown_items: int = 0
