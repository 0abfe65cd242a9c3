"""A synthetic book shop: a seeded log with planted structure for the demo, the tests and the scale benchmarks."""

from recsys.data.synthetic.catalogue import Catalogue, make_catalogue
from recsys.data.synthetic.choices import Choice, Choices, attention
from recsys.data.synthetic.events import EVENT_NAMES, EventChunk, generate_events, generate_matrix
from recsys.data.synthetic.lines import DIRT_KINDS
from recsys.data.synthetic.log_files import SyntheticLog, write_synthetic_log
from recsys.data.synthetic.words import GENRES
from recsys.data.synthetic.world import Tastes, World, make_tastes, make_world

__all__ = [
    "DIRT_KINDS",
    "EVENT_NAMES",
    "GENRES",
    "Catalogue",
    "Choice",
    "Choices",
    "EventChunk",
    "SyntheticLog",
    "Tastes",
    "World",
    "attention",
    "generate_events",
    "generate_matrix",
    "make_catalogue",
    "make_tastes",
    "make_world",
    "write_synthetic_log",
]
