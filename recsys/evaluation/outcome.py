"""Outcome: how a night ended in a few plain sentences, the same on the console, in every page and in JSON."""

from typing import Annotated, Literal

from pydantic import Field

from recsys.evaluation.provenance import OrAbsent, Summary

Light = Literal["good", "attention", "bad", "open"]
"""What a sentence means: nothing to do; something to look at; a refusal; not judged yet."""

SYMBOLS: dict[Light, str] = {"good": "✓", "attention": "⚠", "bad": "✗", "open": "–"}
"""Shown with every colour, so that no meaning is in the colour alone."""

_ORDER: tuple[Light, ...] = ("open", "good", "attention", "bad")


class Statement(Summary):
    """One sentence, without a full stop at its end, and what to do about it if there is anything to do."""

    light: Light
    text: str
    remedy: OrAbsent[str] = None

    @property
    def symbol(self) -> str:
        """The sign of its light."""
        return SYMBOLS[self.light]


class Outcome(Summary):
    """How a night ended. `verdict`: what the gates decided. `light`: the most serious one of all sentences.

    `headline`: the share of users the lists worked for, None if it was not measured. `statements`: how the model
    stands beside its baselines, what failed or was lost, what else to know.
    """

    light: Light
    verdict: Statement
    headline: OrAbsent[str] = None
    statements: Annotated[tuple[Statement, ...], Field(exclude_if=lambda value: not value)] = ()

    @staticmethod
    def of(verdict: Statement, *, headline: str | None, statements: tuple[Statement, ...]) -> "Outcome":
        """The outcome of these sentences, the most serious first."""
        ordered = tuple(sorted(statements, key=lambda each: -_ORDER.index(each.light)))
        light = max((each.light for each in (verdict, *statements)), key=_ORDER.index)
        return Outcome(light=light, verdict=verdict, headline=headline, statements=ordered)

    @property
    def symbol(self) -> str:
        """The sign of `light`."""
        return SYMBOLS[self.light]

    def noting(self, statement: Statement) -> "Outcome":
        """The same with one more statement."""
        return Outcome.of(self.verdict, headline=self.headline, statements=(*self.statements, statement))
