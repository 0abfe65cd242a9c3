"""The report as a page to read, from the same tree as the JSON: the verdict, the models, then how they came about."""

from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

from recsys.evaluation.number_format import count, figure
from recsys.evaluation.reporting.index_tables import candidate_tables, index_facts
from recsys.evaluation.reporting.markdown import bullets, escaped, prose_table, table
from recsys.evaluation.reporting.markdown_accounts import accounts
from recsys.evaluation.reporting.toml_text import toml_lines
from recsys.evaluation.reporting.wording import (
    Tree,
    against,
    ahead_of_the_model,
    beside_serving,
    by_cutoff,
    how_measured,
    is_compared,
    is_judged,
    new_to_the_model,
    short_lists,
    stopped_after,
    tied_to,
    verdict_sentence,
    whose_report,
)


def render_markdown(tree: Tree) -> str:
    """The whole page. `tree`: as `Report.tree`."""
    sections = (
        _verdict,
        _models,
        _differences,
        _slices,
        accounts,
        _training,
        _index,
        _examples,
        _regressed,
        _settings,
        _definitions,
        _timings,
    )
    parts = [line for section in sections for line in section(tree)]
    return "\n".join(parts).rstrip() + "\n"


def _verdict(tree: Tree) -> Iterator[str]:
    yield from ("# Evaluation report", "")
    yield from (f"**{verdict_sentence(tree)}**", "")
    judged = [f"{'passed' if gate['passed'] else '**failed**'}: {gate['detail']}" for gate in tree["gates"]]
    yield from bullets([*judged, *ahead_of_the_model(tree)])
    if whose := whose_report(tree):
        yield from (escaped(whose), "")


def _models(tree: Tree) -> Iterator[str]:
    yield from ("## Models", "")
    yield f"{how_measured(tree, 'In brackets:')} Bold: the best, where higher is better; other figures only describe."
    yield ""
    for k, metrics in by_cutoff(tree).items():
        yield from (f"### The first {k} places", "")
        yield from table(["metric", *tree["models"]], (_model_row(tree, metric) for metric in metrics))
    if short := short_lists(tree):
        yield from (short, "")


def _model_row(tree: Tree, metric: str) -> list[str]:
    entries = [figures[metric] for figures in tree["models"].values()]
    means = [entry["mean"] for entry in entries if "mean" in entry]
    best = max(means) if is_judged(metric) and len(entries) > 1 and means else None
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
    yield from ("## Differences", "")
    if sentence := beside_serving(tree):
        yield from (sentence, "")
    yield "Mean difference on the same users. Bold: the interval does not hold zero, so it is hardly chance."
    yield ""
    metrics = filter(is_compared, tree["models"][tree["model"]])
    rows = (
        [metric, *(_lead(figures.get(metric, {})) for figures in tree["differences"].values())] for metric in metrics
    )
    yield from table(["metric", *tree["differences"]], rows)


def _lead(entry: Tree) -> str:
    return _cell(entry, bold=entry.get("low", 0) > 0 or entry.get("high", 0) < 0, sign=True)


def _slices(tree: Tree) -> Iterator[str]:
    if not (slices := tree["slices"]):
        return
    metric, k = tree["metric"], slices["k"]
    yield from ("## Slices", "", "### By user activity", "")
    yield from (f"{metric} by the number of distinct items in the history.", "")
    rows = ([row["slice"], count(row["users"]), *_row(row, metric)] for row in slices["user_activity"])
    yield from table(["items known", "users", *tree["models"]], rows)
    yield from ("### By item popularity", "", f"recall@{k}: {slices['definitions']['item_popularity']}.", "")
    bands = ([*_band(row), *_row(row, f"recall@{k}")] for row in slices["item_popularity"])
    yield from table(["band", "items", "training users", "relevant pairs", *tree["models"]], bands)
    yield from (new_to_the_model(tree), "")


def _band(row: Tree) -> list[str]:
    least, most = (count(n) for n in row["training_users"])
    return [row["slice"], count(row["items"]), f"{least} to {most}", count(row["relevant"])]


def _row(row: Tree, metric: str) -> list[str]:
    return [_cell(figures[metric]) for figures in row["models"].values()]


def _training(tree: Tree) -> Iterator[str]:
    sentences = [escaped(sentence) for sentence in (stopped_after(tree), tied_to(tree)) if sentence]
    if sentences:
        yield from ("## Training", "", " ".join(sentences), "")


def _index(tree: Tree) -> Iterator[str]:
    if tree["index"]:
        yield from ("## Index", "")
        yield from bullets(f"{key}: {_value(value)}" for key, value in index_facts(tree["index"]).items())
        for title, header, rows in candidate_tables(tree["index"]):
            yield from (f"### {title}", "", *table(header, rows))


def _value(value: Any) -> str:
    if isinstance(value, float):
        return figure(value)
    return count(value) if isinstance(value, int) and not isinstance(value, bool) else escaped(str(value))


def _examples(tree: Tree) -> Iterator[str]:
    if tree["examples"]:
        yield from ("## Examples", "", "Bold: taken by the user in the holdout.", "")
    for example in tree["examples"]:
        yield from _example(example)


def _regressed(tree: Tree) -> Iterator[str]:
    regressed = tree["regressed"]
    if not (regressed and regressed["users"]):
        return
    yield from (f"## Users who lose most against {escaped(against(tree))}", "")
    for user in regressed["users"]:
        change = f"{tree['metric']} {figure(user['now'])} instead of {figure(user['before'])}."
        yield from _example(user["example"], change)


def _example(example: Tree, *more: str) -> Iterator[str]:
    yield from (f"### User {escaped(example['user_id'])}", "")
    for line in (*more, f"Known by {_titles(example, 'history')}.", f"Took {_titles(example, 'relevant')}."):
        yield from (line, "")
    rows = zip_longest(*([_place(item) for item in listed] for listed in example["lists"].values()), fillvalue="")
    yield from prose_table(["place", *example["lists"]], ([str(at), *row] for at, row in enumerate(rows, start=1)))


def _titles(example: Tree, what: str) -> str:
    shown, n = example[what], example[f"n_{what}"]
    more = f" and {count(n - len(shown))} more" if n > len(shown) else ""
    return ("; ".join(escaped(title) for title in shown) or "nothing") + more


def _place(item: Tree) -> str:
    return f"**{escaped(item['title'])}**" if item["hit"] else escaped(item["title"])


def _settings(tree: Tree) -> Iterator[str]:
    if tree["settings"]:
        yield from ("## Settings", "", "```toml", *toml_lines(tree["settings"]), "```", "")


def _definitions(tree: Tree) -> Iterator[str]:
    yield from ("## Definitions", "")
    keys = ("meaning", "formula", "denominator", "over")
    rows = ([f"`{metric}`", *(text[key] for key in keys)] for metric, text in tree["definitions"].items())
    yield from prose_table(["metric", *keys], rows)


def _timings(tree: Tree) -> Iterator[str]:
    if tree["timings"]:
        yield from ("## Timings", "")
        yield from table(["", "seconds"], ([name, f"{seconds:.2f}"] for name, seconds in tree["timings"].items()))
