"""A table of Spark's catalogue reads as a file of the same rows: accepted, refused, named and counted."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys.config import LogConfig
from recsys.data.ingest.accounting import Quarantine
from recsys.data.ingest.configured import log_input
from recsys.data.ingest.file_source import FileSource
from recsys.data.ingest.joined_source import JoinedSource
from recsys.data.ingest.log_account import LogAccount
from recsys.data.ingest.log_ends import LogEnds
from recsys.data.ingest.readers import read_log
from recsys.data.ingest.source import Columns
from recsys.errors import DataError
from recsys.forgotten import NOBODY
from recsys.progress import silent
from recsys.spark.accepted_rows import AcceptedRows, PieceReport
from recsys.spark.catalogue_table import CatalogueTable
from recsys.spark.log_reading import LogReading
from recsys.spark.reading import read_rows
from recsys.spark.table_reading import check_attempt, marked

NOW = 1_790_000_000
SETTINGS = {"user": "who is it", "item": "what", "timestamp": "at", "event": "kind", "value": "n"}
N = 120


def part(seed: int) -> pa.Table:
    """Rows of which some have no user, a value below zero, a time in the future or an unwanted kind."""
    at = range(seed, seed + N)
    return pa.table(
        {
            "unused": [None] * N,
            "who is it": [None if n % 29 == 3 else f"ü{n % 13}" for n in at],
            "what": [n % 7 for n in at],
            "at": [1_700_000_000_000 + n * 1000 if n % 31 else 1_900_000_000_000 for n in at],
            "kind": ["view" if n % 5 else "shown" for n in at],
            "n": [-1.0 if n % 17 == 1 else 2.0 for n in at],
        }
    )


def config(**source) -> LogConfig:
    return LogConfig(**source, **SETTINGS, ignore_events=["shown"], max_refused_share=0.5)


def table_of(spark, **source) -> CatalogueTable:
    return CatalogueTable(spark, log_input(config(source="spark", **source)))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("table")
    paths = [folder / "a.parquet", folder / "b.parquet"]
    for path, seed in zip(paths, (0, N), strict=True):
        pq.write_table(part(seed), path)
    return paths


@pytest.fixture(scope="module")
def view(spark, files):
    """A view of two partitions, in the order of the files."""
    frames = [spark.read.parquet(str(path)) for path in files]
    frames[0].unionAll(frames[1]).createOrReplaceTempView("shop_events")
    yield "shop_events"
    spark.catalog.dropTempView("`shop_events`")


def read(spark, source, log, folder):
    """All that reading leaves, and what is in the files of accepted rows."""
    rows, ends = AcceptedRows(folder / "rows", log.quarantine_rows), LogEnds()
    with Quarantine(folder / "refused.jsonl", limit=log.quarantine_rows) as refused:
        account = LogAccount(refused, ends)
        found = read_rows(spark, source, LogReading(log, rows, account, NOW, NOBODY, silent))
    parts = [pq.ParquetFile(path).read().to_pylist() for path in sorted(rows.table.glob("*.parquet"))]
    refused = [json.loads(line) for line in (folder / "refused.jsonl").read_text().splitlines()]
    return found, account.counts("the log", log), ends, refused, parts


def test_as_the_files_of_the_same_rows(spark, view, files, tmp_path):
    """With the events of a file joined after it, as those of an event store would be."""
    log = config(paths=files)
    table, after = table_of(spark, table=view), FileSource.of(config(paths=files[:1]))
    found, counts, ends, refused, parts = read(spark, JoinedSource((table, after)), log, tmp_path)
    expected, local = LogEnds(), JoinedSource((FileSource.of(log), after))
    events, local_counts = read_log(local, log, quarantine=tmp_path / "local.jsonl", now=NOW, ends=expected)
    assert counts == local_counts
    assert {"missing_user", "non_positive_value", "in_the_future"} == set(counts.refused)
    assert found.kinds == events.event_names
    assert [row["user"].decode() for part in parts for row in part] == events.users.decode(events.user_idx)
    assert [row["time"] for part in parts for row in part] == events.timestamp.tolist()
    assert [row["piece"] for part in parts for row in part] == [
        piece for piece, n in enumerate(found.accepted) for _ in range(n)
    ]
    told = [json.loads(line) for line in (tmp_path / "local.jsonl").read_text().splitlines()]
    assert [(each["reason"], each["row"]) for each in refused] == [(each["reason"], each["row"]) for each in told]
    assert (ends.oldest.time, ends.newest.time) == (expected.oldest.time, expected.newest.time)


def test_rows_are_numbered_over_all_partitions(spark, view, tmp_path):
    """So that a message names one row, whichever task read it; and the fingerprint is of the rows in any order."""
    table, log = table_of(spark, table=view), config(source="spark", table=view)
    _, _, ends, refused, _ = read(spark, table, log, tmp_path)
    users = [*part(0).column("who is it"), *part(N).column("who is it")]
    missing = [each["position"] for each in refused if each["reason"] == "missing_user"]
    assert missing == [at + 1 for at, user in enumerate(users) if not user.is_valid and (at % 5)]
    assert {each["source"] for each in refused} == {"shop_events of Spark"}
    assert ends.newest.place == f"shop_events of Spark:{2 * N - 1}", "the last one is refused"
    turned = "SELECT * FROM `shop_events` ORDER BY at DESC"
    assert table.fingerprint() == table_of(spark, query=turned).fingerprint(), "read by the driver, in another order"
    other = table_of(spark, query="SELECT * FROM `shop_events` WHERE at <> 1700000001000")
    assert other.fingerprint() != table.fingerprint()


TYPES = """
SELECT CAST(12 AS DECIMAL(20, 0)) AS `who is it`, CAST('x' AS BINARY) AS what, 'view' AS kind, 2.50BD AS n,
TIMESTAMP '2024-05-01 10:00:00' AS {} , TIMESTAMP_NTZ '2024-05-01 10:00:00' AS {}, DATE '2024-05-01' AS {}
"""


def test_types_are_read_as_from_a_database(spark):
    """A moment is that moment, a time without zone and a date are of log.timezone."""
    seconds = 1_714_557_600  # 10:00 UTC
    wanted = {0: seconds, 1: seconds - 7_200, 2: seconds - 12 * 3_600}
    for at, expected in wanted.items():
        query = TYPES.format(*("at" if at == n else f"other{n}" for n in range(3)))
        log = config(source="spark", query=query, timezone="Europe/Berlin")
        events, _ = read_log(CatalogueTable(spark, log_input(log)), log, now=NOW)
        assert (events.users.decode([0]), events.items.decode([0])) == (["12"], ["x"])
        assert (events.value.tolist(), events.timestamp.tolist()) == ([2.5], [expected])


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({"table": "shop_events_x"}, "did you mean 'shop_events'[?]; tables found: .*shop_events"),
        ({"table": "shop_event"}, r"log\.source: shop_event of Spark: .* did you mean 'shop_events'\?"),
        ({"table": "nowhere.events"}, r"`nowhere`\.`events` cannot be found$"),
        ({"query": "SELECT who FROM `shop_events`"}, r"name `who` cannot be resolved\. Did you mean one of .*`what`"),
        ({"query": "SELECT what FROM (SELECT 1)"}, "log.source: query .* cannot be resolved"),
        ({"query": "SELECT 1 FORM x"}, r"log\.source: query .* of Spark: Syntax error at or near 'x'"),
        ({"query": "SELECT 1 AS what, 2 AS what"}, r"no column 'who is it' \(log\.user\)"),
        ({"query": "SELECT *, at AS at FROM `shop_events`"}, r"more than one column 'at' \(log\.timestamp\)"),
        (
            {"query": "SELECT * EXCEPT (what), array(what) AS what FROM `shop_events`"},
            r"column 'what' holds lists .* expected one id per row \(log\.item\)",
        ),
        (
            {"query": "SELECT * EXCEPT (at), make_interval(at) AS at FROM `shop_events`"},
            r"column 'at' \(interval\) is of a type of Spark .* cast it in log\.query",
        ),
    ],
)
def test_what_is_wrong_is_named_in_one_line_before_a_row_is_read(spark, view, source, said, capfd):
    table = table_of(spark, **source)
    with pytest.raises(DataError, match=said) as raised:
        table.check(Columns.of(config(paths=["x"])))
    assert "\n" not in str(raised.value)
    told = capfd.readouterr()
    assert "Exception" not in told.err + told.out, "pyspark logs no stack"


def test_a_row_that_spark_cannot_compute_is_one_line_too(spark, view, tmp_path, capfd):
    query = "SELECT * EXCEPT (n), CAST(`who is it` AS INT) AS n FROM `shop_events`"
    with pytest.raises(Exception, match=r"while query .* was read") as raised:
        read(spark, table_of(spark, query=query), config(source="spark", query=query), tmp_path)
    assert "\n" not in str(raised.value)
    told = capfd.readouterr().err
    assert "at org.apache" not in told
    assert "'ü" not in told + str(raised.value), "the value is of a row"


def test_two_attempts_of_a_task_that_read_other_rows():
    """The rows and the report of one attempt, counted by Spark for another: nothing of it may be taken for whole."""
    report = PieceReport((), (), 1, hashes=(3, 17, 4))
    check_attempt("t of Spark", report, 0, marked((3, 17, 4)))
    for n_accepted, sums in ((1, (3, 17, 4)), (0, (3, 18, 4)), (0, (3, 2**64 - 1, 4))):
        with pytest.raises(DataError, match=r"t of Spark: a task that ran twice read other rows .* without rand\(\)"):
            check_attempt("t of Spark", report, n_accepted, marked(sums))


def test_a_saved_table(spark, tmp_path):
    """In the catalogue that a session without configuration has; found under its whole name too."""
    spark.createDataFrame(part(0)).write.option("path", str(tmp_path / "saved")).saveAsTable("recsys_saved")
    try:
        for name in ("recsys_saved", "spark_catalog.default.recsys_saved"):
            table = table_of(spark, table=name)
            table.check(Columns.of(config(paths=["x"])))
            assert table.estimate_rows() == N
    finally:
        spark.sql("DROP TABLE recsys_saved")
