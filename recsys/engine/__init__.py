"""Engine: external ids in, recommendations out."""

from recsys.engine.answers import Answer, ItemView, Ranked, Reason, UserStatus
from recsys.engine.engine import Engine
from recsys.engine.events import Event
from recsys.engine.question import Question

__all__ = ["Answer", "Engine", "Event", "ItemView", "Question", "Ranked", "Reason", "UserStatus"]
