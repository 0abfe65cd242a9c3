"""The page of `recsys online`: one HTML file without scripts or network access."""

from collections.abc import Sequence

from recsys.evaluation.reporting.online_wording import note
from recsys.evaluation.reporting.pages import environment
from recsys.online.figures import OnlineReport


def online_page(report: OnlineReport, *, source: str, conversions: Sequence[str] = ()) -> str:
    """The page; `source`: where the figures come from, without secrets. `conversions`: kinds of events; none: all."""
    template = environment(html=True).get_template("online.html.j2")
    return template.render(report=report, source=source, note=note(conversions))
