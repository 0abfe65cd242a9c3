"""Rehearsal: a version is asked one question of each kind before it serves; what fails now would fail for people."""

from collections.abc import Callable

import numpy as np

from recsys.artifacts.bundle import Bundle
from recsys.data.loading import damage_named
from recsys.engine.answers import Answer
from recsys.engine.engine import Engine
from recsys.engine.question import Event, Question
from recsys.errors import ArtifactError


def check_serves(bundle: Bundle) -> None:
    """Raise ArtifactError unless an engine on `bundle` answers a question of each kind."""
    with damage_named(bundle.manifest.version, "a version that can be asked"):
        engine = Engine(bundle)
    rehearse(engine)


def rehearse(engine: Engine) -> None:
    """Ask for users at both ends, a visitor, a stranger, similar items, an order, a view, words.

    Raises ArtifactError naming the question that fails, or whose list has a number that is not finite.
    """
    for name, ask in _questions(engine):
        with damage_named(f"{engine.version}: {name}", "an answer"):
            answer = ask()
            if isinstance(answer, Answer) and not np.isfinite([item.score for item in answer.items]).all():
                raise ArtifactError(f"{engine.version}: {name}: a score is not finite")


def _questions(engine: Engine) -> list[tuple[str, Callable[[], object]]]:
    users, folded, items = engine.user_ids, engine.folded_user_ids, engine.item_ids
    asked: list[tuple[str, Callable[[], object]]] = [("a stranger", lambda: engine.ask(Question()))]
    if len(users):
        first, last = users.id_at(0), users.id_at(len(users) - 1)
        asked += [
            ("the first user", lambda: engine.ask(Question(user_id=first, explain=True))),
            ("the last user", lambda: engine.ask(Question(user_id=last))),
        ]
    if len(folded):
        asked.append(("a user to fold in", lambda: engine.ask(Question(user_id=folded.id_at(0)))))
    if len(items):
        ends = sorted({items.id_at(0), items.id_at(len(items) - 1)})
        visited = tuple(Event(item_id) for item_id in ends)
        asked += [
            ("a visitor", lambda: engine.ask(Question(events=visited))),
            ("similar items", lambda: engine.similar(ends[0])),
            ("an order", lambda: engine.rank(ends, events=visited)),
            ("a view of items", lambda: engine.items(ends)),
        ]
    if engine.can_search:
        asked.append(("words", lambda: engine.search("warm up")))
    return asked
