"""What `recsys demo --live` prints: a line per night, and the experiment's verdict."""

from typing import TYPE_CHECKING

from rich.markup import escape

from pipelines.commands import rendering_online
from pipelines.commands.rendering import line, out

if TYPE_CHECKING:
    from pipelines.live_demo.nights import LiveDemoResult, LiveNight
    from recsys.online.figures import Figures

_BAR, _WIDTH = 50, 35
"""Characters of a click-through of 100 %, and of the longest bar."""


def night(told: "LiveNight") -> None:
    """What the night made, and what readers did with it the day after."""
    out.print(
        f"\n[bold]Night {told.number}[/]: {told.events:,} events in the database, then a day of {told.version}",
        highlight=False,
    )
    if told.refused:
        out.print(f"[yellow]note:[/] nothing new was published: {escape(told.refused.splitlines()[0])}")
    for arm, name in (("treatment", "lists of the model"), ("control", "popular books")):
        if arm in told.arms:
            line(f"  {name:<18} {_bar(told.arms[arm])}")
    rates = [told.arms[arm].click_through.value if arm in told.arms else None for arm in ("treatment", "control")]
    if rates[0] and rates[1]:
        line(f"  {rates[0] / rates[1]:.2f} times as many clicks per list as popular books")


def end(result: "LiveDemoResult", commands: tuple[str, ...]) -> None:
    """The verdict of the experiment, and where to look on."""
    out.print()
    rendering_online.reading(result.reading)
    line("\nThe shop and its readers are made up: what they like is planted, and they open what they like.")
    line(f"job:     {result.shop.config_path}")
    line("next:    " + "\n         ".join(commands))


def _bar(found: "Figures") -> str:
    rate = found.click_through
    value = rate.value or 0.0
    low, high = rate.low, rate.high
    interval = "" if low is None or high is None else f" ({low:.1%} to {high:.1%})"
    return (
        f"{'#' * min(round(_BAR * value), _WIDTH):<{_WIDTH}} {value:.1%} of {found.lists:,} lists clicked{interval}"
    )
