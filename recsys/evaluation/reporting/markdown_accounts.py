"""The report's Markdown on the data: what was evaluated, what was left out at each stage, and why."""

from collections.abc import Iterator

from recsys.evaluation.number_format import count
from recsys.evaluation.reporting.markdown import table
from recsys.evaluation.reporting.wording import COUNTS, SPLITS, Tree


def accounts(tree: Tree) -> Iterator[str]:
    """The lines of these sections."""
    for section in (_evaluated, _left_out, _cleaning, _ingest):
        yield from section(tree)


def _evaluated(tree: Tree) -> Iterator[str]:
    split = tree["split"]
    yield from ("## What was evaluated", "")
    cut = f": events from {split['cut']} on" if split["cut"] else ""
    yield from (f"{SPLITS.get(split['kind'], split['kind'])} (`{split['kind']}`){cut}.", "")
    counts = {key: value for key, value in split.items() if key.startswith("n_")}
    yield from table(["", "count"], ([COUNTS.get(key, key), count(value)] for key, value in counts.items()))


def _left_out(tree: Tree) -> Iterator[str]:
    pairs, users = tree["split"]["dropped"], tree["split"]["dropped_users"]
    reasons = [reason for reason in {**pairs, **users} if pairs.get(reason) or users.get(reason)]
    yield from ("### What could not be evaluated, and why", "")
    if not reasons:
        yield from ("Nothing: every pair that was held out is evaluated.", "")
        return
    yield from ("Of what was held out; a user counts under the reason that took the last of their pairs.", "")
    rows = [[_reason(tree, reason), count(pairs.get(reason, 0)), count(users.get(reason, 0))] for reason in reasons]
    total = ["all", count(sum(pairs.values())), count(sum(users.values()))]
    yield from table(["reason", "pairs", "users"], [*rows, total])


def _reason(tree: Tree, reason: str) -> str:
    return f"{tree['reasons'][reason]} (`{reason}`)"


def _cleaning(tree: Tree) -> Iterator[str]:
    if (cleaning := tree["cleaning"]) is None:
        return
    yield from ("## Cleaning of the whole log", "")
    rows = [[_reason(tree, reason), count(n)] for reason, n in cleaning["removed"].items() if n]
    kept = ["kept", count(cleaning["events_kept"])]
    yield from table(["", "events"], [["accepted from the log", count(cleaning["events_in"])], *rows, kept])
    yield (
        f"They make {count(cleaning['entries'])} distinct user-item pairs of {count(cleaning['n_users'])} users"
        f" and {count(cleaning['n_items'])} items."
    )
    yield ""


def _ingest(tree: Tree) -> Iterator[str]:
    for title, key in (("Rows of the log", "ingest"), ("Rows of the held-out files", "holdout_ingest")):
        if (ingest := tree[key]) is None:
            continue
        yield from (f"## {title}", "")
        refused = [[f"refused: {_reason(tree, reason)}", count(n)] for reason, n in ingest["refused"].items() if n]
        rest = [["merged into an equal row", count(ingest["merged"])], ["accepted", count(ingest["accepted"])]]
        yield from table(["", "rows"], [["read", count(ingest["rows_read"])], *refused, *rest])
