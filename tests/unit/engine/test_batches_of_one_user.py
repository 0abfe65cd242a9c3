"""A user who is asked about several times in a batch is folded in once."""

from recsys.artifacts.bundle import Bundle
from recsys.engine import Engine, Event, Question
from recsys.engine.user_profiles import UserProfiles

EVENTS = tuple(Event(f"i{at:04}") for at in range(5))


def test_the_profile_of_a_user_is_made_once_per_batch(small: Bundle) -> None:
    profile = UserProfiles(small).remembering()
    first = profile(Question(user_id="u0001", events=EVENTS, k=3))
    assert profile(Question(user_id="u0001", events=(*EVENTS,), k=9, filter='title != "x"')) is first
    others = [
        Question(user_id="u0002", events=EVENTS),
        Question(user_id="u0001", events=EVENTS[:4]),
        Question(user_id="u0001", events=EVENTS, popular=True),
        Question(events=EVENTS),
    ]
    assert all(profile(question) is not first for question in others)


def test_answers_are_those_of_questions_asked_alone(small: Bundle) -> None:
    engine = Engine(small)
    asked = [
        Question(user_id=user, events=events, popular=popular, k=4)
        for user in ("u0001", None, "u0002", "nobody")
        for events in ((), EVENTS, EVENTS[:2], EVENTS)
        for popular in (False, True)
    ]
    assert engine.ask_many(asked) == [engine.ask(question) for question in asked]
