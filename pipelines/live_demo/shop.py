"""The shop of the live demo: two weeks of a young log in PostgreSQL, and the job that reads it every night."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import psycopg

from recsys.data.synthetic import EVENT_NAMES, GENRES, World, generate_events, make_world
from recsys.data.synthetic.world import item_id, user_id

DAY = 86_400
OPENS, LIVE = (int(np.datetime64(day, "s").astype(np.int64)) for day in ("2026-10-01", "2026-10-15"))
"""When the shop opens, and when the first list is served, in UTC seconds of the planted world; now is LIVE."""

_READERS, _BOOKS, _SEED = 600, 400, 7
_EVENTS_OF_TEN_MONTHS = 30_000
_KINDS = ("view", "purchase")

_TABLES = """
CREATE TABLE shop_events (
    reader text NOT NULL, book text NOT NULL, at timestamptz NOT NULL, kind text NOT NULL, copies integer NOT NULL);
CREATE TABLE shop_books (
    book text PRIMARY KEY, title text NOT NULL, genre text NOT NULL, series text, year integer, price numeric(6, 2));
"""

_PIPELINE = """\
# Written by `recsys demo --live`. The address of the database is in the environment variable {variable}.
workspace = "night"

[log]
source = "${{{variable}}}"
table = "shop_events"
events = "${{{variable}}}"   # what readers did with the lists, in the event store of the service
user = "reader"
item = "book"
timestamp = "at"
event = "kind"
value = "copies"
seen_events = ["purchase"]  # a book that was only looked at may be shown again

[log.event_weights]
view = 1.0
purchase = 5.0

[items]
source = "${{{variable}}}"
table = "shop_books"
id = "book"
title = "title"
attributes = ["genre", "series", "year"]

[evaluate]
split = "last_n"
cutoffs = [10, 20]

[model]
factors = 32
alpha = 3.0
regularization = 20.0
popularity_exponent = 0.2

[publish]
store = "store"
must_beat_popular = false  # a shop of two weeks: the experiment says whether the lists are better
"""


@dataclass(frozen=True, eq=False)
class Shop:
    """The planted world, and the folder with the job's configuration."""

    world: World
    folder: Path

    @property
    def store(self) -> Path:
        """The published versions."""
        return self.folder / "store"

    @property
    def config_path(self) -> Path:
        """The pipeline.toml of the night."""
        return self.folder / "pipeline.toml"


def open_shop(folder: Path, database: str, *, variable: str) -> Shop:
    """Write the tables of a young shop into `database`, and the job that reads them into `folder`.

    `variable`: the environment variable that holds the database's address when the job runs.
    """
    world = make_world(n_users=_READERS, n_items=_BOOKS, seed=_SEED)
    now = int(time.time())
    with psycopg.connect(database) as connection, connection.cursor() as cursor:
        cursor.execute(_TABLES)
        for table, rows in (("shop_events", _events(world, now)), ("shop_books", _books(world))):
            with cursor.copy(f"COPY {table} FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        cursor.execute("ANALYZE shop_events")
    folder.mkdir(parents=True, exist_ok=True)
    shop = Shop(world, folder)
    shop.config_path.write_text(_PIPELINE.format(variable=variable), encoding="utf-8")
    return shop


def _events(world: World, now: int) -> Iterator[tuple[object, ...]]:
    for chunk in generate_events(world, _EVENTS_OF_TEN_MONTHS):
        for user, item, at, event, copies in zip(
            chunk.user_idx, chunk.item_idx, chunk.timestamp, chunk.event, chunk.quantity, strict=True
        ):
            if OPENS <= at < LIVE and (kind := EVENT_NAMES[event]) in _KINDS:
                yield (
                    user_id(user),
                    item_id(item),
                    datetime.fromtimestamp(int(at) - LIVE + now, UTC),
                    kind,
                    int(copies),
                )


def _books(world: World) -> Iterator[tuple[object, ...]]:
    catalogue = world.catalogue
    for item, title in enumerate(catalogue.titles):
        series = catalogue.series_names[catalogue.series[item]] if catalogue.series[item] >= 0 else None
        genre = GENRES[catalogue.genre[item]].name
        yield item_id(item), title, genre, series, int(catalogue.year[item]), f"{catalogue.price[item]:.2f}"
