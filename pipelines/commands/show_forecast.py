"""What the command line prints of a forecast."""

from pipelines.commands import show
from pipelines.commands.doctor import duration_text, judge
from pipelines.forecast.forecast import Forecast
from pipelines.forecast.terms import text


def outcome(forecast: Forecast) -> None:
    """Every step, what the whole job takes, and what would make it smaller where it does not fit."""
    show.findings(judge(forecast))
    peak, total = forecast.peak, duration_text(sum(forecast.seconds.values()))
    show.line(f"the job peaks at {text(peak.size)} ({peak.step}: {peak.peak.name}) and takes roughly {total}")
    if forecast.fine:
        return
    for each in forecast.advice:
        show.line(f"with {each.setting} it would peak at {text(each.size)}")
    show.line("docs/scale.md says what is counted, and what else makes a job smaller")
