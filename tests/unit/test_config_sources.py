"""The keys that name a database instead of files."""

from pathlib import Path
from typing import Any

import pytest

from recsys.config.database import SPARK
from recsys.errors import ConfigError
from recsys.pipeline_config import PipelineConfig, parse_config

URL = "postgresql://shop:${PGPASSWORD}@db/shop"
SECRET = "hunter2"


def parsed(base: Path, **sections: Any) -> PipelineConfig:
    given = {"log": {"source": URL, "table": "events"}, "evaluate": {"split": "last_n"}}
    return parse_config({**given, **sections}, base=base)


def test_a_database_is_named_by_query_or_table(tmp_path: Path) -> None:
    config = parsed(tmp_path, items={"source": "${SHOP_URL}", "query": "SELECT 1 AS item"})
    assert (config.log.of_database, config.log.table, config.log.paths) == (True, "events", ())
    assert str(config.log.source) == URL
    assert config.items is not None
    assert config.items.query == "SELECT 1 AS item"
    assert parsed(tmp_path, log={"paths": ["a.csv"]}).log.of_database is False


def test_settings_of_files_are_as_they_were(tmp_path: Path) -> None:
    dumped = parsed(tmp_path, log={"paths": ["a.csv"]}, items={"path": "b.csv"}).model_dump(mode="json")
    keys = {"source", "query", "table", "connect_timeout", "statement_timeout"}
    assert not keys & {*dumped["log"], *dumped["items"]}
    assert not [key for key in dumped["evaluate"] if key.startswith("holdout_") and key != "holdout_paths"]


def test_a_relative_path_of_a_database_starts_at_the_configuration(tmp_path: Path) -> None:
    config = parsed(tmp_path, log={"source": "sqlite:///data/../shop.db", "table": "events"})
    assert config.log.source is not None
    assert config.log.source.written == f"sqlite:///{tmp_path}/shop.db"
    absolute = parsed(tmp_path, log={"source": "sqlite:////var/shop.db", "table": "events"})
    assert absolute.log.source is not None
    assert absolute.log.source.written == "sqlite:////var/shop.db"


def test_a_holdout_is_in_the_database_of_the_log_or_in_another(tmp_path: Path) -> None:
    given = {"split": "given", "holdout_table": "test"}
    rows = parsed(tmp_path, evaluate=given).evaluate.holdout_rows(parsed(tmp_path).log.source)
    assert (str(rows["source"]), rows["table"], rows["paths"]) == (URL, "test", ())
    other = parsed(tmp_path, evaluate={**given, "holdout_source": "${OTHER}"})
    assert str(other.evaluate.holdout_rows(other.log.source)["source"]) == "${OTHER}"
    assert not other.evaluate.without_holdout().has_given_holdout


def test_tables_of_spark_are_a_source(tmp_path: Path) -> None:
    table = {"source": "spark", "table": "main.shop.events"}
    config = parsed(
        tmp_path,
        log=table,
        items={**table, "table": "items"},
        evaluate={"split": "given", "holdout_query": "SELECT * FROM late"},
        compute={"engine": "spark"},
    )
    assert config.items is not None
    assert (config.log.of_spark, config.items.of_spark, config.log.of_database) == (True, True, True)
    assert config.evaluate.holdout_rows(config.log.source)["source"] == SPARK
    assert config.model_dump(mode="json")["log"]["source"] == "spark"
    assert parsed(tmp_path).log.of_spark is False


WRONG = {
    "neither": ({"log": {}}, "log.paths: missing; expected files, or a database: source, with query or table"),
    "both": (
        {"log": {"source": URL, "table": "t", "paths": "a.csv"}},
        "either files or a database (source), not both",
    ),
    "no rows": ({"log": {"source": URL}}, "log: source: expected either `query` or `table`; none is given"),
    "two": ({"log": {"source": URL, "table": "t", "query": "SELECT 1"}}, "both are given"),
    "no source": ({"log": {"paths": "a.csv", "table": "t"}}, "table: needs `source`"),
    "a typo": ({"log": {"source": "postgresq://db/x", "table": "t"}}, "did you mean postgresql://?"),
    "no select": (
        {"log": {"source": URL, "query": "DROP TABLE x"}},
        "expected a SELECT; the query begins with 'DROP'",
    ),
    "two slashes": ({"log": {"source": "sqlite://a.db", "table": "t"}}, "expected three slashes"),
    "holdout of files": (
        {"log": {"paths": "a.csv"}, "evaluate": {"split": "given", "holdout_table": "t"}},
        "evaluate.holdout_source: missing",
    ),
    "two holdouts": (
        {"evaluate": {"split": "given", "holdout_table": "t", "holdout_paths": "a.csv"}},
        "holdout_paths and holdout_table: expected one of them",
    ),
    "tables of Spark here": (
        {"log": {"source": "spark", "table": "shop.events"}},
        'log.source = "spark": tables of Spark\'s catalogue are read with compute.engine = "spark", got "local"; '
        "add `--set compute.engine=spark`, or write the table as Parquet and name its folder instead",
    ),
    "items of Spark here": (
        {"items": {"source": "spark", "table": "shop.items"}},
        'items.source = "spark": tables of Spark',
    ),
    "no rows of Spark": ({"log": {"source": "spark"}}, "log: source: expected either `query` or `table`"),
    "a master of Spark": (
        {"log": {"source": "spark://host:7077", "table": "t"}},
        'tables of Spark\'s catalogue: source = "spark"',
    ),
    "a connection to Spark": (
        {"log": {"source": "spark", "table": "t", "statement_timeout": "1h"}},
        'statement_timeout: is of a database; source = "spark" has no connection of its own',
    ),
    "increments of Spark": (
        {"log": {"source": "spark", "table": "t", "timestamp": "at", "incremental": True}},
        "incremental is of a database (source); a table of Spark is read as a whole",
    ),
    "only its source": (
        {"evaluate": {"split": "given", "holdout_paths": "a.csv", "holdout_source": URL}},
        "holdout_source needs holdout_table or holdout_query",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named(name: str, tmp_path: Path) -> None:
    sections, message = WRONG[name]
    with pytest.raises(ConfigError) as error:
        parsed(tmp_path, **sections)
    assert message in str(error.value)


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://shop:{SECRET}@db/shop",
        f"postgresql:/shop:{SECRET}@db/shop",
        f"postgres//shop:{SECRET}@db/shop",
        f"postgresql://db/shop?password={SECRET}",
        f"shop:{SECRET}@db",
    ],
)
@pytest.mark.parametrize("key", ["source", "sorce", "paths", "timestamp_unit", "table"])
def test_a_secret_that_is_written_out_is_never_shown(url: str, key: str, tmp_path: Path) -> None:
    log: dict[str, Any] = {"source": URL, "table": "t", key: [url] if key == "paths" else url}
    if key == "table":
        log["paths"] = [url]
    with pytest.raises(ConfigError) as error:
        parsed(tmp_path, log=log)
    assert SECRET not in str(error.value)
    assert error.value.__cause__ is None
