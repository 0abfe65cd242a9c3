"""Updates of items while a version serves: filters, fields, titles and views follow; nothing else changes."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse as sp

from recsys.artifacts.bundle import Bundle
from recsys.data.arrays import Floats, Indices
from recsys.data.items import Items
from recsys.engine import Answer, Engine, ItemUpdate, Question
from recsys.engine.filters import FilterCache, SearchCache
from recsys.errors import FilterError, InvalidRequestError

FILTERS = [
    "price < 3",
    "stock > 0",
    "not stock > 0",
    "price < 3 and stock > 0",
    "id in ('i0001', 'i0002') or stock is missing",
    "title contains 'red' and not (tags in ('a', 'b'))",
    "day >= '2026' or tags = 'a'",
    "color = 'blue'",
]


@pytest.fixture
def bundle(make_bundle: Callable[..., Bundle]) -> Bundle:
    rng = np.random.default_rng(5)
    seen = sp.random(6, 40, density=0.1, format="csr", rng=rng, dtype=np.float32)
    table = pa.table(
        {
            "title": [f"red {at}" if at % 3 else None for at in range(40)],
            "price": rng.integers(1, 9, 40).astype(float),
            "stock": pa.array([None if at % 7 == 0 else at % 4 for at in range(40)], pa.int64()),
            "day": pa.array([None] * 40, pa.date32()),
            "tags": pa.array([["a"] if at % 2 else None for at in range(40)], pa.list_(pa.string())),
            "color": ["blue", "red"] * 20,
        }
    )
    return make_bundle(seen, rng.normal(size=(6, 4)), rng.normal(size=(40, 4)), table=table)


@pytest.fixture
def engine(bundle: Bundle) -> Engine:
    return Engine(bundle)


def ids(answer: Answer) -> list[str]:
    return [item.item_id for item in answer.items]


def ask(engine: Engine, condition: str | None = None, **extra: object) -> Answer:
    return engine.ask(Question(user_id="u0001", k=40, filter=condition, exclude_seen=False, **extra))


def all_answers(engine: Engine) -> list[Answer]:
    lists = [ask(engine, each, fields=("price", "stock", "day", "tags")) for each in FILTERS]
    near = [engine.similar("i0003", k=40, filter=each, fields=["title", "color"]) for each in FILTERS]
    return [*lists, *near, ask(engine)]


UPDATES = [
    ItemUpdate("i0001", {"stock": 0, "price": 1.0}),
    ItemUpdate("i0002", {"stock": None, "title": "green", "tags": ["b", "c"]}),
    ItemUpdate("i0003", {"title": None, "day": "2026-11-28"}),
    ItemUpdate("i0001", {"price": 2}),
    ItemUpdate("nowhere", {"price": 2}),
    ItemUpdate("i0004", {"price": "two", "weight": 3, "stock": 9}),
]


def test_everything_is_as_if_the_catalogue_had_said_so(bundle: Bundle, engine: Engine) -> None:
    """Filters that were compiled before are patched: the same answers as of a version made of the new table."""
    all_answers(engine)
    changed = engine.with_updates(UPDATES)
    assert all(map(changed.has_compiled, FILTERS)), "no question has to wait for a filter that was compiled"
    rows = bundle.items.table.to_pylist()
    rows[1] |= {"stock": 0, "price": 2.0}
    rows[2] |= {"stock": None, "title": "green", "tags": ["b", "c"]}
    rows[3] |= {"title": None, "day": pa.scalar("2026-11-28").cast(pa.date32()).as_py()}
    rows[4] |= {"stock": 9}
    table = pa.Table.from_pylist(rows, bundle.items.table.schema)
    fresh = Engine(replace(bundle, items=Items(bundle.items.ids, table)))
    assert all_answers(changed) == all_answers(fresh)
    for at in range(6):
        assert changed.item(f"i000{at}") == fresh.item(f"i000{at}")
    assert changed.rank(["i0002", "i0003"]) == fresh.rank(["i0002", "i0003"])


def test_the_engine_itself_stays_as_it_was(engine: Engine) -> None:
    before = all_answers(engine)
    engine.with_updates(UPDATES)
    assert all_answers(engine) == before


def test_updates_add_up(engine: Engine) -> None:
    one = engine.with_updates([ItemUpdate("i0005", {"price": 100.0})])
    both = one.with_updates([ItemUpdate("i0006", {"price": 100.0}), ItemUpdate("i0005", {"stock": 3})])
    assert set(ids(ask(both, "price = 100"))) == {"i0005", "i0006"}
    assert ids(ask(one, "price = 100")) == ["i0005"]
    assert both.item("i0005").attributes["price"] == 100.0


def test_vectors_are_gathered_anew_only_for_filters_that_say_something_else(large: Bundle) -> None:
    n, gathered = len(large.items.ids), list[int]()

    def gather(positions: Indices) -> Floats:
        gathered.append(len(positions))
        return np.asarray(large.model.embeddings.items[positions])

    items = Items(large.items.ids, pa.table({"price": np.arange(n, dtype=float), "stock": np.ones(n)}))
    masks, searches = FilterCache(items), SearchCache(large.index, gather, factors=16)
    for condition in ("price < 30", "stock = 1 and price < 20", "stock > 0.5 and price < 10", "price < 1000000"):
        searches.for_filter(condition, masks.mask(condition))
    at = np.array([15, 100], np.int32)
    newer, changed = masks.over(items.with_values({"stock": (at, pa.array([0.0, 0.0]))}), at, {"stock"})
    assert {name: int(mask.sum()) for name, mask in changed.items()} == {"stock = 1 and price < 20": 19}
    assert newer.mask("price < 30") is masks.mask("price < 30")
    gathered.clear()
    after = searches.over(newer, changed)
    assert (gathered, len(after)) == ([19], 4)
    assert after.for_filter("price < 30", newer.mask("price < 30")) is searches.for_filter(
        "price < 30", masks.mask("price < 30")
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"weight": 1}, "attributes: holds a name that is no attribute"),
        ({"price": "1"}, "attributes.price: expected a number"),
        ({"stock": 1.5}, "attributes.stock: expected a whole number"),
        ({"title": 3}, "title: expected a text"),
        ({"day": "today"}, "attributes.day: expected a day"),
        ({"tags": "a"}, "attributes.tags: expected a list"),
    ],
)
def test_what_does_not_fit_is_refused(engine: Engine, values: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidRequestError, match=message):
        engine.check_update(ItemUpdate("i0001", values))
    engine.check_update(ItemUpdate("i0001", dict.fromkeys(values, None) if "weight" not in values else {}))


def test_a_version_without_titles_takes_none(bundle: Bundle) -> None:
    plain = Engine(replace(bundle, items=Items(bundle.items.ids, bundle.items.table.drop_columns(["title"]))))
    with pytest.raises(InvalidRequestError, match="title: this version's items have no titles"):
        plain.check_update(ItemUpdate("i0001", {"title": "x"}))
    with pytest.raises(FilterError):
        ask(plain.with_updates([ItemUpdate("i0001", {"title": "x"})]), "title = 'x'")
