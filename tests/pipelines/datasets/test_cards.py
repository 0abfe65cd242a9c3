import re
import shutil
from pathlib import Path

import pytest

from pipelines.datasets import cards
from pipelines.datasets.cards import Card, datasets_folder, find_card, list_cards
from recsys.errors import ConfigError
from recsys.pipeline_config import load_config

NAMES = (
    "demo",
    "goodbooks-10k",
    "gowalla",
    "lastfm-360k",
    "movielens-100k",
    "movielens-1m",
    "movielens-20m",
    "movielens-32m",
    "online-retail-ii",
)


def test_every_promised_data_set_has_a_card() -> None:
    assert tuple(card.name for card in list_cards()) == NAMES


@pytest.mark.parametrize("name", NAMES)
class TestEachCard:
    def test_its_pipeline_reads_its_files_by_their_columns(
        self, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("RECSYS_DATA_DIR", str(tmp_path))
        card = find_card(name)
        config = load_config(card.folder / "pipeline.toml")
        columns = {str(tmp_path / name / file.name): set(file.columns) for file in card.files}
        log = config.log
        for path in (*log.paths, *config.evaluate.holdout_paths):
            wanted = {column for column in (log.user, log.item, log.timestamp, log.event, log.value) if column}
            found = [names for file, names in columns.items() if file == str(path) or Path(file).match(str(path))]
            assert found and all(wanted <= names for names in found)
        if config.items is not None:
            wanted = {config.items.id, config.items.title, *config.items.attributes}
            assert wanted <= columns[str(config.items.path[0])]

    def test_its_results_go_into_the_ignored_folder(self, name: str) -> None:
        config = load_config(find_card(name).folder / "pipeline.toml")
        root = datasets_folder().parent
        assert config.workspace == root / "runs" / name
        assert config.publish.store == root / "runs" / name / "store"
        assert "/runs/" in (root / ".gitignore").read_text().splitlines()

    def test_it_says_what_how_and_under_which_licence(self, name: str) -> None:
        card = find_card(name)
        assert min(len(card.title), len(card.what), len(card.licence)) > 3
        assert bool(card.downloads) != bool(card.recipe)
        assert all(file.what and file.columns for file in card.files)
        if card.downloads:
            assert card.homepage and card.citation

    def test_it_is_in_the_table(self, name: str) -> None:
        assert f"| [{name}]({name}/card.toml) |" in (datasets_folder() / "README.md").read_text()

    def test_its_downloads_are_checked_by_checksum_or_by_rows(self, name: str) -> None:
        for download in find_card(name).downloads:
            assert download.sha256 or download.md5 or all(file.rows for file in download.files)
            assert re.fullmatch(r"[\w.+-]+", download.file_name)


@pytest.mark.parametrize("name", ["online-retail-ii", "goodbooks-10k", "gowalla"])
def test_the_shared_copies_are_what_the_cards_expect(name: str) -> None:
    folder = datasets_folder().parents[1] / "shared" / "data" / name
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent")
    assert find_card(name).missing(folder) == []


class TestLookUp:
    def test_an_unknown_name_is_an_error_with_a_suggestion(self) -> None:
        with pytest.raises(ConfigError, match=r"'movielens-1k'; did you mean 'movielens-1\w+'\? known: demo, "):
            find_card("movielens-1k")

    @pytest.mark.parametrize("name", ["../demo", "demo/../demo", "", "README.md"])
    def test_a_name_is_never_a_path(self, name: str) -> None:
        with pytest.raises(ConfigError, match="no data set is called"):
            find_card(name)

    def test_beside_the_packages_first_then_where_a_wheel_puts_them(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        cards_of_checkout = datasets_folder()
        installed = tmp_path / "share/recsys/datasets"
        shutil.copytree(cards_of_checkout, installed)
        monkeypatch.setattr(cards.sysconfig, "get_path", lambda _: str(tmp_path))
        assert datasets_folder() == cards_of_checkout
        monkeypatch.setattr(cards, "__file__", str(tmp_path / "site-packages/pipelines/cards.py"))
        (tmp_path / "site-packages/datasets").mkdir(parents=True)
        assert datasets_folder() == installed
        shutil.rmtree(installed)
        with pytest.raises(ConfigError, match="no data set cards found; looked in"):
            datasets_folder()


class TestDamagedCard:
    @pytest.fixture
    def card_path(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        shutil.copytree(datasets_folder(), tmp_path / "datasets")
        monkeypatch.setattr(cards, "__file__", str(tmp_path / "pipelines/datasets/cards.py"))
        return tmp_path / "datasets/demo/card.toml"

    @pytest.mark.parametrize(
        ("text", "wanted"),
        [
            ("title =", "cannot be read"),
            ('title = "t"\nwhat = "w"\nlicense = "l"', "licence: Field required.*license: Extra inputs"),
            (
                'title = "t"\nwhat = "w"\nlicence = "l"\n[[downloads]]\nurl = "file:///etc/passwd"',
                "url: String should",
            ),
        ],
    )
    def test_the_message_names_the_file_and_the_key(self, card_path: Path, text: str, wanted: str) -> None:
        card_path.write_text(text)
        with pytest.raises(ConfigError, match=rf"{re.escape(str(card_path))}: .*{wanted}"):
            find_card("demo")


def test_a_glob_is_missing_until_a_file_matches(tmp_path: Path) -> None:
    demo: Card = find_card("demo")
    (tmp_path / "items.csv").touch()
    assert demo.missing(tmp_path) == ["events/*.csv.gz"]
    (tmp_path / "events").mkdir()
    (tmp_path / "events/2026-01.csv.gz").touch()
    assert demo.missing(tmp_path) == []
