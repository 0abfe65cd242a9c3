"""What an answer lacks, in words: a warning, or for a strict question an error."""

from recsys.engine.answers import Answer
from recsys.engine.question import Question
from recsys.engine.user_profiles import UserProfile
from recsys.errors import IncompleteAnswerError, UnknownItemError, UnknownUserError

LEFT = "only {} items are left that this user has not seen"
ALL = "there are only {} items"
PASSING = "only {} items {}"
UNKNOWN_ITEMS = "items named that this version does not have, and that count for nothing: {}"


def warnings_of(question: Question, person: UserProfile, *, listed: int, unknown: tuple[str, ...]) -> tuple[str, ...]:
    """Why the list is a fallback, and why it has only `listed` items; how many items named are `unknown`."""
    warnings = [UNKNOWN_ITEMS.format(len(unknown))] if unknown else []
    warnings += person.warnings
    if listed < question.k:
        warnings.append(_shortage(question, person, listed))
    return tuple(warnings)


def refuse_shortcomings(answer: Answer, *, is_user: bool) -> None:
    """Raise UnknownUserError, UnknownItemError or IncompleteAnswerError where `answer` lacks anything."""
    if not is_user:
        raise UnknownUserError("no such user in this version")
    if answer.unknown_items:
        raise UnknownItemError(f"items named that this version does not have: {len(answer.unknown_items)}")
    if answer.user_status == "fallback" or len(answer.items) < answer.requested:
        raise IncompleteAnswerError("; ".join(answer.warnings))


def _shortage(question: Question, person: UserProfile, listed: int) -> str:
    passing = [
        *(["pass the filter"] if question.filter is not None else []),
        *(["are in `include`"] if question.include is not None else []),
        *(["are not in `exclude`"] if question.exclude else []),
    ]
    has_seen = question.exclude_seen and len(person.seen) > 0
    if not passing:
        return (LEFT if has_seen else ALL).format(listed)
    if has_seen:
        passing.append("have not been seen by this user")
    return PASSING.format(listed, ", ".join(passing[:-1]) + (" and " if passing[:-1] else "") + passing[-1])
