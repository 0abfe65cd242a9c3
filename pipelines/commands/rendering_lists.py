"""Recommendations and neighbours as the command line prints them: tables for people, JSON trees for programs."""

from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from pipelines.commands.rendering import line, out, table
from pipelines.commands.rendering_night import outcome
from recsys.errors import UnknownUserError

if TYPE_CHECKING:
    from pipelines.commands.demo import DemoResult
    from recsys.engine import Answer, Engine, Ranked, UserAnswer

_HISTORY = 8


def answer_tree(answer: "Answer", **asked: object) -> dict[str, Any]:
    """The answer in the shape of the service's reply; `asked`: the user or the items that it is about."""
    tree: dict[str, Any] = {"model_version": answer.model_version, **asked}
    tree["items"] = [_without_none(asdict(item)) for item in answer.items]
    unknown = {"unknown_items": list(answer.unknown_items)} if answer.unknown_items else {}
    counts = {"requested": answer.requested, "returned": len(answer.items)}
    return {**tree, **counts, "warnings": list(answer.warnings), **unknown}


def _without_none(tree: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in tree.items() if value is not None}
    for name in kept.keys() & {"reasons", "like"}:
        kept[name] = [_without_none(each) for each in kept[name]]
    return kept


def answer(answer: "Answer", title: str) -> None:
    """A ranked list, with its reasons if there are any, and its warnings."""
    status = f" ({answer.user_status})" if answer.user_status else ""
    explained = any(item.reasons is not None or item.like for item in answer.items)
    shown = table(f"{title}{status}", "#", "item", "title", "score", *(["because of"] if explained else []))
    for item in answer.items:
        because = [escape(_because(item))] if explained else []
        shown.add_row(str(item.rank), escape(item.item_id), _title(item), f"{item.score:.4f}", *because)
    out.print(shown)
    _notes(answer.warnings)
    if answer.unknown_items:
        line(f"unknown items: {', '.join(answer.unknown_items)}")


def _title(item: "Ranked") -> str:
    title = escape(item.title or "")
    return f"{title} [cyan](new)[/]".strip() if item.new else title


def _because(item: "Ranked") -> str:
    """The contributions to the score, as shares of it if it is positive."""
    named = [(reason.title or reason.item_id, reason.contribution) for reason in item.reasons or ()]
    parts = [*named, ("the rest", item.rest or 0.0)] if item.reasons is not None else []
    like = [f"like {like.title or like.item_id}, by {' and '.join(like.by)}" for like in item.like or ()]
    if item.score <= 0:
        return ", ".join([*like, *(f"{name} {part:+.4f}" for name, part in parts)])
    return ", ".join([*like, *(f"{name} {round(100 * part / item.score)} %" for name, part in parts)])


def users_tree(answer: "UserAnswer") -> dict[str, Any]:
    """Similar users in the shape of the service's reply."""
    tree = {"model_version": answer.model_version, "user": {"id": answer.user_id}}
    found = {"users": [asdict(user) for user in answer.users]}
    counts = {"requested": answer.requested, "returned": len(answer.users)}
    return {**tree, **found, **counts, "warnings": list(answer.warnings)}


def users(engine: "Engine", answer: "UserAnswer", title: str) -> None:
    """Similar users, each with the main items of their history."""
    shown = table(title, "#", "user", "score", "history")
    for user in answer.users:
        seen = engine.history(user.user_id, limit=_HISTORY)
        titles = " | ".join(item.title or item.item_id for item in seen)
        shown.add_row(str(user.rank), escape(user.user_id), f"{user.score:.4f}", escape(titles))
    out.print(shown)
    _notes(answer.warnings)


def history(engine: "Engine", user_id: str) -> None:
    """The main items of a user's stored history, to judge the list below by."""
    with suppress(UnknownUserError):
        seen = engine.history(user_id, limit=_HISTORY)
        out.print(f"[dim]history:[/] {escape(' | '.join(item.title or item.item_id for item in seen))}")


def demo(result: "DemoResult") -> None:
    """The end of the demo: a few users with their history and list, a few items, and the next commands."""
    for user_id in result.users:
        out.print()
        history(result.engine, user_id)
        answer(result.engine.recommend(user_id, k=5), f"Recommendations for {user_id}")
    for item_id in result.items:
        out.print()
        view = result.engine.item(item_id)
        answer(result.engine.similar(item_id, k=5), f"Similar to {view.title or item_id}")
    if result.first_day is not None:
        out.print()
        user = result.first_day.user_id
        history(result.engine, user or "")
        answer(result.first_day, f"A book that came out today, for {user}")
    out.print()
    if result.outcome is not None:
        verdict = f"Accepted: {result.engine.version} serves from {result.store}"
        outcome(out, result.outcome, verdict, {"STORE": str(result.store)})
    line("\nThe log is made up. Its broken rows, repeats and bots are planted, to show how they are accounted for.")
    line(f"report:  {result.report}")
    line("next:    " + "\n         ".join(result.next_commands))


def _notes(warnings: tuple[str, ...]) -> None:
    for warning in warnings:
        out.print(f"[yellow]note:[/] {escape(warning)}")
