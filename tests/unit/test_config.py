"""pipeline.toml: what it may say, and what is said where it may not."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from recsys.config import (
    DATA_DIR_VARIABLE,
    EvaluateConfig,
    ItemsConfig,
    LogConfig,
    LogFiles,
    LogSchema,
    Section,
    duration_text,
)
from recsys.errors import ConfigError
from recsys.models.registry import publishable
from recsys.pipeline_config import PipelineConfig, load_config, parse_config

FULL = """
workspace = "work"
[log]
paths = ["events/*.csv.gz", "/abs/more.csv"]
user = "Customer ID"
timestamp = "InvoiceDate"
event = "event_type"
[log.event_weights]
view = 1.0
purchase = 5
[items]
path = "items.csv"
attributes = ["category", "price"]
[prepare]
half_life_days = 90
[evaluate]
holdout = "28d"
cutoffs = [10, 20]
[model]
factors = 64
[publish]
store = "versions"
"""


@pytest.fixture
def write(tmp_path):
    def written(text):
        path = tmp_path / "pipeline.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return written


def complaint(tree, tmp_path):
    with pytest.raises(ConfigError) as caught:
        parse_config(tree, base=tmp_path)
    return str(caught.value)


def tree(**sections):
    return {"log": {"paths": ["log.csv"], "timestamp": "time"}, **sections}


def test_a_whole_file(write, tmp_path):
    config = load_config(write(FULL))
    assert config.log.user == "Customer ID"
    assert config.log.event_weights == {"view": 1.0, "purchase": 5.0}
    assert config.items.attributes == ("category", "price")
    assert config.prepare.half_life_days == 90
    assert config.evaluate.holdout == 28 * 86_400
    assert config.evaluate.cutoffs == (10, 20)
    assert config.model.factors == 64


def test_no_decay_is_a_value_that_can_be_set(tmp_path):
    config = parse_config(tree(prepare={"half_life_days": "none"}), base=tmp_path)
    assert config.prepare.half_life_days is None
    assert "half_life_days" in config.prepare.model_fields_set


def test_relative_paths_start_at_the_file(write, tmp_path):
    config = load_config(write(FULL))
    assert [str(path) for path in config.log.paths] == [str(tmp_path / "events/*.csv.gz"), "/abs/more.csv"]
    assert config.items.path == (tmp_path / "items.csv",)
    several = ItemsConfig.model_validate({"path": ["a.csv", "parts"]}, context={"base": tmp_path})
    assert several.path == (tmp_path / "a.csv", tmp_path / "parts")
    assert LogConfig(paths="events").paths == (Path.cwd() / "events",)
    assert config.publish.store == tmp_path / "versions"
    assert config.workspace == tmp_path / "work"


def test_default_paths_start_at_the_file_too(write, tmp_path):
    config = load_config(write('[log]\npaths = ["log.csv"]\ntimestamp = "time"\n'))
    assert config.workspace == tmp_path / "workspace"
    assert config.publish.store == tmp_path / "store"


@pytest.mark.parametrize("form", ["$RECSYS_DATA_DIR/x.csv", "${RECSYS_DATA_DIR}/x.csv"])
def test_the_data_folder_in_a_path(tmp_path, monkeypatch, form):
    monkeypatch.setenv(DATA_DIR_VARIABLE, str(tmp_path / "sets"))
    config = parse_config({"log": {"paths": [form], "timestamp": "time"}}, base=tmp_path)
    assert config.log.paths == (tmp_path / "sets/x.csv",)
    monkeypatch.delenv(DATA_DIR_VARIABLE)
    monkeypatch.chdir(tmp_path)
    config = parse_config({"log": {"paths": [form], "timestamp": "time"}}, base=tmp_path / "elsewhere")
    assert config.log.paths == (tmp_path / "data/x.csv",)


def test_configuration_is_frozen(tmp_path):
    config = parse_config(tree(), base=tmp_path)
    with pytest.raises(ValidationError, match="frozen"):
        config.model.factors = 3


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"modle": {}}, "config: modle: unknown key; did you mean 'model'?"),
        ({"model": {"factor": 3}}, "config: model.factor: unknown key; did you mean 'factors'?"),
        ({"items": {"path": "x.csv", "titel": "t"}}, "config: items.titel: unknown key; did you mean 'title'?"),
        (
            {"index": {"zzz": 1}},
            "config: index.zzz: unknown key; known here: kind, recall_target, training_share, seed",
        ),
        ({"publish": {"stor": "x"}}, "config: publish.stor: unknown key; did you mean 'store'?"),
        ({"items": {}}, "config: items.path: missing; expected files, or a database: source, with query or table"),
    ],
)
def test_unknown_and_missing_keys(tmp_path, sections, message):
    assert complaint(tree(**sections), tmp_path) == message


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"algorithm": "bpr", "alpha": 2}, "config: model.alpha: not a key of 'bpr'; 'als' has it"),
        (
            {"window": 2},
            "config: model.window: not a key of 'als'; 'item2vec' has it",
        ),
        (
            {"algorithm": "svd", "iterations": 2},
            "config: model.iterations: not a key of 'svd'; 'als' and 'bpr' have it",
        ),
        ({"algorithm": "item2vec", "windw": 2}, "config: model.windw: unknown key; did you mean 'window'?"),
        (
            {"algorithm": "svd", "continuity": "warm"},
            "config: model.continuity: got 'warm'; expected 'none' or",
        ),
    ],
)
def test_each_algorithm_has_its_own_keys(tmp_path, section, message):
    assert complaint(tree(model=section), tmp_path).startswith(message)


def test_the_algorithm_decides_the_defaults(tmp_path):
    found = {
        name: parse_config(tree(model={"algorithm": name}), base=tmp_path).model.factors for name in publishable()
    }
    assert found == {"als": 128, "bpr": 128, "svd": 512, "item2vec": 64, "glove": 64}
    assert parse_config(tree(), base=tmp_path).model.algorithm == "als"


def test_the_log_has_no_default(tmp_path):
    assert complaint({}, tmp_path) == "config: log: missing; it has no default"


def test_every_mistake_is_told(tmp_path):
    lines = complaint(tree(model={"factors": 0, "alpha": "much"}, index={"kind": "best"}), tmp_path).splitlines()
    assert [line.split(": ")[1] for line in lines] == ["model.factors", "model.alpha", "index.kind"]


@pytest.mark.parametrize(
    ("section", "key", "value", "parts"),
    [
        ("model", "factors", 0, ["got 0", "greater than or equal to 1"]),
        ("model", "alpha", float("inf"), ["got inf", "finite"]),
        ("model", "regularization", float("nan"), ["got nan"]),
        (
            "model",
            "algorithm",
            "svdd",
            ["got 'svdd'", "any of als, bpr, svd, item2vec, glove; did you mean 'svd'?"],
        ),
        ("model", "algorithm", "ease", ["got 'ease'", "it can only be a baseline"]),
        ("model", "algorithm", 3, ["got 3", "expected any of als"]),
        ("evaluate", "cutoffs", [0], ["evaluate.cutoffs.0", "got 0"]),
        ("evaluate", "cutoffs", [], ["evaluate.cutoffs"]),
        ("evaluate", "holdout", "a month", ["got 'a month'", "'28d'"]),
        ("evaluate", "holdout", True, ["got True"]),
        ("prepare", "half_life_days", 0, ["got 0"]),
        ("prepare", "repeats", "mean", ["got 'mean'", "'sum', 'max' or 'last'"]),
        ("log", "event_weights", {"view": -1}, ["log.event_weights.view", "got -1"]),
        ("log", "paths", [], ["log.paths"]),
        ("log", "paths", 5, ["got 5", "expected a path, or a list of paths"]),
        ("log", "paths", ["a.csv", " "], ["expected a path"]),
        ("items", "path", "", ["got ''", "expected a path"]),
        ("items", "path", [5], ["items.path.0", "got 5"]),
        ("log", "delimiter", "\n", ["log.delimiter", "without quotes and line ends"]),
        ("log", "encoding", "latin-2x", ["log.encoding", "got 'latin-2x'", "did you mean 'latin-1'?"]),
        ("log", "encoding", "base64", ["log.encoding", "expected an encoding"]),
        ("log", "columns", ["a", "b", "a"], ["'a' is named more than once"]),
    ],
)
def test_values_out_of_range_name_key_and_value(tmp_path, section, key, value, parts):
    sections = tree()
    sections[section] = {**sections.get(section, {}), key: value}
    message = complaint(sections, tmp_path)
    assert message.startswith(f"config: {section}.{key}")
    for part in parts:
        assert part in message


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("28d", 2_419_200), ("12h", 43_200), ("90m", 5_400), ("30s", 30), ("4w", 2_419_200), ("1.5 h", 5_400), (60, 60)],
)
def test_durations(text, seconds):
    assert EvaluateConfig(holdout=text).holdout == seconds


@pytest.mark.parametrize(("seconds", "text"), [(2_419_200, "28d"), (5_400, "90m"), (7_200, "2h"), (61, "61s")])
def test_durations_as_text(seconds, text):
    assert duration_text(seconds) == text
    assert EvaluateConfig(holdout=text).holdout == seconds


def test_users_and_items_are_two_columns(tmp_path):
    message = complaint({"log": {"paths": ["x.csv"], "user": "id", "item": "id"}}, tmp_path)
    assert message == "config: log: user and item are both column 'id'; expected two columns"


def test_a_split_in_time_needs_times(tmp_path):
    log = {"paths": ["x.csv"]}
    assert 'evaluate.split = "temporal" needs log.timestamp' in complaint({"log": log}, tmp_path)
    assert parse_config({"log": log, "evaluate": {"split": "last_n"}}, base=tmp_path).log.timestamp is None


def test_weights_of_kinds_need_their_column():
    with pytest.raises(ValidationError, match="event_weights needs `event`"):
        LogConfig(paths=("x.csv",), event_weights={"view": 1.0})


def test_the_given_split_and_its_files_go_together():
    with pytest.raises(ValidationError, match="needs holdout_paths"):
        EvaluateConfig(split="given")
    with pytest.raises(ValidationError, match="only with"):
        EvaluateConfig(holdout_paths=("x.csv",))
    assert EvaluateConfig(split="given", holdout_paths=("x.csv",)).split == "given"


def test_overrides_take_the_place_of_the_file(write):
    path = write(FULL)
    config = load_config(path, overrides={"model.factors": 8, "index.kind": "exact", "workspace": "elsewhere"})
    assert (config.model.factors, config.index.kind) == (8, "exact")
    assert config.workspace == path.parent / "elsewhere"
    with pytest.raises(ConfigError, match=r"model\.factor: unknown key; did you mean 'factors'"):
        load_config(path, overrides={"model.factor": 8})
    with pytest.raises(ConfigError, match="workspace is a value, not a section"):
        load_config(path, overrides={"workspace.store": "x"})


def test_the_file_is_named(write, tmp_path):
    path = write("[log]\npaths = [")
    with pytest.raises(ConfigError, match=r"pipeline\.toml: not a TOML file"):
        load_config(path)
    path = write('[log]\npaths = ["x"]\nusr = "u"\n')
    with pytest.raises(ConfigError, match=r"pipeline\.toml: log\.usr: unknown key; did you mean 'user'"):
        load_config(path)
    with pytest.raises(ConfigError, match=r"nowhere\.toml: cannot be read: No such file"):
        load_config(tmp_path / "nowhere.toml")
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not a TOML file"):
        load_config(path)


@pytest.mark.parametrize("algorithm", publishable())
def test_a_resolved_configuration_is_json_and_reads_back(tmp_path, algorithm):
    config = parse_config(tree(model={"algorithm": algorithm, "seed": 9}), base=tmp_path)
    again = parse_config(config.model_dump(mode="json"), base=tmp_path / "other")
    assert again == config


def sections():
    found, waiting = set(), [PipelineConfig]
    while waiting:
        section = waiting.pop()
        found.add(section)
        for field in section.model_fields.values():
            kinds = (field.annotation, *getattr(field.annotation, "__args__", ()))
            waiting += [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Section)]
    found |= {algorithm.config for algorithm in publishable().values()}
    return sorted(found, key=lambda section: section.__name__)


@pytest.mark.parametrize("section", sections(), ids=lambda section: section.__name__)
def test_every_setting_is_described(section):
    assert section.__doc__
    if section is not PipelineConfig:  # its keys are sections, which describe themselves
        assert [name for name, field in section.model_fields.items() if not field.description] == []


@pytest.mark.parametrize(
    ("log", "message"),
    [
        ('ignore_events = ["view"]', "ignore_events needs `event`"),
        ('seen_events = ["view"]', "seen_events needs `event`"),
        ('event = "e"\nignore_events = ["view"]\nevent_weights = {view = 1}', "'view' has a weight above 0"),
        ('event = "e"\nevent_weights = {view = 0}', "every kind has weight 0"),
        ('event = "e"\nseen_events = ["purchas"]\nevent_weights = {purchase = 1}', "did you mean 'purchase'"),
        ('event = "e"\nseen_events = ["view"]\nevent_weights = {view = 0, buy = 1}', "'view' is ignored"),
        ('event = "e"\nseen_events = ["view"]\nignore_events = ["view"]', "'view' is ignored"),
    ],
)
def test_kinds_of_event_that_contradict_each_other(tmp_path: Path, log: str, message: str) -> None:
    path = tmp_path / "pipeline.toml"
    path.write_text(f'[log]\npaths = ["a.csv"]\ntimestamp = "t"\n{log}\n')
    with pytest.raises(ConfigError, match=message):
        load_config(path)


@pytest.mark.parametrize("form", ["%Q", "%s", "%Y-%m-%d %", "%Y-%Y-%d", "noon"])
def test_a_form_of_times_that_strptime_cannot_read_is_refused(form: str) -> None:
    with pytest.raises(ValidationError, match="expected directives of strptime"):
        LogSchema(timestamp="t", timestamp_format=form)


def test_an_encoding_that_stops_at_a_bad_byte_is_refused() -> None:
    with pytest.raises(ValidationError, match="expected an encoding that Python knows"):
        LogFiles(paths=("a.csv",), encoding="idna")


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [("evaluate", "exclude_seen", 1), ("evaluate", "exclude_seen", "false"), ("prepare", "deduplicate", "no")],
)
def test_a_truth_value_is_nothing_else(section: str, key: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"{section}.{key}: got {value!r}"):
        parse_config({"log": {"paths": ["a"], "timestamp": "t"}, section: {key: value}}, base=Path())


def test_a_weight_is_a_number() -> None:
    with pytest.raises(ValidationError, match="valid number"):
        LogSchema(event="kind", event_weights={"view": "1"})
