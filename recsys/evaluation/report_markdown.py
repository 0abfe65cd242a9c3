"""The report as a page to read, from the same tree as the JSON: the verdict, the models, then how they came about."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from recsys.evaluation.definitions import DEFINITIONS
from recsys.evaluation.figures import count, figure, percent
from recsys.evaluation.markdown import bullets, escaped, prose_table, table

Tree = Mapping[str, Any]

_SPLITS = {
    "temporal": "The newest part of the log is held out",
    "last_n": "Each user's last items are held out",
    "held_out_users": "Some users are never trained on, and part of their items is to be predicted",
    "given": "The held-out part came as files of its own",
}


def render(tree: Tree) -> str:
    """The whole page. `tree`: as `Report.tree`."""
    sections = (_verdict, _models, _differences, _evaluated, _left_out, _cleaning, _ingest, _index, _examples)
    parts = [line for section in (*sections, _settings, _definitions, _timings) for line in section(tree)]
    return "\n".join(parts).rstrip() + "\n"


def _verdict(tree: Tree) -> Iterator[str]:
    yield from ("# Evaluation report", "")
    words = {"accepted": "Accepted: this version may serve.", "refused": "Refused: the serving version stays."}
    yield from (
        f"**{words.get(tree['verdict'], 'Not judged yet: the gates decide when a version is published.')}**",
        "",
    )
    yield from bullets(f"{'passed' if gate['passed'] else '**failed**'}: {gate['detail']}" for gate in tree["gates"])


def _models(tree: Tree) -> Iterator[str]:
    yield from ("## Models", "")
    yield from (_how_measured(tree), "")
    for k, metrics in _by_cutoff(tree).items():
        yield from (f"### The first {k} places", "")
        yield from table(["metric", *tree["models"]], (_model_row(tree, metric) for metric in metrics))
    short = [f"{name} ({count(n)})" for name, n in tree["short_lists"].items() if n]
    if short:
        yield from (
            f"Lists shorter than the largest cut-off, by users: {', '.join(short)}. Missing places are misses.",
            "",
        )


def _how_measured(tree: Tree) -> str:
    intervals = tree["intervals"]
    text = f"Means over {count(tree['n_users'])} users; every item that is not in a user's history is ranked."
    if intervals["samples"]:
        text += (
            f" In brackets the {percent(intervals['confidence'])} interval from {count(intervals['samples'])}"
            " resamples of the users."
        )
    return text + " Bold: the best, where higher is better; the other figures only describe the lists."


def _by_cutoff(tree: Tree) -> dict[int, list[str]]:
    """Cut-off to its metrics, both in order."""
    metrics = tree["models"][tree["model"]]
    cutoffs = sorted({int(metric.split("@")[1]) for metric in metrics})
    return {k: [metric for metric in metrics if metric.endswith(f"@{k}")] for k in cutoffs}


def _model_row(tree: Tree, metric: str) -> list[str]:
    entries = [figures[metric] for figures in tree["models"].values()]
    means = [entry["mean"] for entry in entries if "mean" in entry]
    judged = DEFINITIONS[metric.split("@")[0]].better == "higher" and len(entries) > 1
    best = max(means) if judged and means else None
    return [metric, *(_cell(entry, bold=best is not None and entry.get("mean") == best) for entry in entries)]


def _cell(entry: Tree, *, bold: bool = False, sign: bool = False) -> str:
    mean = figure(entry.get("mean"), sign=sign)
    mean = f"**{mean}**" if bold else mean
    if "low" not in entry:
        return mean
    return f"{mean} ({figure(entry['low'], sign=sign)} to {figure(entry['high'], sign=sign)})"


def _differences(tree: Tree) -> Iterator[str]:
    if not tree["differences"]:
        return
    yield from ("## Against the baselines", "")
    yield "Mean difference on the same users. Bold: the interval does not hold zero, so it is hardly chance."
    yield ""
    metrics = [
        metric for metric in tree["models"][tree["model"]] if DEFINITIONS[metric.split("@")[0]].better == "higher"
    ]
    rows = ([metric, *(_lead(figures[metric]) for figures in tree["differences"].values())] for metric in metrics)
    yield from table(["metric", *tree["differences"]], rows)


def _lead(entry: Tree) -> str:
    return _cell(entry, bold=entry.get("low", 0) > 0 or entry.get("high", 0) < 0, sign=True)


def _evaluated(tree: Tree) -> Iterator[str]:
    split = tree["split"]
    yield from ("## What was evaluated", "")
    cut = f": events from {split['cut']} on" if split["cut"] else ""
    yield from (f"{_SPLITS.get(split['kind'], split['kind'])} (`{split['kind']}`){cut}.", "")
    counts = {key: value for key, value in split.items() if key.startswith("n_")}
    yield from table(["", "count"], ([_COUNTS.get(key, key), count(value)] for key, value in counts.items()))


_COUNTS = {
    "n_train_events": "events in the training part",
    "n_train_users": "users in the training part",
    "n_train_items": "items in the training part: the catalogue that is ranked",
    "n_train_entries": "distinct user-item pairs in the training part",
    "n_holdout_events": "events held out",
    "n_holdout_pairs": "distinct user-item pairs held out",
    "n_holdout_users": "users held out",
    "n_holdout_items": "items held out",
    "n_holdout_entries": "relevant user-item pairs evaluated",
    "n_eval_users": "users evaluated",
    "n_eval_items": "relevant items evaluated",
}


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


def _index(tree: Tree) -> Iterator[str]:
    if tree["index"]:
        yield from ("## Index", "")
        yield from bullets(f"{key}: {_value(value)}" for key, value in tree["index"].items() if value is not None)


def _value(value: Any) -> str:
    if isinstance(value, float):
        return figure(value)
    return count(value) if isinstance(value, int) and not isinstance(value, bool) else escaped(str(value))


def _examples(tree: Tree) -> Iterator[str]:
    if tree["examples"]:
        yield from ("## Examples", "")
    for example in tree["examples"]:
        yield from (f"### User {escaped(example['user_id'])}", "")
        yield from prose_table(["place", "recommended"], _numbered(example["recommended"]))
        yield from (f"Known by: {'; '.join(escaped(title) for title in example['history']) or 'nothing'}.", "")


def _numbered(titles: list[str]) -> Iterator[list[str]]:
    return ([str(place), escaped(title)] for place, title in enumerate(titles, start=1))


def _settings(tree: Tree) -> Iterator[str]:
    if tree["settings"]:
        yield from ("## Settings", "", "```toml", *_toml(tree["settings"]), "```", "")


def _toml(settings: Tree) -> Iterator[str]:
    """Plain values first, then the sections; what is not set is left out."""
    given = {key: value for key, value in settings.items() if value is not None}
    yield from (f"{key} = {_toml_value(value)}" for key, value in given.items() if not isinstance(value, Mapping))
    for section, values in given.items():
        if isinstance(values, Mapping):
            yield f"[{section}]"
            yield from (f"{key} = {_toml_value(value)}" for key, value in values.items() if value is not None)


def _toml_value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_toml_value(part)}" for key, part in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)


def _definitions(tree: Tree) -> Iterator[str]:
    yield from ("## Definitions", "")
    keys = ("meaning", "formula", "denominator", "over")
    rows = ([f"`{metric}`", *(text[key] for key in keys)] for metric, text in tree["definitions"].items())
    yield from prose_table(["metric", *keys], rows)


def _timings(tree: Tree) -> Iterator[str]:
    if tree["timings"]:
        yield from ("## Timings", "")
        yield from table(["", "seconds"], ([name, f"{seconds:.2f}"] for name, seconds in tree["timings"].items()))
