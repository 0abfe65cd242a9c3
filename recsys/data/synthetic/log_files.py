"""A synthetic log as files: one CSV of events per month and one of items, the same bytes for the same seed."""

import csv
import gzip
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import IO, cast

import numpy as np

from recsys.data.synthetic.catalogue import Catalogue
from recsys.data.synthetic.events import BOT_EVENTS, EVENT_NAMES, EventChunk, generate_events
from recsys.data.synthetic.lines import EVENT_COLUMNS, Names, dirty_lines, joined, line_bytes, scattered
from recsys.data.synthetic.words import GENRES
from recsys.data.synthetic.world import World, item_id, make_world, user_id
from recsys.errors import DataError
from recsys.progress import Progress, silent

_NEW_YEAR = 2026

ITEM_COLUMNS = ("item_id", "title", "genre", "series", "year", "price")


@dataclass(frozen=True, eq=False)
class SyntheticLog:
    """What was written, to compare with what is read back.

    `rows`: data rows in the files, the sum of `events` and `planted`.
    `events`: good rows by kind of event, those of bots included. `bots`: the bots' user ids, BOT_EVENTS views each.
    `planted`: dirty rows by kind, see DIRT_KINDS; rows of kind "repeat" are well-formed copies of a good row.
    """

    world: World
    event_paths: tuple[Path, ...]
    items_path: Path
    events: Mapping[str, int]
    bots: tuple[str, ...]
    planted: Mapping[str, int]

    @property
    def rows(self) -> int:
        """Data rows in the files."""
        return sum(self.events.values()) + sum(self.planted.values())


def write_synthetic_log(
    folder: Path,
    *,
    n_users: int,
    n_items: int,
    n_events: int,
    seed: int,
    bots: int = 0,
    dirty_rows: int = 0,
    new_items: int = 0,
    compress: bool = True,
    progress: Progress = silent,
) -> SyntheticLog:
    """Write `folder`/events/2026-01.csv.gz to 2026-10.csv.gz (or .csv) and `folder`/items.csv.

    `n_events` good rows, bots' views included, and `dirty_rows` more. The last `new_items` rows of items.csv are
    books without an event: the next volumes of the best read series. Needs memory for about a
    million rows, whatever `n_events` is. Raises DataError for sizes that cannot be planted.
    """
    if n_users < 1 or n_events < bots * BOT_EVENTS or not 0 <= dirty_rows <= n_events:
        raise DataError(
            f"synthetic log: {n_users} users, {n_events} events, {bots} bots of {BOT_EVENTS} views and {dirty_rows} "
            "dirty rows; expected a user, and at least as many events as bots' views and as dirty rows"
        )
    world = make_world(n_users=n_users, n_items=n_items, seed=seed)
    (folder / "events").mkdir(parents=True, exist_ok=True)
    _write_items(folder / "items.csv", world.catalogue, new_items)
    writer = _EventWriter(world, Names.of(n_users + bots, n_items), n_events, dirty_rows, progress)
    chunks = generate_events(world, n_events, bots=bots)
    paths = []
    for month, group in groupby(chunks, key=lambda chunk: chunk.month):
        paths.append(folder / "events" / f"{month}.csv{'.gz' if compress else ''}")
        writer.write(paths[-1], group)
    return SyntheticLog(
        world=world,
        event_paths=tuple(paths),
        items_path=folder / "items.csv",
        events=dict(writer.events),
        bots=tuple(user_id(n_users + bot) for bot in range(bots)),
        planted=dict(writer.planted),
    )


class _EventWriter:
    """Writes chunks and counts their rows."""

    def __init__(self, world: World, names: Names, n_events: int, dirty_rows: int, progress: Progress) -> None:
        self.events: Counter[str] = Counter()
        self.planted: Counter[str] = Counter()
        self._world, self._names, self._progress = world, names, progress
        self._n_events, self._dirty_rows = n_events, dirty_rows

    def write(self, path: Path, chunks: Iterator[EventChunk]) -> None:
        with _opened(path) as out:
            out.write(",".join(EVENT_COLUMNS).encode() + b"\n")
            for chunk in chunks:
                out.write(self._text(chunk))
                self._progress("write the log", self.events.total(), self._n_events)

    def _text(self, chunk: EventChunk) -> memoryview:
        before = self.events.total()
        kinds = np.bincount(chunk.event, minlength=len(EVENT_NAMES)).tolist()
        self.events.update(dict(zip(EVENT_NAMES, kinds, strict=True)))
        due = range(self._dirty_until(before), self._dirty_until(self.events.total()))
        columns, rng = self._names.columns(chunk), self._world.rng(2, before)
        dirty, planted = dirty_lines(columns, due, rng)
        self.planted.update(planted)
        return line_bytes(scattered(joined(columns), dirty, rng) if planted else joined(columns))

    def _dirty_until(self, events: int) -> int:
        return self._dirty_rows * events // max(self._n_events, 1)


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """A file to write; gzip without a time stamp if its name ends with .gz."""
    with ExitStack() as stack:
        raw = stack.enter_context(path.open("wb"))
        if path.suffix != ".gz":
            yield raw
            return
        packed = gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=1)
        yield cast(IO[bytes], stack.enter_context(packed))


def _write_items(path: Path, catalogue: Catalogue, new_items: int) -> None:
    with path.open("w", encoding="utf-8", newline="") as out:
        rows = csv.writer(out, lineterminator="\n")
        rows.writerow(ITEM_COLUMNS)
        for item, title in enumerate(catalogue.titles):
            series = catalogue.series_names[catalogue.series[item]] if catalogue.series[item] >= 0 else ""
            genre, year, price = GENRES[catalogue.genre[item]].name, catalogue.year[item], catalogue.price[item]
            rows.writerow((item_id(item), title, genre, series, year, f"{price:.2f}"))
        rows.writerows(_next_volumes(catalogue, new_items))


def _next_volumes(catalogue: Catalogue, n: int) -> Iterator[tuple[str, str, str, str, int, str]]:
    """Rows of `n` books that have just come out: the next volume of the series whose last one is found most often."""
    last = catalogue.series_items[np.arange(len(catalogue.series_names)), catalogue.series_length - 1]
    best = np.argsort(-catalogue.popularity[last], kind="stable")[:n]
    for number, series in enumerate(best.tolist(), start=len(catalogue)):
        name, genre = catalogue.series_names[series], GENRES[catalogue.series_genre[series]].name
        title = f"{name} {catalogue.series_length[series] + 1}"
        yield item_id(number), title, genre, name, _NEW_YEAR, f"{catalogue.price[last[series]]:.2f}"
