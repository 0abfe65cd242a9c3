import csv
import gzip
import hashlib
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recsys.config import ItemsConfig, LogConfig
from recsys.data.ingest.catalogue import read_items
from recsys.data.ingest.file_source import FileSource
from recsys.data.ingest.readers import read_log
from recsys.data.synthetic import (
    DIRT_KINDS,
    EVENT_NAMES,
    GENRES,
    EventChunk,
    SyntheticLog,
    World,
    generate_events,
    generate_matrix,
    make_catalogue,
    make_world,
    write_synthetic_log,
)
from recsys.data.synthetic.calendar import END, SEASON, START
from recsys.data.synthetic.events import BOT_EVENTS
from recsys.errors import DataError

N_USERS, N_ITEMS, N_EVENTS, BOTS = 800, 400, 60_000, 3


def gathered(world: World, n_events: int, *, bots: int = 0, chunk_rows: int = 7_000) -> EventChunk:
    chunks = list(generate_events(world, n_events, bots=bots, chunk_rows=chunk_rows))
    columns = {
        name: np.concatenate([getattr(chunk, name) for chunk in chunks])
        for name in ("user_idx", "item_idx", "timestamp", "event", "quantity")
    }
    return EventChunk(month="all", **columns)


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(n_users=N_USERS, n_items=N_ITEMS, seed=3)


@pytest.fixture(scope="module")
def events(world: World) -> EventChunk:
    return gathered(world, N_EVENTS, bots=BOTS)


@pytest.fixture(scope="module")
def people(events: EventChunk) -> EventChunk:
    rows = events.user_idx < N_USERS
    return EventChunk(
        "all",
        events.user_idx[rows],
        events.item_idx[rows],
        events.timestamp[rows],
        events.event[rows],
        events.quantity[rows],
    )


class TestCatalogue:
    def test_titles_are_unique_and_spell_their_genre(self, world: World) -> None:
        catalogue = world.catalogue
        assert len(set(catalogue.titles)) == N_ITEMS
        for title, genre in zip(catalogue.titles, catalogue.genre, strict=True):
            assert any(noun in title for noun in GENRES[genre].nouns)

    def test_a_series_is_one_genre_and_counts_its_volumes(self, world: World) -> None:
        catalogue = world.catalogue
        for series, name in enumerate(catalogue.series_names):
            items = catalogue.series_items[series, : catalogue.series_length[series]]
            assert [catalogue.titles[item] for item in items] == [f"{name} {v + 1}" for v in range(len(items))]
            assert set(catalogue.genre[items]) == {catalogue.series_genre[series]}
            assert set(catalogue.series[items]) == {series}

    @pytest.mark.parametrize("n_items", [20, 39, 40, 61, 1000])
    def test_every_genre_in_use_has_series_and_single_books(self, n_items: int) -> None:
        catalogue = make_catalogue(n_items, np.random.default_rng(1))
        assert len(catalogue) == n_items
        for genre in range(catalogue.n_genres):
            kinds = catalogue.series[catalogue.genre == genre] >= 0
            assert kinds.any() and not kinds.all()

    def test_a_large_catalogue_still_has_unique_titles(self) -> None:
        titles = make_catalogue(120_000, np.random.default_rng(1)).titles
        assert len(set(titles)) == 120_000

    def test_too_few_items_are_refused(self) -> None:
        with pytest.raises(DataError, match="at least 20 items, got 19"):
            make_world(n_users=5, n_items=19, seed=1)


class TestEvents:
    @pytest.mark.parametrize(("n_events", "bots"), [(0, 0), (1, 0), (777, 0), (2_345, 1), (10_000, 5)])
    def test_as_many_as_asked_for(self, world: World, n_events: int, bots: int) -> None:
        assert len(gathered(world, n_events, bots=bots, chunk_rows=500)) == n_events

    def test_ordered_in_time_within_the_calendar(self, events: EventChunk) -> None:
        assert (np.diff(events.timestamp) >= 0).all()
        assert events.timestamp[0] >= START
        assert events.timestamp[-1] < END

    def test_no_user_has_two_events_in_a_second(self) -> None:
        crowded = make_world(n_users=1, n_items=20, seed=1)
        moments = gathered(crowded, 50_000).timestamp
        assert len(np.unique(moments)) == 50_000

    def test_memory_does_not_grow_with_the_log(self, world: World) -> None:
        assert max(len(chunk) for chunk in generate_events(world, N_EVENTS, chunk_rows=1_000)) < 1_100

    def test_chunks_name_the_month_they_lie_in(self, world: World) -> None:
        for chunk in generate_events(world, 3_000, chunk_rows=200):
            months = chunk.timestamp.astype("datetime64[s]").astype("datetime64[M]")
            assert set(months.astype(str)) <= {chunk.month}

    def test_the_seed_decides(self, world: World) -> None:
        again = gathered(make_world(n_users=N_USERS, n_items=N_ITEMS, seed=3), 2_000)
        other = gathered(make_world(n_users=N_USERS, n_items=N_ITEMS, seed=4), 2_000)
        assert np.array_equal(again.item_idx, gathered(world, 2_000).item_idx)
        assert not np.array_equal(again.item_idx, other.item_idx)
        assert not np.array_equal(again.item_idx, gathered(replace(world, seed=4), 2_000).item_idx)


class TestPlantedStructure:
    def test_items_of_one_reader_share_a_genre_far_above_chance(self, world: World, people: EventChunk) -> None:
        genre = world.catalogue.genre[people.item_idx]
        order = np.argsort(people.user_idx, kind="stable")
        same_user = np.diff(people.user_idx[order]) == 0
        together = (np.diff(genre[order]) == 0)[same_user].mean()
        shares = np.bincount(genre) / len(genre)
        assert together > 2.5 * (shares**2).sum()

    def test_readers_turn_to_their_favourite_genres(self, world: World, people: EventChunk) -> None:
        season, _ = world.tastes.season(people.user_idx, people.timestamp)
        favourites = world.tastes.favourites[people.user_idx, season]
        hits = (favourites == world.catalogue.genre[people.item_idx][:, None]).any(axis=1)
        assert hits.mean() > 0.75

    def test_tastes_drift(self, world: World, people: EventChunk) -> None:
        """A reader whose dearest genre changed reads more of the new one in the last season than in the first."""
        favourites = world.tastes.favourites
        moved = ~(favourites[:, 0, :, None] == favourites[:, -1, None, :1]).any(axis=(1, 2))
        season, _ = world.tastes.season(people.user_idx, people.timestamp)
        new = world.catalogue.genre[people.item_idx] == favourites[people.user_idx, -1, 0]
        of_moved = moved[people.user_idx]
        early = new[of_moved & (season == 0)].mean()
        late = new[of_moved & (season == favourites.shape[1] - 1)].mean()
        assert 0.2 < moved.mean() < 0.8
        assert late > 3 * early

    def test_a_followed_series_is_read_in_order(self, world: World, people: EventChunk) -> None:
        catalogue, tastes = world.catalogue, world.tastes
        season, over = tastes.season(people.user_idx, people.timestamp)
        series = catalogue.series[people.item_idx]
        followed = (tastes.following[people.user_idx, season] == series[:, None]).any(axis=1) & (series >= 0)
        due = (over * catalogue.series_length[series]).astype(int) + 1
        on_time = catalogue.volume[people.item_idx][followed] == due[followed]
        assert followed.mean() > 0.35
        assert on_time.mean() > 0.8

    def test_popularity_is_skewed(self, people: EventChunk) -> None:
        counts = np.sort(np.bincount(people.item_idx, minlength=N_ITEMS))[::-1]
        assert counts[: N_ITEMS // 10].sum() > 0.25 * counts.sum()
        assert counts[-N_ITEMS // 10 :].sum() < 0.06 * counts.sum()

    def test_activity_is_skewed(self, people: EventChunk) -> None:
        counts = np.sort(np.bincount(people.user_idx, minlength=N_USERS))[::-1]
        assert counts[: N_USERS // 10].sum() > 0.25 * counts.sum()

    def test_purchases_are_rarer_and_less_noisy_than_views(self, world: World, people: EventChunk) -> None:
        season, _ = world.tastes.season(people.user_idx, people.timestamp)
        favourites = world.tastes.favourites[people.user_idx, season]
        hits = (favourites == world.catalogue.genre[people.item_idx][:, None]).any(axis=1)
        view, cart, purchase = (people.event == kind for kind in range(len(EVENT_NAMES)))
        assert view.sum() > 2 * cart.sum() > 2 * purchase.sum()
        assert hits[purchase].mean() > 0.95 > 0.85 > hits[view].mean()

    def test_a_purchase_follows_a_view_and_a_cart(self, people: EventChunk) -> None:
        seen: dict[tuple[int, int], set[int]] = {}
        columns = (people.user_idx.tolist(), people.item_idx.tolist(), people.event.tolist())
        for user, item, event in zip(*columns, strict=True):
            before = seen.setdefault((user, item), set())
            assert before >= set(range(event))
            before.add(event)

    def test_latecomers_leave_no_trace_before_joining(self, world: World, people: EventChunk) -> None:
        joined = world.tastes.joined[people.user_idx]
        assert 0.15 < (world.tastes.joined > START).mean() < 0.35
        assert (people.timestamp >= joined).all()

    def test_bots_view_anything(self, world: World, events: EventChunk) -> None:
        bots = events.user_idx >= N_USERS
        assert np.bincount(events.user_idx[bots] - N_USERS).tolist() == [BOT_EVENTS] * BOTS
        assert set(events.event[bots]) == {EVENT_NAMES.index("view")}
        counts = np.bincount(events.item_idx[bots], minlength=N_ITEMS)
        assert counts.max() < 3 * counts.mean()
        assert np.bincount(events.user_idx[~bots]).max() < BOT_EVENTS / 2

    def test_seasons_cover_the_calendar(self, world: World) -> None:
        everyone = np.arange(N_USERS)
        last, over = world.tastes.season(everyone, np.full(N_USERS, END - 1))
        assert last.max() < world.tastes.favourites.shape[1]
        assert (over < 1).all() and SEASON * 4 <= END - START


def test_matrix_counts_events(world: World) -> None:
    matrix = generate_matrix(world, 5_000)
    events = gathered(world, 5_000, chunk_rows=10**6)
    assert matrix.shape == (N_USERS, N_ITEMS)
    assert matrix.sum() == 5_000
    user, item = int(events.user_idx[0]), int(events.item_idx[0])
    assert matrix[user, item] == ((events.user_idx == user) & (events.item_idx == item)).sum()


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> SyntheticLog:
    folder = tmp_path_factory.mktemp("log")
    return write_synthetic_log(
        folder, n_users=60, n_items=50, n_events=6_000, seed=9, bots=1, dirty_rows=95, compress=True
    )


def lines_of(paths: tuple[Path, ...]) -> list[bytes]:
    lines = []
    for path in paths:
        header, *rows = gzip.decompress(path.read_bytes()).splitlines()
        assert header == b"user_id,item_id,timestamp,event,quantity"
        lines += rows
    return lines


def digests(log: SyntheticLog) -> list[str]:
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in (*log.event_paths, log.items_path)]


class TestFiles:
    def test_every_row_is_accounted_for(self, log: SyntheticLog) -> None:
        lines = lines_of(log.event_paths)
        assert len(lines) == log.rows == 6_000 + 95
        assert sum(log.events.values()) == 6_000
        assert log.bots == ("u0000060",)
        assert sum(line.startswith(b"u0000060,") for line in lines) >= BOT_EVENTS

    def test_dirt_of_every_kind_is_there_as_often_as_said(self, log: SyntheticLog) -> None:
        assert dict(log.planted) == {kind: 9 + (at < 5) for at, kind in enumerate(DIRT_KINDS)}
        lines = lines_of(log.event_paths)
        fields = Counter(line.count(b",") + 1 for line in lines)
        whole = [line.split(b",") for line in lines if line.count(b",") == 4]
        found = {
            "missing_user": sum(row[0] == b"" for row in whole),
            "missing_item": sum(row[1] == b"" for row in whole),
            "bad_time": sum(not row[2].endswith(b"Z") for row in whole),
            "unknown_event": sum(row[3].decode() not in EVENT_NAMES for row in whole),
            "negative_value": sum(row[4] == b"-1" for row in whole),
            "nan_value": sum(row[4] == b"NaN" for row in whole),
            "bad_utf8": sum(not line.isascii() for line in lines),
            "too_many_fields": fields[7],
            "too_few_fields": fields[3],
            "repeat": len(lines) - len(set(lines)) - _repeats_of_dirt(lines),
        }
        assert found == dict(log.planted)
        with pytest.raises(UnicodeDecodeError):
            next(line for line in lines if not line.isascii()).decode()

    def test_the_same_seed_writes_the_same_bytes(self, log: SyntheticLog, tmp_path: Path) -> None:
        sizes = {"n_users": 60, "n_items": 50, "n_events": 6_000, "bots": 1, "dirty_rows": 95}
        again = write_synthetic_log(tmp_path / "again", seed=9, **sizes)
        other = write_synthetic_log(tmp_path / "other", seed=10, **sizes)
        assert digests(again) == digests(log)
        assert {path.read_bytes()[4:8] for path in log.event_paths} == {bytes(4)}, "gzip wrote the time of day"
        assert not set(digests(other)) & set(digests(log))

    def test_plain_files_hold_the_same_text(self, log: SyntheticLog, tmp_path: Path) -> None:
        plain = write_synthetic_log(
            tmp_path, n_users=60, n_items=50, n_events=6_000, seed=9, bots=1, dirty_rows=95, compress=False
        )
        assert [path.name for path in plain.event_paths] == [f"2026-{month:02d}.csv" for month in range(1, 11)]
        for packed, path in zip(log.event_paths, plain.event_paths, strict=True):
            assert path.read_bytes() == gzip.decompress(packed.read_bytes())

    def test_a_clean_log_has_no_repeats(self, tmp_path: Path) -> None:
        clean = write_synthetic_log(tmp_path, n_users=5, n_items=20, n_events=20_000, seed=1)
        lines = lines_of(clean.event_paths)
        assert len(set(lines)) == len(lines) == clean.rows == 20_000
        assert clean.planted == {}

    def test_new_items_are_next_volumes_without_events(self, log: SyntheticLog, tmp_path: Path) -> None:
        sizes = {"n_users": 60, "n_items": 50, "n_events": 6_000, "bots": 1, "dirty_rows": 95}
        more = write_synthetic_log(tmp_path, seed=9, new_items=2, **sizes)
        assert digests(more)[:-1] == digests(log)[:-1]
        with more.items_path.open(encoding="utf-8", newline="") as file:
            *known, one, other = csv.DictReader(file)
        assert [one["item_id"], other["item_id"]] == ["b000050", "b000051"]
        for row in (one, other):
            volumes = [int(each["title"].rsplit(" ", 1)[1]) for each in known if each["series"] == row["series"]]
            assert row["title"] == f"{row['series']} {max(volumes) + 1}"
            assert row["genre"] in {each["genre"] for each in known if each["series"] == row["series"]}

    def test_items_can_be_read_by_title_genre_and_series(self, log: SyntheticLog) -> None:
        with log.items_path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert list(rows[0]) == ["item_id", "title", "genre", "series", "year", "price"]
        assert [row["title"] for row in rows] == list(log.world.catalogue.titles)
        assert all(row["title"].startswith(f"{row['series']} ") for row in rows if row["series"])
        assert {row["genre"] for row in rows} <= {genre.name for genre in GENRES}

    def test_progress_ends_at_the_total(self, tmp_path: Path) -> None:
        reported: list[tuple[str, float, float | None]] = []
        write_synthetic_log(
            tmp_path,
            n_users=9,
            n_items=20,
            n_events=500,
            seed=1,
            progress=lambda *news: reported.append(news),
        )
        assert reported[-1] == ("write the log", 500, 500)

    @pytest.mark.parametrize("sizes", [{"n_users": 0}, {"bots": 1}, {"dirty_rows": 101}, {"dirty_rows": -1}])
    def test_sizes_that_do_not_fit_are_refused(self, tmp_path: Path, sizes: dict[str, int]) -> None:
        with pytest.raises(DataError, match="expected a user, and at least as many events"):
            write_synthetic_log(tmp_path, **{"n_users": 5, "n_items": 20, "n_events": 100, "seed": 1} | sizes)


class TestReadBack:
    """The ordinary readers refuse and merge exactly what was planted."""

    @pytest.fixture
    def log_config(self, log: SyntheticLog) -> LogConfig:
        return LogConfig(
            paths=log.event_paths,
            user="user_id",
            item="item_id",
            timestamp="timestamp",
            event="event",
            value="quantity",
            event_weights={"view": 1.0, "cart": 3.0, "purchase": 5.0},
        )

    def test_every_count_agrees(self, log: SyntheticLog, log_config: LogConfig) -> None:
        events, counts = read_log(FileSource.of(log_config), log_config, deduplicate=True, now=END)
        planted = log.planted
        assert counts.rows_read == log.rows
        assert counts.merged == planted["repeat"]
        assert dict(counts.refused) == {
            "missing_user": planted["missing_user"],
            "missing_item": planted["missing_item"],
            "bad_time": planted["bad_time"],
            "unknown_event": planted["unknown_event"],
            "non_positive_value": planted["negative_value"],
            "non_finite_value": planted["nan_value"],
            "bad_utf8": planted["bad_utf8"],
            "bad_field_count": planted["too_many_fields"] + planted["too_few_fields"],
        }
        kinds = Counter(events.event_names[kind] for kind in events.event.tolist())
        assert kinds == log.events

    def test_repeats_count_twice_unless_they_are_merged(self, log: SyntheticLog, log_config: LogConfig) -> None:
        _, counts = read_log(FileSource.of(log_config), log_config, now=END)
        assert (counts.accepted, counts.merged) == (6_000 + log.planted["repeat"], 0)

    def test_the_very_events_come_back(self, log: SyntheticLog, log_config: LogConfig) -> None:
        events, _ = read_log(FileSource.of(log_config), log_config, deduplicate=True, now=END)
        wrote = gathered(log.world, 6_000, bots=1, chunk_rows=10**6)
        assert events.users.decode(events.user_idx[:50]) == [f"u{user:07d}" for user in wrote.user_idx[:50]]
        assert np.array_equal(np.sort(events.timestamp), wrote.timestamp)
        assert events.value.sum() == wrote.quantity.sum()

    def test_items_come_back(self, log: SyntheticLog) -> None:
        attributes = ("genre", "series", "year", "price")
        items = read_items(ItemsConfig(path=(log.items_path,), id="item_id", title="title", attributes=attributes))
        assert [items.title(at) for at in range(50)] == list(log.world.catalogue.titles)
        assert np.allclose(items.table.column("price").to_numpy(), log.world.catalogue.price)


def _repeats_of_dirt(lines: list[bytes]) -> int:
    """Dirty rows that happen to be alike: the same reader without a time, say."""
    dirty = [line for line in lines if line.count(b",") != 4 or not line.endswith((b",1", b",2"))]
    return len(dirty) - len(set(dirty))
