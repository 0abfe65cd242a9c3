"""Engine: external ids in, recommendations out."""

from recsys.engine.answers import Answer, ItemView, Ranked, UserStatus
from recsys.engine.engine import Engine

__all__ = ["Answer", "Engine", "ItemView", "Ranked", "UserStatus"]
