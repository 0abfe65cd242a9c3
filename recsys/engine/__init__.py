"""Engine: external ids in, recommendations out."""

from recsys.engine.answers import (
    Answer,
    Candidate,
    CandidateAnswer,
    ItemView,
    Like,
    Ranked,
    RankedUser,
    Reason,
    UserAnswer,
    UserStatus,
)
from recsys.engine.engine import Engine
from recsys.engine.frames import to_frame
from recsys.engine.item_updates import ItemUpdate
from recsys.engine.posted import PostedItem
from recsys.engine.question import Event, Question

__all__ = [
    "Answer",
    "Candidate",
    "CandidateAnswer",
    "Engine",
    "Event",
    "ItemUpdate",
    "ItemView",
    "Like",
    "PostedItem",
    "Question",
    "Ranked",
    "RankedUser",
    "Reason",
    "UserAnswer",
    "UserStatus",
    "to_frame",
]
