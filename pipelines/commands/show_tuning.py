"""What the command line prints of a search: the best trials, the ablation, and where the files are."""

from rich.markup import escape
from rich.table import Table

from pipelines.commands.rendering import err, line, out
from recsys.evaluation.definitions import coverage_of
from recsys.evaluation.number_format import figure
from recsys.tuning.outcome import Outcome
from recsys.tuning.settings import Setting, flat

_SHOWN = 10


def announcement(text: str) -> None:
    """One line during the search."""
    err.print(f"[bold]tune[/]      {escape(text)}")


def outcome(found: Outcome, *, tuned: str, trials: str, written: str | None) -> None:
    """The result of a finished search."""
    _best_trials(found)
    if found.ablation:
        _ablation(found)
    out.print()
    for sentence in found.sentences():
        line(sentence)
    for key, value in flat(found.settings).items():
        line(f"  {key} = {'(left out)' if value is None else value}")
    line(f"\ntuned:  {tuned}")
    line(f"trials: {trials}")
    if found.settings:
        line(f"next:   recsys run {written or tuned}")


def _best_trials(found: Outcome) -> None:
    shown = sorted(
        (trial for trial in found.trials if trial.objective is not None),
        key=lambda trial: (trial.factors != found.factors, -(trial.objective or 0.0)),
    )[:_SHOWN]
    each = [flat(trial.settings) for trial in shown]
    keys = [key for key in dict.fromkeys(key for settings in each for key in settings) if _differs(key, each)]
    table = Table("factors", "trial", found.metric, coverage_of(found.metric), "settings", box=None, pad_edge=False)
    for trial, settings in zip(shown, each, strict=True):
        words = (f"{key.rpartition('.')[2]}={settings[key]}" for key in keys if key in settings)
        figures = figure(trial.score), figure(trial.coverage)
        table.add_row(str(trial.factors), str(trial.number), *figures, escape(" ".join(words)))
    out.print(table)


def _differs(key: str, each: list[dict[str, Setting]]) -> bool:
    return any(settings.get(key) != each[0].get(key) for settings in each)


def _ablation(found: Outcome) -> None:
    line("\nAblation: the winner with one group of settings put back to where the search began")
    coverage = coverage_of(found.metric)
    table = Table("put back", found.metric, "contributes", "from", "to", coverage, box=None, pad_edge=False)
    for row in found.ablation:
        gain = (figure(value, sign=True) for value in row.gain or (None,) * 3)
        table.add_row(row.group, figure(row.without), *gain, figure(row.coverage))
    out.print(table)
