"""The commands that ask the version that serves: `recsys recommend`, `recsys similar` and `recsys search`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from pipelines.commands import rendering, rendering_lists
from pipelines.commands.options import Condition, Count, Json, Store, marked_filter_errors
from pipelines.commands.store import engine_of
from recsys.errors import ConfigError, InvalidRequestError

if TYPE_CHECKING:
    from recsys.engine import Engine, Event, Question
    from recsys.engine.comparison import By

ItemIds = list[str] | None


def recommend(
    store: Store,
    user: Annotated[str | None, typer.Option("--user", help="id of a user", show_default=False)] = None,
    k: Count = 10,
    include_seen: Annotated[
        bool, typer.Option("--include-seen", help="list items of the user's history too")
    ] = False,
    did: Annotated[
        ItemIds,
        typer.Option("--did", metavar="ITEM", help="an item that the user or visitor just used; can be repeated"),
    ] = None,
    events: Annotated[
        Path | None,
        typer.Option(
            "--events", help="file of JSON lines with new events: item_id, event, value, timestamp (UTC seconds)"
        ),
    ] = None,
    condition: Condition = None,
    include: Annotated[
        ItemIds, typer.Option("--include", metavar="ITEM", help="list only such items; can be repeated")
    ] = None,
    exclude: Annotated[
        ItemIds, typer.Option("--exclude", metavar="ITEM", help="never list this item; can be repeated")
    ] = None,
    boost: Annotated[
        ItemIds,
        typer.Option("--boost", metavar="ITEM=FACTOR", help="multiply an item's score; can be repeated"),
    ] = None,
    diversity: Annotated[float, typer.Option("--diversity", min=0, max=1, help="how different the items are")] = 0.0,
    new_share: Annotated[
        float | None,
        typer.Option(
            "--new-share", min=0, max=1, help="share of the places kept for new items; by default that of the version"
        ),
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="show which items of the history led to each")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="fail instead of a fallback or a short list")] = False,
    as_json: Json = False,
) -> None:
    """Recommend items to a user, to a visitor by what they just did, or to a user with new events."""
    from recsys.engine import Event, Question

    new_events = (*_read_events(events), *(Event(item) for item in did or ()))
    if user is None and not new_events:
        raise ConfigError("recommend: expected --user, --did or --events, or several of them")
    question = Question(
        user_id=user,
        events=new_events,
        k=k,
        exclude_seen=False if include_seen else None,
        filter=condition,
        include=tuple(include) if include else None,
        exclude=tuple(exclude or ()),
        boosts=dict(_boost(text) for text in boost or ()),
        diversity=diversity,
        new_share=new_share,
        explain=explain,
        strict=strict,
    )
    _recommend(engine_of(store), question, as_json=as_json)


def _recommend(engine: "Engine", question: "Question", *, as_json: bool) -> None:
    with marked_filter_errors(question.filter):
        answer = engine.ask(question)
    if as_json:
        user = {} if answer.user_id is None else {"id": answer.user_id}
        rendering.json_document(rendering_lists.answer_tree(answer, user={**user, "status": answer.user_status}))
        return
    if answer.user_id is not None:
        rendering_lists.history(engine, answer.user_id)
    rendering_lists.answer(answer, f"Recommendations for {answer.user_id or 'a visitor'}")


def similar(
    store: Store,
    item: Annotated[
        ItemIds, typer.Option("--item", help="list items similar to this one; can be repeated", show_default=False)
    ] = None,
    unlike: Annotated[
        ItemIds, typer.Option("--unlike", metavar="ITEM", help="and not similar to this one; can be repeated")
    ] = None,
    user: Annotated[str | None, typer.Option("--user", help="list users similar to this one instead")] = None,
    k: Count = 10,
    condition: Condition = None,
    by: Annotated[
        str, typer.Option("--by", help="what is compared: behaviour, content or both (the mean of the two cosines)")
    ] = "behaviour",
    as_json: Json = False,
) -> None:
    """List the nearest neighbours by cosine: of one item, of several items, or of a user."""
    if bool(item) == bool(user):
        raise ConfigError("similar: expected either --item or --user")
    if user and (condition or by != "behaviour"):
        raise ConfigError("similar: --filter and --by are about items; they do not go with --user")
    engine = engine_of(store)
    if user:
        _similar_users(engine, user, k=k, as_json=as_json)
        return
    items = item or []
    with marked_filter_errors(condition):
        answer = engine.similar_to(items, unlike or (), k=k, filter=condition, by=cast("By", by))
    if as_json:
        rendering.json_document(rendering_lists.answer_tree(answer, **_asked(items, unlike or [])))
    else:
        rendering_lists.answer(answer, _title(engine, items, unlike or []))


def search(
    text: Annotated[str, typer.Argument(help="words of the items wanted, such as 'red mug'", show_default=False)],
    store: Store,
    k: Count = 10,
    condition: Condition = None,
    as_json: Json = False,
) -> None:
    """Find items by words, through an encoder of [[content]] that reads texts."""
    engine = engine_of(store)
    with marked_filter_errors(condition):
        answer = engine.search(text, k=k, filter=condition)
    if as_json:
        rendering.json_document(rendering_lists.answer_tree(answer, text=text))
    else:
        rendering_lists.answer(answer, f"Found for {text!r}")


def _similar_users(engine: "Engine", user: str, *, k: int, as_json: bool) -> None:
    found = engine.similar_users(user, k=k)
    if as_json:
        rendering.json_document(rendering_lists.users_tree(found))
    else:
        rendering_lists.users(engine, found, f"Users similar to {user}")


def _asked(items: list[str], unlike: list[str]) -> dict[str, object]:
    return {"item": {"id": items[0]}} if len(items) == 1 and not unlike else {"positive": items, "negative": unlike}


def _title(engine: "Engine", items: list[str], unlike: list[str]) -> str:
    def name(item_id: str) -> str:
        return item_id if engine.item_ids.position(item_id) is None else engine.item(item_id).title or item_id

    but_not = f" but not to {' or '.join(map(name, unlike))}" if unlike else ""
    return f"Similar to {' and '.join(map(name, items))}{but_not}"


def _boost(text: str) -> tuple[str, float]:
    item_id, equals, factor = text.rpartition("=")
    try:
        number = float(factor)
    except ValueError:
        equals = ""
    if not equals or not item_id:
        raise ConfigError(f"--boost {text}: expected ITEM=FACTOR, such as b000773=1.5")
    return item_id, number


def _read_events(path: Path | None) -> "tuple[Event, ...]":
    """The events of a file of JSON lines. Raises ConfigError that names file, line and what was expected."""
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
            events.append(Event(**json.loads(line)))
        except (ValueError, TypeError, InvalidRequestError) as error:
            expected = "a JSON object with item_id and optionally event, value, timestamp"
            raise ConfigError(f"{path}, line {number}: expected {expected}: {error}") from error
    return tuple(events)
