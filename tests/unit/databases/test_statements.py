"""Tables and queries as something to select from."""

import pytest

from recsys.databases.statements import Rows, check_reads
from recsys.errors import ConfigError


@pytest.mark.parametrize(
    ("table", "sql"),
    [
        ("events", '"events"'),
        ("shop.Events", '"shop"."Events"'),
        ('"my.schema".t', '"my.schema"."t"'),
        ('"a""b"', '"a""b"'),
        ("project.set.day", '"project"."set"."day"'),
        ('e"; DROP TABLE x; --', None),
        ("a..b", None),
        ("a.", None),
        ("", None),
    ],
)
def test_tables_are_quoted_part_by_part(table: str, sql: str | None) -> None:
    if sql is not None:
        assert Rows(table=table).as_sql('"') == sql
        return
    with pytest.raises(ConfigError, match="expected the name of a table"):
        Rows(table=table).as_sql('"')


def test_a_query_may_end_as_people_end_it() -> None:
    assert Rows(query=" SELECT 1 ;\n; -- x").as_sql('"') == "(\nSELECT 1 ;\n; -- x\n) AS recsys_rows"
    assert Rows(query=" SELECT 1 ;\n").as_sql('"') == "(\nSELECT 1\n) AS recsys_rows"


@pytest.mark.parametrize("query", ["select 1", " -- why\nWITH a AS (SELECT 1) SELECT * FROM a", "/* x */ (SELECT 1)"])
def test_what_reads_passes(query: str) -> None:
    check_reads(query)


@pytest.mark.parametrize(
    ("query", "first"), [("DELETE FROM t", "DELETE"), ("-- x\n drop table t", "drop"), ("/* */", "nothing")]
)
def test_what_does_not_read_is_named(query: str, first: str) -> None:
    with pytest.raises(ConfigError, match=f"expected a SELECT; the query begins with '{first}'"):
        check_reads(query)


def test_messages_show_the_start_of_a_query() -> None:
    assert Rows(table="shop.events").name == "shop.events"
    assert Rows(query="SELECT a,\n  b FROM t").name == "query 'SELECT a, b FROM t'"
    assert Rows(query="SELECT " + "x" * 90).name.endswith("...'")
