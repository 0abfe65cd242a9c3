"""Logs of real shops, where they are at hand: counted by hand once, counted the same ever since."""

import json
from pathlib import Path

import pytest

from recsys.config import ItemsConfig, LogConfig, LogSchema
from recsys.data.ingest.catalogue import read_items
from recsys.data.ingest.file_source import FileSource
from recsys.data.ingest.readers import read_log

DATA = Path(__file__).parents[4] / "shared" / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"no real logs in {DATA}")

RETAIL = LogConfig(
    paths=(DATA / "online-retail-ii" / "transactions-*.csv.gz",),
    user="Customer ID",
    item="StockCode",
    timestamp="InvoiceDate",
    value="Quantity",
    max_refused_share=0.3,
)


def test_online_retail_refuses_missing_customers_and_returns_by_name(tmp_path: Path) -> None:
    events, counts = read_log(FileSource.of(RETAIL), RETAIL, quarantine=tmp_path / "q.jsonl")
    assert counts.to_dict() == {
        "rows_read": 525_461,
        "accepted": 407_695,
        "refused": {"missing_user": 107_927, "non_positive_value": 9_839},
        "merged": 0,
        "notes": {"user ids such as 7.0 read as 7": 417_534},
    }
    assert (len(events.users), len(events.items)) == (4_314, 4_017)
    assert events.users.position("13085") is not None
    kept = [json.loads(line) for line in (tmp_path / "q.jsonl").read_text().splitlines()]
    assert len(kept) == RETAIL.quarantine_rows
    assert kept[0]["position"] == 180
    assert kept[0]["row"]["value"] == "-12"


def test_online_retail_nets_returns_and_merges_double_lines() -> None:
    log = RETAIL.model_copy(update={"non_positive": "net"})
    events, counts = read_log(FileSource.of(log), log, deduplicate=True)
    assert counts.refused == {"missing_user": 107_927}
    assert counts.accepted + counts.merged == 417_534
    assert len(events.users) == 4_383


def test_goodbooks_and_its_catalogue() -> None:
    folder = DATA / "goodbooks-10k"
    log = LogConfig(paths=(folder / "ratings.csv.gz",), user="user_id", item="book_id", value="rating")
    events, counts = read_log(FileSource.of(log), log, deduplicate=True)
    assert (counts.rows_read, counts.n_refused) == (981_756, 0)
    assert (len(events.users), len(events.items)) == (53_424, 10_000)
    items = read_items(
        ItemsConfig(
            path=(folder / "books.csv.gz",), id="id", title="title", attributes=("original_publication_year", "isbn")
        )
    )
    assert len(items.aligned(events.items).ids) == 10_000
    place = items.ids.position("4")
    assert place is not None
    assert items.title(place) == "To Kill a Mockingbird"
    assert items.attributes(place) == {"original_publication_year": 1960, "isbn": "61120081"}


def test_gowalla() -> None:
    events, counts = read_log(FileSource((DATA / "gowalla" / "*.csv.gz",)), LogSchema())
    assert counts.accepted == 810_128 + 217_242
    assert (len(events.users), len(events.items)) == (29_858, 40_981)
