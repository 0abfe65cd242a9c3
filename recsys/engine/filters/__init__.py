"""Filters: conditions on the attributes of items, as text; each becomes a mask over the items."""

from recsys.engine.filters.cache import FilterCache, SearchCache
from recsys.engine.filters.columns import Mask
from recsys.engine.filters.compilation import compile_filter
from recsys.engine.filters.parsing import filter_parser, parse_filter
from recsys.engine.filters.tree import (
    And,
    Attribute,
    Comparison,
    Contains,
    Filter,
    Literal,
    Membership,
    Missing,
    Not,
    Or,
)

__all__ = [
    "And",
    "Attribute",
    "Comparison",
    "Contains",
    "Filter",
    "FilterCache",
    "Literal",
    "Mask",
    "Membership",
    "Missing",
    "Not",
    "Or",
    "SearchCache",
    "compile_filter",
    "filter_parser",
    "parse_filter",
]
