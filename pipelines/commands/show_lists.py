"""Lists as the command line prints them: tables for people, trees for programs."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from pipelines.commands.show import line, out, table

if TYPE_CHECKING:
    from pipelines.commands.demo import DemoResult
    from recsys.engine import Answer, Engine, Ranked, UserAnswer

_HISTORY = 8


def answer_tree(answer: "Answer", **asked: Any) -> dict[str, Any]:
    """The answer in the shape that the HTTP service replies with; `asked`: whom or what it is about."""
    tree: dict[str, Any] = {"model_version": answer.model_version, **asked}
    tree["items"] = [_without_none(asdict(item)) for item in answer.items]
    unknown = {"unknown_items": list(answer.unknown_items)} if answer.unknown_items else {}
    counts = {"requested": answer.requested, "returned": len(answer.items)}
    return {**tree, **counts, "warnings": list(answer.warnings), **unknown}


def _without_none(tree: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in tree.items() if value is not None}
    if "reasons" in kept:
        kept["reasons"] = [_without_none(reason) for reason in kept["reasons"]]
    return kept


def answer(answer: "Answer", title: str) -> None:
    """A ranked list with its reasons, where there are any, and its warnings."""
    status = f" ({answer.user_status})" if answer.user_status else ""
    explained = any(item.reasons is not None for item in answer.items)
    shown = table(f"{title}{status}", "#", "item", "title", "score", *(["because of"] if explained else []))
    for item in answer.items:
        because = [escape(_because(item))] if explained else []
        shown.add_row(str(item.rank), escape(item.item_id), escape(item.title or ""), f"{item.score:.4f}", *because)
    out.print(shown)
    _notes(answer.warnings)
    if answer.unknown_items:
        line(f"unknown: {', '.join(answer.unknown_items)}")


def _because(item: "Ranked") -> str:
    """The named contributions and the rest, as shares of the score where that is above zero."""
    named = [(reason.title or reason.item_id, reason.contribution) for reason in item.reasons or ()]
    parts = [*named, ("all else", item.rest or 0.0)]
    if item.score <= 0:
        return ", ".join(f"{name} {part:+.4f}" for name, part in parts)
    return ", ".join(f"{name} {round(100 * part / item.score)} %" for name, part in parts)


def users_tree(answer: "UserAnswer", *, user_id: str) -> dict[str, Any]:
    """The users in the shape that the HTTP service replies with."""
    tree = {"model_version": answer.model_version, "user": {"id": user_id}}
    found = {"users": [asdict(user) for user in answer.users]}
    counts = {"requested": answer.requested, "returned": len(answer.users)}
    return {**tree, **found, **counts, "warnings": list(answer.warnings)}


def users(engine: "Engine", answer: "UserAnswer", title: str) -> None:
    """Users alike, each with what they did most."""
    shown = table(title, "#", "user", "score", "history")
    for user in answer.users:
        seen = engine.history(user.user_id, limit=_HISTORY)
        did = " | ".join(item.title or item.item_id for item in seen)
        shown.add_row(str(user.rank), escape(user.user_id), f"{user.score:.4f}", escape(did))
    out.print(shown)
    _notes(answer.warnings)


def history(engine: "Engine", user_id: str) -> None:
    """What a known user did most, so that a person can judge the list under it."""
    if engine.user_ids.position(user_id) is not None:
        seen = engine.history(user_id, limit=_HISTORY)
        out.print(f"[dim]history:[/] {escape(' | '.join(item.title or item.item_id for item in seen))}")


def demo(result: "DemoResult") -> None:
    """The demo's end: people, what they did, what they would get, and where to go on."""
    for user_id in result.users:
        out.print()
        history(result.engine, user_id)
        answer(result.engine.recommend(user_id, k=5), f"Recommendations for {user_id}")
    for item_id in result.items:
        out.print()
        view = result.engine.item(item_id)
        answer(result.engine.similar(item_id, k=5), f"Like {view.title or item_id}")
    line("\nThe broken rows, repeats and bots in this log are planted: they show how they are accounted for.")
    line(f"report:  {result.report}")
    line(f"store:   {result.store}")
    line("next:    " + "\n         ".join(result.next_commands))


def _notes(warnings: tuple[str, ...]) -> None:
    for warning in warnings:
        out.print(f"[yellow]note:[/] {escape(warning)}")
