"""How the users whose lists a report shows are named: few, and not by their ids if that is not wanted."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Literal

from recsys.evaluation.examples import Example
from recsys.evaluation.reporting.report import Details

Naming = Literal["plain", "hashed", "none"]


def named(details: Details, naming: Naming) -> Details:
    """`details` with every user's id as it is, hashed, or replaced by a number; a user has one name throughout."""
    if naming == "plain":
        return details
    ids = dict.fromkeys(example.user_id for example in _examples(details))
    names = {user_id: _hashed(user_id) if naming == "hashed" else str(at) for at, user_id in enumerate(ids, start=1)}
    examples = tuple(_renamed(example, names) for example in details.examples)
    if details.regressed is None:
        return replace(details, examples=examples)
    users = tuple(replace(user, example=_renamed(user.example, names)) for user in details.regressed.users)
    return replace(details, examples=examples, regressed=replace(details.regressed, users=users))


def _examples(details: Details) -> Iterator[Example]:
    yield from details.examples
    if details.regressed is not None:
        yield from (user.example for user in details.regressed.users)


def _renamed(example: Example, names: Mapping[str, str]) -> Example:
    return replace(example, user_id=names[example.user_id])


def _hashed(user_id: str) -> str:
    return hashlib.sha256(user_id.encode()).hexdigest()[:12]
