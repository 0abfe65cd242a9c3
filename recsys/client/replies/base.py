"""What all replies have in common. What the service leaves out is None; what a later release adds is passed over."""

from collections.abc import Mapping
from dataclasses import dataclass

Attributes = Mapping[str, object]
"""Attributes of an item by name."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """`model_version`: the version that answered."""

    model_version: str


@dataclass(frozen=True, kw_only=True)
class ListReply(Reply):
    """`recommendation_id`: to be sent with the events that the list leads to; `arm`: of a running experiment."""

    recommendation_id: str
    arm: str | None = None
