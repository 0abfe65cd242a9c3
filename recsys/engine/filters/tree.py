"""The tree of a filter. `str` of a tree is a filter that parses to the same tree."""

import re
from dataclasses import dataclass, field
from typing import TypeAlias

Value: TypeAlias = bool | int | float | str

RESERVED = frozenset({"and", "or", "not", "in", "is", "between", "contains", "missing", "true", "false"})
"""Words of the language, in any case; an attribute of that name stands in backticks."""

_PLAIN_NAME = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True)
class Attribute:
    """The name of an attribute; `position`: its first character in the text, from 0."""

    name: str
    position: int = field(default=0, compare=False)

    def __str__(self) -> str:
        plain = _PLAIN_NAME.fullmatch(self.name) and self.name.lower() not in RESERVED
        return self.name if plain else "`" + self.name.replace("`", "``") + "`"


@dataclass(frozen=True)
class Literal:
    """A value as the filter spells it; `position`: its first character in the text, from 0."""

    value: Value
    position: int = field(default=0, compare=False)

    def __str__(self) -> str:
        if isinstance(self.value, str):
            return '"' + self.value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        return str(self.value).lower() if isinstance(self.value, bool) else repr(self.value)


@dataclass(frozen=True)
class Comparison:
    """`attribute operator value`; `operator`: one of = < <= > >=."""

    attribute: Attribute
    operator: str
    value: Literal

    def __str__(self) -> str:
        return f"{self.attribute} {self.operator} {self.value}"


@dataclass(frozen=True)
class Membership:
    """The attribute is one of `values`."""

    attribute: Attribute
    values: tuple[Literal, ...]

    def __str__(self) -> str:
        return f"{self.attribute} in ({', '.join(map(str, self.values))})"


@dataclass(frozen=True)
class Contains:
    """The attribute's text contains `text`, in any case."""

    attribute: Attribute
    text: Literal

    def __str__(self) -> str:
        return f"{self.attribute} contains {self.text}"


@dataclass(frozen=True)
class Missing:
    """The attribute is unknown."""

    attribute: Attribute

    def __str__(self) -> str:
        return f"{self.attribute} is missing"


@dataclass(frozen=True)
class Not:
    """Exactly the items that do not pass `part`."""

    part: "Filter"

    def __str__(self) -> str:
        return f"not {_in_parentheses(self.part)}"


@dataclass(frozen=True)
class And:
    """The items that pass all of `parts`, two or more."""

    parts: tuple["Filter", ...]

    def __str__(self) -> str:
        return " and ".join(map(_in_parentheses, self.parts))


@dataclass(frozen=True)
class Or:
    """The items that pass any of `parts`, two or more."""

    parts: tuple["Filter", ...]

    def __str__(self) -> str:
        return " or ".join(map(_in_parentheses, self.parts))


Condition: TypeAlias = Comparison | Membership | Contains | Missing
Filter: TypeAlias = Condition | Not | And | Or


def names_in(tree: Filter) -> set[str]:
    """The names of the attributes that a filter looks at."""
    if isinstance(tree, Not):
        return names_in(tree.part)
    if isinstance(tree, And | Or):
        return set().union(*map(names_in, tree.parts))
    return {tree.attribute.name}


def _in_parentheses(part: Filter) -> str:
    return f"({part})" if isinstance(part, And | Or) else str(part)
