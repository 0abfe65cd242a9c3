"""The model of memory: a step has phases, a phase holds terms, and the largest phase is the peak of the step."""

from collections.abc import Iterable
from dataclasses import dataclass

MIB, GIB = 2**20, 2**30


@dataclass(frozen=True)
class Term:
    """One thing held in memory: `what` in words, and its size in bytes."""

    what: str
    size: int

    @staticmethod
    def of(what: str, size: float) -> "Term":
        """A term with its size rounded to whole bytes."""
        return Term(what, round(size))


@dataclass(frozen=True)
class Phase:
    """A part of a step, and everything that it holds at once."""

    name: str
    terms: tuple[Term, ...]

    @property
    def size(self) -> int:
        """Bytes in total."""
        return sum(term.size for term in self.terms)

    def while_holding(self, terms: Iterable[Term]) -> "Phase":
        """The same phase while `terms` are held too."""
        return Phase(self.name, (*terms, *self.terms))

    def named(self, before: str) -> "Phase":
        """The same phase, with `before` in front of its name."""
        return Phase(before + self.name, self.terms)


@dataclass(frozen=True)
class StepMemory:
    """One step (or the service) with its largest phase."""

    step: str
    peak: Phase

    @staticmethod
    def of(step: str, phases: Iterable[Phase], *, resident: Iterable[Term]) -> "StepMemory":
        """The largest of `phases`, with the terms `resident` that the process always holds."""
        return StepMemory(step, max(phases, key=lambda phase: phase.size).while_holding(resident))

    @property
    def size(self) -> int:
        """Peak of resident memory in bytes."""
        return self.peak.size


def text(size: float) -> str:
    """A size in GiB, MiB or, if it is small, KiB, as text."""
    if size < MIB:
        return f"{size / 1024:.0f} KiB"
    return f"{size / GIB:.1f} GiB" if size >= GIB else f"{size / MIB:.0f} MiB"
