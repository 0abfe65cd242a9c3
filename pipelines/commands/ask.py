"""The commands that ask a published version: `recsys recommend` and `recsys similar`."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.commands import show, show_lists
from recsys.errors import ConfigError, FilterError

if TYPE_CHECKING:
    from recsys.engine import Engine, Event, Question

Store = Annotated[Path, typer.Option("--store", help="folder of the published versions", show_default=False)]
Count = Annotated[int, typer.Option("-k", help="how many (1 to 1000)")]
Json = Annotated[bool, typer.Option("--json", help="one JSON document on standard output")]
Condition = Annotated[
    str | None,
    typer.Option("--filter", metavar="CONDITION", help="on attributes, e.g. `price < 20`: docs/filters.md"),
]
ItemIds = list[str] | None


def recommend(
    store: Store,
    user: Annotated[str | None, typer.Option("--user", help="the user's id", show_default=False)] = None,
    k: Count = 10,
    include_seen: Annotated[bool, typer.Option("--include-seen", help="also items of the user's history")] = False,
    did: Annotated[ItemIds, typer.Option("--did", metavar="ITEM", help="something they just did; may repeat")] = None,
    events: Annotated[
        Path | None,
        typer.Option("--events", help="what they did, as JSON lines: item_id, event, value, timestamp (UTC seconds)"),
    ] = None,
    condition: Condition = None,
    include: Annotated[ItemIds, typer.Option("--include", metavar="ITEM", help="only these; may repeat")] = None,
    exclude: Annotated[ItemIds, typer.Option("--exclude", metavar="ITEM", help="never this; may repeat")] = None,
    boost: Annotated[ItemIds, typer.Option("--boost", metavar="ITEM=FACTOR", help="may repeat")] = None,
    diversity: Annotated[float, typer.Option("--diversity", help="0 to 1: how unlike each other")] = 0.0,
    explain: Annotated[bool, typer.Option("--explain", help="which items of the history carried each")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="no fallback, no short list: an error instead")] = False,
    as_json: Json = False,
) -> None:
    """One list from the version that serves: for a user, for a visitor who did something, or for both in one."""
    from recsys.engine import Event, Question

    done = (*_read_events(events), *(Event(item) for item in did or ()))
    if user is None and not done:
        raise ConfigError("nobody to recommend to: give --user, --did or --events, or several of them")
    question = Question(
        user_id=user,
        events=done,
        k=k,
        exclude_seen=not include_seen,
        filter=condition,
        include=tuple(include) if include else None,
        exclude=tuple(exclude or ()),
        boosts=dict(_boost(text) for text in boost or ()),
        diversity=diversity,
        explain=explain,
        strict=strict,
    )
    _recommend(engine_of(store), question, as_json=as_json)


def _recommend(engine: "Engine", question: "Question", *, as_json: bool) -> None:
    with pointing_into(question.filter):
        answer = engine.ask(question)
    if as_json:
        user = {} if question.user_id is None else {"id": question.user_id}
        show.json_document(show_lists.answer_tree(answer, user={**user, "status": answer.user_status}))
        return
    if question.user_id is not None:
        show_lists.history(engine, question.user_id)
    show_lists.answer(answer, f"Recommendations for {question.user_id or 'a visitor'}")


def similar(
    store: Store,
    item: Annotated[ItemIds, typer.Option("--item", help="an item like which others are wanted; may repeat")] = None,
    unlike: Annotated[ItemIds, typer.Option("--unlike", metavar="ITEM", help="and unlike this; may repeat")] = None,
    user: Annotated[str | None, typer.Option("--user", help="users like this one instead")] = None,
    k: Count = 10,
    condition: Condition = None,
    as_json: Json = False,
) -> None:
    """Nearest neighbours by cosine: of an item, of several less others, or of a user."""
    if bool(item) == bool(user):
        raise ConfigError("similar: expected either --item or --user")
    if user and condition:
        raise ConfigError("similar: --filter is about items; it does not go with --user")
    engine = engine_of(store)
    if user:
        found = engine.similar_users(user, k=k)
        tree = show_lists.users_tree(found, user_id=user)
        show.json_document(tree) if as_json else show_lists.users(engine, found, f"Like {user}")
        return
    items = item or []
    with pointing_into(condition):
        answer = engine.similar_to(items, unlike or (), k=k, filter=condition)
    if as_json:
        show.json_document(show_lists.answer_tree(answer, **_asked(items, unlike or [])))
    else:
        show_lists.answer(answer, _like(engine, items, unlike or []))


def _asked(items: list[str], unlike: list[str]) -> dict[str, Any]:
    return {"item": {"id": items[0]}} if len(items) == 1 and not unlike else {"positive": items, "negative": unlike}


def _like(engine: "Engine", items: list[str], unlike: list[str]) -> str:
    def name(item_id: str) -> str:
        return item_id if engine.item_ids.position(item_id) is None else engine.item(item_id).title or item_id

    return "Like " + " and ".join(map(name, items)) + "".join(f", unlike {name(item_id)}" for item_id in unlike)


def _boost(text: str) -> tuple[str, float]:
    item_id, equals, factor = text.rpartition("=")
    try:
        number = float(factor)
    except ValueError:
        equals = ""
    if not equals or not item_id:
        raise ConfigError(f"--boost {text}: expected ITEM=FACTOR")
    return item_id, number


def _read_events(path: Path | None) -> "tuple[Event, ...]":
    """The events of a file of JSON lines. Raises ConfigError naming file, line and what was expected."""
    from recsys.engine import Event

    if path is None:
        return ()
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--events {path}: cannot be read: {error}") from error
    events = []
    for number, line in enumerate(lines, start=1):
        try:
            event = Event(**json.loads(line))
            if not (isinstance(event.item_id, str) and isinstance(event.event, str | None)):
                raise TypeError("item_id and event are texts")
            events.append(event)
        except (ValueError, TypeError) as error:
            expected = "a JSON object with item_id and perhaps event, value, timestamp"
            raise ConfigError(f"{path}, line {number}: expected {expected}: {error}") from error
    return tuple(events)


@contextmanager
def pointing_into(condition: str | None) -> Iterator[None]:
    """A filter that is refused is shown with a mark below the place. Raises ConfigError for FilterError."""
    try:
        yield
    except FilterError as error:
        raise ConfigError(f"--{error.pointing(condition or '')}") from error


def engine_of(store: Path) -> "Engine":
    """The version that serves from `store`. Raises ConfigError where there is no such folder."""
    from recsys.artifacts.registry import Registry
    from recsys.engine import Engine

    if not store.is_dir():
        raise ConfigError(f"--store {store}: there is no such folder")
    return Engine(Registry(store).load())
