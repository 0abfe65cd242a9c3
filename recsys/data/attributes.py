"""Attributes of items: their kinds, and what became of the values of a catalogue."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import Literal, TypeAlias, get_args

import pyarrow as pa

Kind: TypeAlias = Literal["text", "number", "boolean", "date", "list"]
"""text; int64 or float64; true or false; a day, or a time in UTC; several texts."""

KINDS: tuple[Kind, ...] = get_args(Kind)


def kind_of(column: pa.DataType) -> Kind:
    """The kind of an attribute's column by its pyarrow type."""
    if pa.types.is_boolean(column):
        return "boolean"
    if pa.types.is_integer(column) or pa.types.is_floating(column):
        return "number"
    if pa.types.is_date(column) or pa.types.is_timestamp(column):
        return "date"
    return "list" if pa.types.is_list(column) else "text"


def as_plain(value: object) -> object:
    """A value as JSON holds it: days and times as ISO 8601 text, times with a Z because they are in UTC."""
    if isinstance(value, datetime):
        return value.isoformat() + "Z"
    return value.isoformat() if isinstance(value, date) else value


@dataclass(frozen=True)
class AttributeFacts:
    """How one attribute of a catalogue was read.

    `kind`, `declared`: its kind, and whether `items.types` names it; else it was guessed. `n_rows`: rows of the
    catalogue with a usable id. `n_unknown`: those without a usable value: empty, or spelled as in `items.nulls`
    (`null_spellings`: rows per spelling), or unreadable. `n_unreadable`: rows whose value is not of the kind;
    `unreadable_at`: the file and row of the first of them, `unreadable`: its value.
    `almost`: a text that was nearly of this other kind; `n_against`, `against_at`, `against`: rows whose value is not
    of that kind, the place and the value of the first. None and 0 if there is none.
    """

    kind: Kind
    declared: bool
    n_rows: int
    n_unknown: int
    n_unreadable: int = 0
    unreadable_at: str | None = None
    unreadable: str | None = None
    null_spellings: Mapping[str, int] = field(default_factory=dict)
    almost: Kind | None = None
    n_against: int = 0
    against_at: str | None = None
    against: str | None = None

    @property
    def fault(self) -> str | None:
        """How many values are not of the kind, or kept the attribute a text, and the first; None if none is so."""
        if self.almost is not None:
            return self._counted(self.n_against, self.almost, self.against, self.against_at)
        return self._counted(self.n_unreadable, self.kind, self.unreadable, self.unreadable_at)

    def _counted(self, n: int, kind: Kind, value: str | None, place: str | None) -> str | None:
        n_read = self.n_rows - self.n_unknown + self.n_unreadable
        return f"{n} of {n_read} values are not of kind {kind}, the first {value!r} at {place}" if n else None


_FACTS = b"attributes"


def with_facts(table: pa.Table, facts: Mapping[str, AttributeFacts]) -> pa.Table:
    """The table of items with `facts`, by attribute, in the metadata of its schema."""
    text = json.dumps({name: asdict(each) for name, each in facts.items()}, ensure_ascii=False)
    return table.replace_schema_metadata({_FACTS: text})


def facts_in(table: pa.Table) -> dict[str, AttributeFacts]:
    """The facts that `with_facts` kept; empty if there are none, as in tables of earlier versions."""
    text = (table.schema.metadata or {}).get(_FACTS, b"{}")
    return {name: AttributeFacts(**each) for name, each in json.loads(text).items()}
