"""The columns of a catalogue that are read, by keys that its parts are known by."""

from recsys.config import ItemsConfig
from recsys.data.ingest.source import ITEM_ID, Columns
from recsys.data.items import TITLE

_ATTRIBUTE = "attributes."


def columns_of_items(config: ItemsConfig) -> Columns:
    """The columns to read; an attribute's key is its place in the configuration, then its name."""
    columns = {ITEM_ID: config.id} | ({TITLE: config.title} if config.title is not None else {})
    return Columns("items", columns | {f"{_ATTRIBUTE}{name}": name for name in config.attributes}, keep=0)


def attribute_of(key: str) -> str:
    """The name of the attribute, or TITLE, that a key stands for."""
    return key.removeprefix(_ATTRIBUTE)
