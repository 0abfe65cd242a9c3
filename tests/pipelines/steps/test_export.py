"""`[export]`: lists to where they are used as the last step of a night."""

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pipelines.steps.run import run
from pipelines.steps.summaries import ExportSummary
from pipelines.steps.workspace import STEPS, steps_of
from recsys.artifacts.registry import Registry
from recsys.data.synthetic import SyntheticLog
from recsys.errors import ConfigError
from recsys.pipeline_config import PipelineConfig, load_config
from recsys.progress import silent

TWO = """
[[export]]
to = "lists.csv"
k = 3

[[export]]
to = "${LISTS}"
table = "recs"
k = 2
exclude_seen = false
"""


@pytest.fixture(scope="module")
def shop_of_all(written: tuple[Path, SyntheticLog], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop on which the whole job has run; the path of its configuration."""
    folder = shutil.copytree(written[0], tmp_path_factory.mktemp("export") / "shop")
    run(load_config(folder / "pipeline.toml"), progress=silent)
    return folder / "pipeline.toml"


@pytest.fixture
def published(shop_of_all: Path) -> Iterator[Path]:
    """That shop, which has never exported."""
    written = shop_of_all.read_text()
    yield shop_of_all
    shop_of_all.write_text(written)
    shutil.rmtree(shop_of_all.parent / "work" / "export", ignore_errors=True)


@pytest.fixture
def add(published: Path) -> Callable[[str], PipelineConfig]:
    """Add tables to the configuration of that shop, and read it."""
    written = published.read_text()

    def added(text: str) -> PipelineConfig:
        published.write_text(written + text)
        return load_config(published)

    return added


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of SQLite, which the environment names."""
    monkeypatch.setenv("LISTS", f"sqlite:///{tmp_path}/shop.db")
    return tmp_path / "shop.db"


def night(config: PipelineConfig) -> ExportSummary:
    """What export does as one step of several; `index`, which is quick, stands for those before."""
    return run(config, steps=("index", "export"), progress=silent).export


def lists_in(file: Path) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute("SELECT user_id, rank, model_version FROM recs").fetchall()


def test_the_step_comes_last_and_is_no_part_of_the_version(add: Callable[[str], PipelineConfig], file: Path) -> None:
    version = Registry(add("").publish.store).current()
    assert steps_of(add("")) == STEPS
    config = add(TWO)
    assert steps_of(config) == (*STEPS, "export")
    done = run(config, steps=("publish", "export"), progress=silent)
    assert done.publish.version == done.export.version == version
    assert done.publish.unchanged


def test_every_target_gets_its_lists(add: Callable[[str], PipelineConfig], file: Path) -> None:
    config = add(TWO)
    done = night(config)
    assert [each.rows for each in done.exports] == [291 * 3, 291 * 2]
    assert not done.problems
    rows = lists_in(file)
    assert len(rows) == 291 * 2
    assert {(rank, version) for _, rank, version in rows} == {(1, done.version), (2, done.version)}
    assert len((config.workspace.parent / "lists.csv").read_text().splitlines()) == 291 * 3 + 1


def test_the_same_version_is_exported_once_unless_it_is_asked_for(
    add: Callable[[str], PipelineConfig], file: Path
) -> None:
    config = add(TWO)
    night(config)
    file.unlink()
    assert [each.skipped for each in night(config).exports] == [True, True]
    assert not file.exists()
    again = run(config, steps=("export",), progress=silent).export
    assert [each.skipped for each in again.exports] == [False, False]
    assert len(lists_in(file)) == 291 * 2
    assert [each.skipped for each in night(add(TWO.replace("k = 3", "k = 4"))).exports] == [False, True]


def test_lists_that_end_by_themselves_are_written_every_night(
    add: Callable[[str], PipelineConfig], redis_url: str
) -> None:
    config = add(f'[[export]]\nto = "{redis_url}?ttl=2d"\n[[export]]\nto = "{redis_url}?prefix=last:"\n')
    assert [each.skipped for each in night(config).exports] == [False, False]
    assert [each.skipped for each in night(config).exports] == [False, True]


def test_a_failed_export_is_told_and_the_version_serves(
    recsys: Any,
    add: Callable[[str], PipelineConfig],
    postgres: str,
    monkeypatch: pytest.MonkeyPatch,
    published: Path,
) -> None:
    monkeypatch.setenv("LISTS", postgres)
    with psycopg.connect(postgres) as connection:
        connection.execute("CREATE TABLE recs (id int)")
    config = add(TWO)
    ended = recsys("run", published, "--from", "publish", "--json")
    assert ended.returncode == 4
    assert "${LISTS}, table recs: this table holds something else: its columns are id" in ended.stderr
    assert "--from export`" in ended.stderr
    version = Registry(config.publish.store).current()
    exports = json.loads(ended.stdout)["steps"]["export"]["exports"]
    assert [each["version"] for each in exports] == [version, None]
    assert "table holds something else" in exports[1]["problem"]
    assert f"{291 * 3} rows of {version} in " in (config.workspace / "report.md").read_text()
    with psycopg.connect(postgres) as connection:
        connection.execute("DROP TABLE recs")
    assert len(night(config).problems) == 0
    for name in ("report.md", "report.html"):
        page = (config.workspace / name).read_text()
        assert page.count("Lists exported") == 1
        assert "has the lists of" in page
        assert f"{291 * 2} rows of {version} in ${{LISTS}}, table recs" in page
    exports = json.loads((config.workspace / "report.json").read_text())["export"]
    assert [each["skipped"] for each in exports] == [True, False]


def test_a_version_without_the_signature_is_not_exported(
    add: Callable[[str], PipelineConfig], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = add(TWO)
    monkeypatch.setenv("RECSYS_SIGNING_KEY", "a key that is long enough for anybody")
    problems = night(config).problems
    assert len(problems) == 2
    assert all("sign" in problem for problem in problems)
    assert not file.exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[export]\nto = "postgresql://shop:secret@h/db/t"', "the password is written out"),
        ('[export]\nto = "lists.csv"\ntabel = "a"', "export.0.tabel: unknown key; did you mean 'table'"),
        ("[export]\nk = 3", "export.0.to: missing"),
        ('[export]\nto = ""', "expected a URL such as"),
        ('[[export]]\nto = "lists.csv"\nk = 0', "export.0.k: got 0"),
    ],
)
def test_a_wrong_table_is_refused(add: Callable[[str], PipelineConfig], text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as raised:
        add(text)
    assert ":secret@" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('to = "lists.xls"', r"got the ending '\.xls'"),
        ('to = "no/folder/lists.csv"', "does not exist"),
        ('to = "lists.csv"\ntable = "recs"', "a file has none"),
        ('to = "mysql://h/db/t"', "got mysql://, expected one of postgresql://"),
        ('to = "postgresql://h/db"', "names no table"),
        ('to = "${RECSYS_TEST_UNSET}"', "RECSYS_TEST_UNSET is not set"),
    ],
)
def test_a_target_that_cannot_work_ends_the_night_before_it_begins(
    add: Callable[[str], PipelineConfig], text: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=f"export.to: .*{message}"):
        run(add(f"[export]\n{text}\n"), progress=silent)


def test_without_the_section_there_is_no_step(recsys: Any, published: Path) -> None:
    ended = recsys("run", published, "--from", "export")
    assert ended.returncode == 2
    assert "the configuration has no [export] table" in ended.stderr
