"""The real command line: what it prints, where, and with which exit code."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import typer

from pipelines import cli
from pipelines.steps.workspace import ENCODE, STEPS
from recsys.artifacts.registry import Registry
from recsys.data.synthetic import SyntheticLog
from recsys.engine import Engine, Event, Question
from recsys.pipeline_config import PipelineConfig

Finished = tuple[PipelineConfig, SyntheticLog, dict[str, Any]]


@pytest.fixture(scope="module")
def store(finished: Finished) -> Path:
    return finished[0].publish.store


@pytest.fixture(scope="module")
def engine(store: Path) -> Engine:
    return Engine(Registry(store).load())


class TestQuestions:
    def test_recommend_as_json_is_what_the_engine_answers(self, recsys: Any, store: Path, engine: Engine) -> None:
        user = engine.user_ids.id_at(3)
        result = recsys("recommend", "--store", store, "--user", user, "-k", 4, "--json")
        reply = json.loads(result.stdout)
        assert reply["user"] == {"id": user, "status": "known"}
        assert [item["item_id"] for item in reply["items"]] == [
            item.item_id for item in engine.recommend(user, k=4).items
        ]
        assert (reply["requested"], reply["returned"]) == (4, 4)

    def test_recommend_shows_history_and_titles(self, recsys: Any, store: Path, engine: Engine) -> None:
        user = engine.user_ids.id_at(3)
        shown = recsys("recommend", "--store", store, "--user", user).stdout
        assert engine.history(user, limit=1)[0].title in shown
        assert engine.recommend(user, k=1).items[0].title in shown

    def test_an_unknown_user_gets_the_labelled_fallback(self, recsys: Any, store: Path) -> None:
        reply = json.loads(recsys("recommend", "--store", store, "--user", "nobody", "--json").stdout)
        assert reply["user"]["status"] == "fallback"
        assert reply["warnings"]

    def test_an_unknown_user_gets_a_table_too(self, recsys: Any, store: Path) -> None:
        result = recsys("recommend", "--store", store, "--user", "nobody")
        assert result.returncode == 0
        assert "(fallback)" in result.stdout

    def test_similar_never_holds_the_item_itself(self, recsys: Any, store: Path, engine: Engine) -> None:
        item = engine.item_ids.id_at(0)
        reply = json.loads(recsys("similar", "--store", store, "--item", item, "--json").stdout)
        assert len(reply["items"]) == 10
        assert reply["item"] == {"id": item}
        assert item not in [other["item_id"] for other in reply["items"]]

    @pytest.mark.parametrize("option", ["--item", "--user"])
    def test_an_unknown_id_is_an_error_that_names_it(self, recsys: Any, store: Path, option: str) -> None:
        result = recsys("similar", "--store", store, option, "nope")
        assert (result.returncode, result.stdout) == (2, "")
        assert "'nope'" in result.stderr


class TestConditions:
    def test_every_option_reaches_the_engine(self, recsys: Any, store: Path, engine: Engine, tmp_path: Path) -> None:
        ids = engine.item_ids.decode(range(9))
        events = tmp_path / "events.jsonl"
        events.write_text(f'{{"item_id": "{ids[0]}", "event": "purchase", "value": 2}}\n{{"item_id": "new"}}\n')
        options = f"--events {events} --did {ids[1]} -k 3 --include-seen --filter price>1 --exclude {ids[2]} "
        options += f"--boost {ids[3]}=2.5 --boost {ids[4]}=.5 --diversity 0.2 --explain"
        options += "".join(f" --include {item_id}" for item_id in ids)
        user = engine.user_ids.id_at(3)
        reply = json.loads(recsys("recommend", "--store", store, "--user", user, *options.split(), "--json").stdout)
        question = Question(
            user_id=user,
            events=(Event(ids[0], "purchase", 2), Event("new"), Event(ids[1])),
            k=3,
            exclude_seen=False,
            filter="price>1",
            include=tuple(ids),
            exclude=(ids[2],),
            boosts={ids[3]: 2.5, ids[4]: 0.5},
            diversity=0.2,
            explain=True,
        )
        answer = engine.ask(question)
        assert reply["user"] == {"id": user, "status": "folded_in"}
        assert reply["unknown_items"] == ["new"]
        assert [item["item_id"] for item in reply["items"]] == [item.item_id for item in answer.items]
        for item, expected in zip(reply["items"], answer.items, strict=True):
            reasons = [reason["item_id"] for reason in item["reasons"]]
            assert reasons == [reason.item_id for reason in expected.reasons or ()]
            assert item["rest"] == pytest.approx(expected.rest, abs=1e-6)

    def test_a_visitor_is_told_why(self, recsys: Any, store: Path, engine: Engine) -> None:
        item_id = engine.item_ids.id_at(0)
        shown = recsys("recommend", "--store", store, "--did", item_id, "--explain").stdout
        assert "Recommendations for a visitor (folded_in)" in shown
        assert f"{engine.item(item_id).title} " in shown.split("because of")[1]

    def test_what_is_wrong_is_said(self, recsys: Any, store: Path, tmp_path: Path) -> None:
        events = tmp_path / "events.jsonl"
        events.write_text('{"item_id": [5]}\n')
        for options, message in (
            ([], "recommend: expected --user, --did or --events"),
            (["--user", "u", "--filter", "prize > 3"], "did you mean"),
            (["--user", "u", "--boost", "a:2"], "--boost a:2: expected ITEM=FACTOR"),
            (["--events", events], "events.jsonl, line 1: expected a JSON object"),
            (["--user", "nobody", "--strict"], "no such user"),
        ):
            result = recsys("recommend", "--store", store, *options)
            assert (result.returncode, result.stdout) == (2, "")
            assert message in result.stderr

    def test_like_these_and_unlike_those(self, recsys: Any, store: Path, engine: Engine) -> None:
        like, unlike = engine.item_ids.decode(range(2)), engine.item_ids.id_at(5)
        options = ["--item", like[0], "--item", like[1], "--unlike", unlike]
        reply = json.loads(recsys("similar", "--store", store, *options, "--json").stdout)
        expected = engine.similar_to(like, [unlike])
        assert [item["item_id"] for item in reply["items"]] == [item.item_id for item in expected.items]
        assert (reply["positive"], reply["negative"]) == (like, [unlike])
        shown = recsys("similar", "--store", store, *options).stdout
        assert f"but not to {engine.item(unlike).title}" in shown

    def test_neighbours_through_a_filter(self, recsys: Any, store: Path, engine: Engine) -> None:
        item_id, condition = engine.item_ids.id_at(0), "price < 10"
        reply = json.loads(
            recsys("similar", "--store", store, "--item", item_id, "--filter", condition, "--json").stdout
        )
        expected = engine.similar(item_id, filter=condition)
        assert [item["item_id"] for item in reply["items"]] == [item.item_id for item in expected.items]
        assert expected.items != engine.similar(item_id).items

    @pytest.mark.parametrize("command", ["recommend --user x", "similar --item x", "export --out x.csv"])
    def test_a_filter_that_is_wrong_is_marked(
        self, recsys: Any, store: Path, engine: Engine, tmp_path: Path, command: str
    ) -> None:
        name, option, value = command.replace("--item x", f"--item {engine.item_ids.id_at(0)}").split()
        result = recsys(name, "--store", store, option, value, "--filter", "price < 'x'", cwd=tmp_path)
        assert (result.returncode, result.stdout) == (2, "")
        assert "--filter, character 9: expected a number" in result.stderr
        assert result.stderr.endswith("\n  price < 'x'\n          ^\n")

    def test_users_are_not_filtered(self, recsys: Any, store: Path) -> None:
        result = recsys("similar", "--store", store, "--user", "x", "--filter", "price < 3")
        assert (result.returncode, result.stdout) == (2, "")
        assert "--filter and --by are about items" in result.stderr

    def test_users_alike(self, recsys: Any, store: Path, engine: Engine) -> None:
        user = engine.user_ids.id_at(3)
        reply = json.loads(recsys("similar", "--store", store, "--user", user, "-k", 2, "--json").stdout)
        assert reply["user"] == {"id": user}
        assert [it["user_id"] for it in reply["users"]] == [
            it.user_id for it in engine.similar_users(user, k=2).users
        ]
        assert (
            engine.similar_users(user, k=1).users[0].user_id
            in recsys("similar", "--store", store, "--user", user).stdout
        )
        result = recsys("similar", "--store", store)
        assert (result.returncode, "expected either --item or --user" in result.stderr) == (2, True)


class TestVersions:
    def test_models_lists_the_serving_version(self, recsys: Any, store: Path, engine: Engine) -> None:
        shown = recsys("models", "--store", store).stdout
        listed = json.loads(recsys("models", "--store", store, "--json").stdout)
        assert engine.version in shown
        for metric in ("ndcg@20", "coverage@20"):
            assert f"{metric} {listed[0]['metrics'][metric]:.4f}" in shown
        assert [manifest["version"] for manifest in listed] == [engine.version]
        assert listed[0]["verdict"] == "accepted"
        assert listed[0]["serving"] is True

    def test_under_a_bad_pointer_models_lists_all_the_same_and_says_how_to_go_on(
        self, recsys: Any, store: Path, engine: Engine, tmp_path: Path
    ) -> None:
        shutil.copytree(store, copied := tmp_path / "[store]")
        (copied / "CURRENT").write_text("rubbish\n")
        result = recsys("models", "--store", copied)
        assert (result.returncode, engine.version in result.stdout, "*" in result.stdout) == (2, True, False)
        assert f"{copied}/CURRENT: 'rubbish\\n', expected one line" in result.stderr
        assert f"`recsys rollback --store '{copied}' VERSION`" in result.stderr
        as_json = recsys("models", "--store", copied, "--json")
        assert (as_json.returncode, as_json.stderr) == (2, result.stderr)
        assert [(it["version"], it["serving"]) for it in json.loads(as_json.stdout)] == [(engine.version, False)]
        assert recsys("rollback", "--store", copied, engine.version).returncode == 0
        assert recsys("models", "--store", copied).returncode == 0

    def test_a_damaged_version_is_marked_beside_the_others(
        self, recsys: Any, store: Path, engine: Engine, tmp_path: Path
    ) -> None:
        shutil.copytree(store, copied := tmp_path / "store")
        (copied / "versions" / f"v{'0' * 16}").mkdir()
        result = recsys("models", "--store", copied)
        assert (result.returncode, result.stderr) == (0, "")
        assert [line.split()[:2] for line in result.stdout.splitlines()[2:]] == [
            ["*", engine.version],
            [f"v{'0' * 16}", "damaged:"],
        ]
        assert "damaged: manifest.json: cannot be read: No such file or directory" in result.stdout

    def test_rollback_goes_back_and_says_so(self, recsys: Any, published: Path, engine: Engine) -> None:
        ran = recsys("run", published, "--json", "--set", "model.seed=2", "--set", "publish.max_metric_drop=1.0")
        assert ran.returncode == 0, ran.stderr
        store, first = published.parent / "store", engine.version
        assert first != json.loads(ran.stdout)["steps"]["publish"]["version"] == Registry(store).current()
        assert first in recsys("rollback", "--store", store).stdout
        assert Registry(store).current() == first

    def test_a_held_version_serves_until_it_is_released(self, recsys: Any, published: Path, engine: Engine) -> None:
        store, first = published.parent / "store", engine.version
        held = recsys("rollback", "--store", store, first, "--hold", "--reason", "Christmas")
        assert held.returncode == 0, held.stderr
        assert f"{first} serves from {store} and is held" in held.stdout
        another = (
            "run",
            published,
            "--from",
            "train",
            "--set",
            "model.seed=2",
            "--set",
            "publish.max_metric_drop=1.0",
        )
        ran = recsys("run", published, "--set", "model.seed=2", "--set", "publish.max_metric_drop=1.0")
        assert ran.returncode == 0, ran.stderr
        assert f"⚠ {first} is held and serves on" in ran.stdout
        assert Registry(store).current() == first
        shown = recsys("models", "--store", store).stdout
        assert f"{first} is held since 20" in shown
        assert "(Christmas)" in shown
        assert [it["held"] for it in json.loads(recsys("models", "--store", store, "--json").stdout)] == [True, False]
        assert recsys("rollback", "--store", store, "--release").returncode == 0
        ran = recsys(*another, "--json")
        assert Registry(store).current() == json.loads(ran.stdout)["steps"]["publish"]["version"] != first

    def test_old_versions_are_pruned_by_hand_or_after_each_publish(self, recsys: Any, published: Path) -> None:
        store = published.parent / "store"
        for seed, keep in (("2", ()), ("3", ()), ("4", ("--set", "publish.keep=2"))):
            loose = ("--set", f"model.seed={seed}", "--set", "publish.max_metric_drop=1.0")
            ran = recsys(
                "run", published, "--from", "prepare" if seed == "2" else "evaluate", *loose, *keep, "--json"
            )
            assert ran.returncode == 0, ran.stderr
        assert len(json.loads(ran.stdout)["steps"]["publish"]["pruned"]) == 2
        assert len(Registry(store).names()) == 2
        planned = recsys("prune", "--store", store, "--keep", "1", "--dry-run")
        assert "2 versions stay, 0 would be removed" in planned.stdout
        found = json.loads(recsys("prune", "--store", store, "--keep", "1", "--json").stdout)
        assert (len(found["kept"]), len(found["protected"]), found["removed"]) == (1, 1, [])

    @pytest.mark.parametrize("options", [["--release", "--hold"], ["--release", "v0"], ["--reason", "x"]])
    def test_options_of_a_hold_that_contradict_each_other_are_2(self, recsys: Any, store: Path, options: Any) -> None:
        assert recsys("rollback", "--store", store, *options).returncode == 2

    def test_a_version_that_is_not_there_is_named(self, recsys: Any, store: Path) -> None:
        result = recsys("rollback", "--store", store, "v0123456789abcdef")
        assert (result.returncode, result.stdout) == (2, "")
        assert "no version 'v0123456789abcdef'; `recsys models --store " in result.stderr

    def test_there_is_nothing_before_the_first(self, recsys: Any, store: Path) -> None:
        result = recsys("rollback", "--store", store)
        assert result.returncode == 2
        assert "no version served before" in result.stderr


class TestExitCodes:
    def test_a_gate_that_refuses_is_3(self, recsys: Any, shop: Path) -> None:
        result = recsys("run", shop, "--set", "model.regularization=1e6", "--set", "model.neighbours=0", "--json")
        assert result.returncode == 3
        assert "not published" in result.stderr
        assert json.loads(result.stdout)["verdict"] == "refused"

    def test_a_store_that_is_no_folder_is_2_before_any_work(self, recsys: Any, shop: Path) -> None:
        (shop.parent / "store").write_text("")
        result = recsys("run", shop)
        assert (result.returncode, result.stdout) == (2, "")
        assert "publish.store" in result.stderr
        assert not (shop.parent / "work" / "prepare").exists()

    def test_a_missing_store_is_2(self, recsys: Any, tmp_path: Path) -> None:
        result = recsys("models", "--store", tmp_path / "nowhere")
        assert result.returncode == 2
        assert "no such folder" in result.stderr

    def test_an_unknown_key_is_2_and_the_nearest_one_is_suggested(self, recsys: Any, shop: Path) -> None:
        shop.write_text(shop.read_text().replace("factors =", "factor ="))
        result = recsys("run", shop)
        assert result.returncode == 2
        assert "model.factor: unknown key; did you mean 'factors'?" in result.stderr
        assert str(shop) in result.stderr

    def test_too_many_refused_rows_is_2_and_names_them(self, recsys: Any, shop: Path) -> None:
        result = recsys("run", shop, "--set", "log.max_refused_share=0.001")
        assert result.returncode == 2
        assert "missing_user" in result.stderr
        assert "max_refused_share" in result.stderr

    def test_an_unknown_step_is_2(self, recsys: Any, shop: Path) -> None:
        assert recsys("run", shop, "--from", "cook").returncode == 2

    def test_a_malformed_override_is_2(self, recsys: Any, shop: Path) -> None:
        result = recsys("prepare", shop, "--set", "factors")
        assert result.returncode == 2
        assert "expected section.key=value" in result.stderr

    def test_an_empty_store_is_2(self, recsys: Any, tmp_path: Path) -> None:
        result = recsys("recommend", "--store", tmp_path, "--user", "ada")
        assert result.returncode == 2
        assert "nothing has been published yet" in result.stderr


COMMANDS = sorted(typer.main.get_command(cli.app).commands)
IN_PROCESS = [command for command in COMMANDS if command != "serve"]  # which ends this process


class TestHelp:
    @pytest.mark.parametrize("command", IN_PROCESS)
    def test_every_command_explains_itself_with_an_example(self, recsys: Any, command: str) -> None:
        assert f" {command} " in recsys("--help").stdout
        shown = recsys(command, "--help").stdout
        assert "Example" in shown
        assert f"recsys {command}" in shown.partition("Example")[2]

    def test_all_of_them_are_there(self) -> None:
        others = ["demo", "doctor", "export", "fetch", "models", "prune", "recommend", "report", "rollback"]
        others += [
            "events",
            "experiment",
            "forget",
            "keys",
            "online",
            "scenarios",
            "subject",
            "run",
            "search",
            "serve",
            "sign",
            "similar",
            "space",
        ]
        assert sorted([*STEPS, ENCODE, *others, "tune"]) == COMMANDS

    def test_serve_shows_the_options_of_the_service(self, recsys: Any, recsys_process: Any) -> None:
        assert "serve" in recsys("--help").stdout
        shown = recsys_process("serve", "--help")
        assert shown.returncode == 0
        assert "usage: recsys serve" in shown.stdout
        assert "Example: recsys serve --store " in shown.stdout
        assert "--poll-seconds" in shown.stdout

    def test_doctor_finds_every_part_working(self, recsys: Any) -> None:
        result = recsys("doctor", "--json")
        assert result.returncode == 0
        assert {finding["name"]: finding["fine"] for finding in json.loads(result.stdout)} == dict.fromkeys(
            ("python", "libraries", "cores", "training", "search"), True
        )
