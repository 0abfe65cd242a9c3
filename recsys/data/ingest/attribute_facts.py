"""Log messages about the attributes of a catalogue."""

import json
import logging
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from recsys.config import ItemsConfig
from recsys.data.attributes import AttributeFacts

logger = logging.getLogger(__name__)

_LISTED_SHARE = 0.2
_KINDS = {"number": "a number", "boolean": "true or false", "date": "a date", "list": "a list", "text": "text"}


def tell_facts(facts: Mapping[str, AttributeFacts], columns: Mapping[str, pa.Array], config: ItemsConfig) -> None:
    """Log what a reader of the filters must know: unreadable values, spellings of unknown ones, lists in texts.

    `columns`: by attribute, one value per item.
    """
    for name, each in facts.items():
        if each.n_unknown == each.n_rows:
            logger.warning("attribute %r: no row has a value; it is unknown for every item", name)
        if each.n_unreadable:
            logger.warning("%s", unreadable_sentence(name, each))
        if each.null_spellings:
            shown = ", ".join(f"{text!r} {n}" for text, n in each.null_spellings.items())
            logger.info("attribute %r: rows that are unknown by items.nulls: %s", name, shown)
        if each.kind == "text" and not each.declared:
            _tell_of_text(name, columns[name], config)


def unreadable_sentence(name: str, facts: AttributeFacts) -> str:
    """How many values of an attribute are not of its kind, the first, and what to do."""
    n_known = facts.n_rows - facts.n_unknown + facts.n_unreadable
    remedy = (
        "correct them, or add their spelling to items.nulls"
        if facts.declared
        else f"correct them, add their spelling to items.nulls, or set items.types.{name}"
    )
    return (
        f"attribute {name!r}: {facts.n_unreadable} of {n_known} values are not {_KINDS[facts.kind]} and count as"
        f" unknown, the first {facts.unreadable!r} at {facts.unreadable_at}; {remedy}"
    )


def _tell_of_text(name: str, column: pa.StringArray, config: ItemsConfig) -> None:
    first = next((value.as_py() for value in column.drop_null()[:1]), "")
    if _is_nested(first):
        logger.warning(
            "attribute %r holds objects or nested lists, such as %s; they are kept as JSON text", name, first[:80]
        )
        return
    inside = pc.match_substring_regex(column, r"\w[|;]\w")
    if (pc.sum(inside).as_py() or 0) > _LISTED_SHARE * (len(column) - column.null_count):
        example = column.filter(inside)[0].as_py()
        separator = "|" if "|" in example else ";"
        set_too = "" if separator == config.list_separator else f' and items.list_separator = "{separator}"'
        logger.warning(
            'attribute %r is read as text, but values such as %r look like lists; set items.types.%s = "list"%s, so'
            " that filters find their members",
            name,
            example[:80],
            name,
            set_too,
        )


def _is_nested(text: str) -> bool:
    if not text.startswith(("{", "[")):
        return False
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) or (
        isinstance(found, list) and any(isinstance(member, dict | list) for member in found)
    )
