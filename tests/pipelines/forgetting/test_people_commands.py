"""`recsys forget` and `recsys subject` as they are typed."""

import json

import pytest

from pipelines.cli import main
from recsys.artifacts.lock import exclusive
from recsys.forgotten import read_forgotten
from tests.pipelines.forgetting.conftest import MARKED, OTHER, Shop


def typed(*words: object) -> int:
    """The exit code."""
    try:
        main([str(word) for word in words])
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([MARKED], "expected one of CONFIG"),
        ([MARKED, "a.toml", "b.toml"], "got 3 arguments, expected USER [CONFIG]"),
        ([MARKED, "--store", "nowhere", "--yes"], "no such folder"),
        (["--users", "nowhere.txt", "--store", "store"], "cannot be read"),
        (["--pending", "--users", "leavers.txt"], "does not go with --users"),
        (["x" * 257, "--store", "store", "--yes"], "USER"),
    ],
)
def test_what_is_typed_wrong_changes_nothing(
    shop: Shop, words: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(shop.folder)
    assert typed("forget", *words) == 2
    told = capsys.readouterr().err
    assert said in told and "x" * 257 not in told
    assert not read_forgotten(shop.folder / "store")


def test_a_file_of_ids_is_forgotten_and_told(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(shop.folder)
    (shop.folder / "leavers.txt").write_text(f"{MARKED}\n\n{OTHER}\n{MARKED}\n", encoding="utf-8")
    assert typed("forget", "--users", "leavers.txt", "--store", "store", "--dry-run", "--json") == 0
    foreseen = json.loads(capsys.readouterr().out)
    assert (foreseen["users"], foreseen["at"], len(foreseen["rewritten"])) == (2, None, 2)
    assert not read_forgotten(shop.folder / "store")
    assert typed("forget", "--users", "leavers.txt", "--store", "store", "--yes", "--json") == 0
    done = json.loads(capsys.readouterr().out)
    assert (done["users"], done["problems"], len(done["rewritten"])) == (2, [], 2)
    assert any("workspace" in place for place in done["elsewhere"])
    assert typed("subject", MARKED, "--store", "store", "--json") == 0
    assert json.loads(capsys.readouterr().out)["versions"] == []


def test_a_place_that_is_not_reached_is_an_exit_code_of_its_own(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(shop.folder)
    with exclusive(shop.folder / "work" / ".lock", doing="running in this workspace"):
        assert typed("forget", MARKED, "pipeline.toml", "--yes") == 7
    said = capsys.readouterr()
    assert "NOT YET" in said.err and MARKED not in said.err + said.out
    assert typed("forget", "--pending", "pipeline.toml") == 0
    assert typed("subject", MARKED, "pipeline.toml") == 0
    said = capsys.readouterr()
    assert "workspace: nothing" in said.out and "versions: none holds anything" in said.out
