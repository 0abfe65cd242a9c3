"""A parsed body as its model, or the first ten things that are wrong with it, without repeating what came."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Annotated, Any, TypeVar, get_args, get_origin

from annotated_types import MaxLen
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from api.messages.body import Body
from api.messages.json_text import DuplicateKeyError
from recsys.errors import InvalidRequestError

MAX_SHOWN = 10
"""The most problems that are named; validation of a large body stops there."""

_ENDS = ("boosts", "timestamp", "attributes")

AnyBody = TypeVar("AnyBody", bound=Body)
Path = tuple[int | str, ...]


def validated(model: type[AnyBody], tree: object) -> AnyBody:
    """`tree` as `model`. Raises InvalidRequestError naming up to ten fields and what was expected there."""
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        raise _refusal(_problems(error), model) from None


def validated_in_steps(model: type[AnyBody], tree: object) -> AnyBody:
    """As `validated`, for large bodies: object by object, so that no step keeps other threads waiting for long.

    It stops when ten problems are found. Lists of objects in `tree` are replaced by what they were validated to.
    """
    problems: list[ErrorDetails] = []
    found = _step(model, tree, (), problems)
    if found is None:
        raise _refusal(iter(problems), model)
    assert isinstance(found, model)
    return found


def refusal_of_key(error: DuplicateKeyError, model: type[Body]) -> InvalidRequestError:
    """The refusal of a key that came twice, with its name if it is one of `model`'s."""
    if error.key not in _all_names(model):
        return error
    return InvalidRequestError(f"body: an object holds the field {error.key} twice; expected each field once")


def _step(model: type[BaseModel], tree: object, place: Path, problems: list[ErrorDetails]) -> BaseModel | None:
    n_before = len(problems)
    if isinstance(tree, dict):
        for name, (element, most) in _nested(model).items():
            members = tree.get(name)
            if isinstance(members, list) and len(members) <= most:
                tree[name] = list(_steps(element, members, (*place, name), problems))
        if len(problems) > n_before:
            return None
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        problems += ({**it, "loc": (*place, *it["loc"])} for it in _problems(error))
        return None


def _steps(
    model: type[BaseModel], members: list[object], place: Path, problems: list[ErrorDetails]
) -> Iterator[BaseModel | None]:
    for at, member in enumerate(members):
        if len(problems) >= MAX_SHOWN:
            return
        yield _step(model, member, (*place, at), problems)


@cache
def _nested(model: type[BaseModel]) -> Mapping[str, tuple[type[BaseModel], int]]:
    """Fields that hold lists of objects: the model of these, and the most of them."""
    found: dict[str, tuple[type[BaseModel], int]] = {}
    for name, field in model.model_fields.items():
        element = _model_of_members(field.annotation)
        if element is not None:
            found[name] = element, next(it.max_length for it in field.metadata if isinstance(it, MaxLen))
    return found


def _model_of_members(annotation: Any) -> type[BaseModel] | None:
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    members = get_args(annotation) if get_origin(annotation) is list else ()
    is_model = len(members) == 1 and isinstance(members[0], type) and issubclass(members[0], BaseModel)
    return members[0] if is_model else None


@cache
def _all_names(model: type[BaseModel]) -> frozenset[str]:
    inner = (_all_names(element) for element, _ in _nested(model).values())
    return frozenset(model.model_fields).union(*inner)


def _problems(error: ValidationError) -> Iterator[ErrorDetails]:
    return iter(error.errors(include_input=False, include_url=False, include_context=False))


def _refusal(problems: Iterator[ErrorDetails], model: type[BaseModel]) -> InvalidRequestError:
    explained: dict[str, None] = {}
    for problem in problems:
        explained[_explain(problem, model)] = None
        if len(explained) == MAX_SHOWN:
            break
    return InvalidRequestError("; ".join(explained))


def _explain(problem: ErrorDetails, model: type[BaseModel]) -> str:
    """One error of pydantic's, without the value that came, and without keys that the client made up."""
    kind, path = problem["type"], problem["loc"]
    if kind == "extra_forbidden":
        return f"{_place(path[:-1])}: holds an unknown field; expected only {', '.join(_known(model, path[:-1]))}"
    if "timestamp" in path:
        return f"{_place(path)}: expected seconds since 1970, or a date and time in ISO 8601, as 2024-05-31T18:30:00Z"
    return f"{_place(path)}: {problem['msg'].replace('Input should be', 'expected')}"


def _known(model: type[BaseModel], path: Path) -> list[str]:
    """The fields of the object at `path`: only lists of objects are nested in bodies."""
    for name in path:
        if isinstance(name, str):
            model, _ = _nested(model)[name]
    return list(model.model_fields)


def _place(path: Path) -> str:
    """Where in the body. Below some fields are ids, which are not repeated, or types."""
    end = next((at + 1 for at, part in enumerate(path) if part in _ENDS), len(path))
    return ".".join(["body", *(str(part) for part in path[:end])])
