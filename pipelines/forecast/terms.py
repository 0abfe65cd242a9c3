"""Terms and moments: what is held in memory, when, and by which step."""

from collections.abc import Iterable
from dataclasses import dataclass

MIB, GIB = 2**20, 2**30


@dataclass(frozen=True)
class Term:
    """`what` is held, in words, and its size in bytes."""

    what: str
    size: int

    @staticmethod
    def of(what: str, size: float) -> "Term":
        """A term of a size that was computed."""
        return Term(what, round(size))


@dataclass(frozen=True)
class Moment:
    """What is held at once at one point of a step."""

    name: str
    terms: tuple[Term, ...]

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(term.size for term in self.terms)

    def beside(self, terms: Iterable[Term]) -> "Moment":
        """The same with what is held around it."""
        return Moment(self.name, (*terms, *self.terms))

    def named(self, before: str) -> "Moment":
        """The same, its name behind `before`."""
        return Moment(before + self.name, self.terms)


@dataclass(frozen=True)
class StepMemory:
    """One step (or the service), by the moment at which it holds most."""

    step: str
    peak: Moment

    @staticmethod
    def of(step: str, moments: Iterable[Moment], *, resident: Iterable[Term]) -> "StepMemory":
        """The largest of `moments`, with what the process holds whatever it does."""
        return StepMemory(step, max(moments, key=lambda moment: moment.size).beside(resident))

    @property
    def size(self) -> int:
        """Peak of resident memory, in bytes."""
        return self.peak.size


def text(size: float) -> str:
    """A size for people."""
    return f"{size / GIB:.1f} GiB" if size >= GIB else f"{size / MIB:.0f} MiB"
