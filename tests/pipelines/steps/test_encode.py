"""The step `encode`: there only with `[[content]]`, checked before any work, and only what changed is encoded."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.steps.content import content_space, stored_space
from pipelines.steps.content_faults import content_faults
from pipelines.steps.content_files import changed_content
from pipelines.steps.encode import prepared_items
from pipelines.steps.run import run
from pipelines.steps.workspace import STEPS, Workspace, steps_of
from recsys.artifacts.bundle import load_bundle
from recsys.artifacts.registry import Registry
from recsys.content.encoder import Encoded
from recsys.content.registry import ENCODERS
from recsys.data.matrix import InteractionMatrix
from recsys.errors import ConfigError, DataError
from recsys.pipeline_config import PipelineConfig, load_config
from recsys.progress import silent

WORDS = {"encoder": "tfidf", "name": "words", "columns": ["title"], "dimension": 16}


def _config(shop: Path, *sources: dict[str, Any]) -> PipelineConfig:
    return load_config(shop, overrides={"content": list(sources or [WORDS])})


def _encoded(shop: Path, *sources: dict[str, Any]) -> PipelineConfig:
    config = _config(shop, *sources)
    run(config, steps=("prepare", "encode"), progress=silent)
    return config


def _with_table(shop: Path, table: str = "") -> Path:
    toml = f'{shop.read_text()}\n[[content]]\nencoder = "tfidf"\n{table}'
    shop.write_text(toml, encoding="utf-8")
    return shop


def test_the_step_is_there_only_with_content(shop: Path) -> None:
    assert steps_of(load_config(shop)) == STEPS
    assert steps_of(_config(shop)) == ("prepare", "encode", "evaluate", "train", "index", "publish")


def test_a_whole_night_seals_the_vectors_and_tells_of_them(shop: Path) -> None:
    config = _config(shop)
    done = run(config, progress=silent)
    assert list(done.summaries) == ["prepare", "encode", "evaluate", "train", "index", "publish"]
    bundle = load_bundle(Registry(config.publish.store).path(done.publish.version))
    assert bundle.content is not None
    assert bundle.content.n_items == len(bundle.items.ids)
    report = json.loads((config.workspace / "report.json").read_text(encoding="utf-8"))
    assert report["content"][0]["n_known"] == done.encode.sources[0].n_known > 0
    for page in ("report.md", "report.html"):
        assert "words" in (config.workspace / page).read_text(encoding="utf-8")


def test_without_content_a_report_has_no_such_part(finished: tuple[PipelineConfig, Any, Any]) -> None:
    workspace = finished[0].workspace
    assert "content" not in json.loads((workspace / "report.json").read_text(encoding="utf-8"))
    assert not (workspace / "encode").exists()


@pytest.mark.parametrize("arguments", [("encode",), ("run", "--from", "encode")])
def test_without_content_there_is_nothing_to_encode(
    recsys: Callable[..., Any], shop: Path, arguments: tuple[str, ...]
) -> None:
    command, *options = arguments
    ended = recsys(command, shop, *options)
    assert ended.returncode == 2
    assert "no [[content]] table" in ended.stderr


def test_a_run_can_start_at_encode(recsys: Callable[..., Any], shop: Path) -> None:
    _with_table(shop, 'columns = ["title"]')
    assert recsys("prepare", shop).returncode == 0
    ended = recsys("run", shop, "--from", "encode", "--json")
    assert ended.returncode == 0
    assert list(json.loads(ended.stdout)["steps"]) == ["encode", "evaluate", "train", "index", "publish"]


def test_evaluate_needs_the_vectors(shop: Path) -> None:
    run(load_config(shop), steps=("prepare", "evaluate"), progress=silent)
    config = _config(shop)
    with pytest.raises(DataError, match="encode has not run yet"):
        run(config, steps=("evaluate",), progress=silent)
    run(config, steps=("encode",), progress=silent)
    with pytest.raises(DataError, match=r"\[cold_start\] has changed"):
        run(config, steps=("train",), progress=silent)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"columns": ["titel"]}, r"content\.0\.columns: 'titel' .* did you mean 'title'\?"),
        ({"columns": ["weight"]}, r"content\.0\.columns: 'weight' .* known: title, genre, price"),
    ],
)
def test_an_unknown_column_is_named_before_any_work(shop: Path, source: dict[str, Any], message: str) -> None:
    config = _config(shop, {"encoder": "tfidf", **source})
    with pytest.raises(ConfigError, match=message):
        run(config, progress=silent)
    assert not config.workspace.exists()


def test_an_unknown_column_of_an_encoder_that_reads_one_is_named_too(shop: Path) -> None:
    (shop.parent / "net.onnx").write_bytes(b"")
    source = {"encoder": "image", "column": "genra", "folder": ".", "model": "net.onnx", "layer": "pool"}
    faults = list(content_faults(_config(shop, source)))
    assert (
        "content.0.column: 'genra' is neither the title nor an attribute of [items]; did you mean 'genre'?" in faults
    )


def test_an_encoder_that_is_not_installed_is_named_before_any_work(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ENCODERS, "tfidf", replace(ENCODERS["tfidf"], unavailable=lambda: "needs a thing"))
    with pytest.raises(ConfigError, match=r"content\.0\.encoder: 'tfidf' needs a thing"):
        run(_config(shop), progress=silent)


def test_the_title_may_be_called_by_its_column(shop: Path) -> None:
    overrides = {"items.title": "genre", "items.attributes": ["price"], "content": [{"columns": ["genre", "title"]}]}
    config = load_config(shop, overrides=overrides)
    run(config, steps=("prepare", "encode"), progress=silent)
    space = stored_space(config, Workspace(config.workspace))
    assert space is not None
    assert space.sources[0].columns == ("title",)


def _counting(monkeypatch: pytest.MonkeyPatch, *, by_row: bool) -> list[int]:
    """Let tfidf learn nothing new from the items (if `by_row`), and note how many items each `encode` gets."""
    seen, kind = list[int](), ENCODERS["tfidf"]
    fitted: list[Any] = []

    class Counting:
        def __init__(self, inner: Any) -> None:
            self.inner, self.dimension, self.save = inner, inner.dimension, inner.save

        def encode(self, items: Any, *, progress: Any = silent) -> Encoded:
            seen.append(len(items.ids))
            return self.inner.encode(items, progress=progress)

    def fit(*arguments: Any, **options: Any) -> Counting:
        if not fitted or not by_row:
            fitted.append(kind.fit(*arguments, **options))
        return Counting(fitted[-1])

    monkeypatch.setitem(ENCODERS, "tfidf", replace(kind, fit=fit, by_row=by_row))
    return seen


def _retitle(shop: Path) -> None:
    """Give one item the title of another."""
    path = shop.parent / "items.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    (first_id, *_), (_, *others) = lines[1].split(","), lines[2].split(",")
    lines[1] = ",".join([first_id, *others])
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_one_changed_row_encodes_one_row(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = _counting(monkeypatch, by_row=True)
    config = _encoded(shop)
    _retitle(shop)
    run(config, steps=("prepare", "encode"), progress=silent)
    assert len(seen) == 2
    assert seen[1] == 1
    items = prepared_items(config, Workspace(config.workspace))
    space = stored_space(config, Workspace(config.workspace))
    assert space is not None
    fresh = ENCODERS["tfidf"].fit(items, config.content[0], histories=None, progress=silent).encode(items).vectors
    np.testing.assert_allclose(space.vectors, fresh, atol=1e-5)


def test_an_encoder_that_learns_from_the_catalogue_is_used_again_as_long_as_nothing_changes(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = _counting(monkeypatch, by_row=False)
    config = _encoded(shop)
    again = run(config, steps=("prepare", "encode"), progress=silent).encode.sources[0]
    assert len(seen) == 1
    assert again.n_reused == again.n_known
    _retitle(shop)
    changed = run(config, steps=("prepare", "encode"), progress=silent).encode.sources[0]
    assert len(seen) == 2
    assert changed.n_reused == 0


def test_another_setting_encodes_anew(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = _counting(monkeypatch, by_row=True)
    _encoded(shop)
    run(_config(shop, WORDS | {"min_items": 1}), steps=("encode",), progress=silent)
    assert seen[0] == seen[1]
    run(_config(shop, WORDS | {"min_items": 1, "weight": 2.0}), steps=("encode",), progress=silent)
    assert len(seen) == 2


def test_damaged_vectors_are_a_warning_and_made_anew(shop: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = _encoded(shop)
    path = config.workspace / "encode" / "content" / "words" / "vectors.npy"
    whole = path.read_bytes()
    path.write_bytes(whole[:-4] + b"\x00\x00\x80\x7f")
    again = run(config, steps=("encode",), progress=silent).encode.sources[0]
    assert again.n_reused == 0
    assert path.read_bytes() == whole
    assert "cannot be used, everything is encoded anew" in caplog.text


def test_files_that_change_after_encode_read_them_are_told(shop: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = shop.parent / "vectors.txt"
    path.write_text("b000001 1 2\nb000002 2 1\n", encoding="utf-8")
    config = _encoded(shop, {"encoder": "vectors", "path": str(path)})
    workspace = Workspace(config.workspace)
    os.utime(path, (1, 1))
    assert changed_content(config, workspace) == ()
    path.write_text("b000001 1 2\nb000002 3 1\n", encoding="utf-8")
    assert changed_content(config, workspace) == ("files of content 'vectors' have changed since encode read them",)
    run(config, steps=("evaluate",), progress=silent)
    assert "files of content 'vectors' have changed since encode read them; `recsys run CONFIG" in caplog.text
    caplog.clear()
    run(config, steps=("encode",), progress=silent)
    assert changed_content(config, workspace) == ()
    assert "have changed since" not in caplog.text


def test_a_missing_file_is_named_before_any_work(shop: Path) -> None:
    config = _config(shop, {"encoder": "vectors", "path": str(shop.parent / "none.txt")})
    with pytest.raises(ConfigError, match=r"content\.0\.path: .*none\.txt: there is no such file or folder"):
        run(config, progress=silent)


@pytest.mark.parametrize("encoder", ["static", "sentence"])
def test_a_missing_folder_of_a_model_is_named_before_any_work(shop: Path, encoder: str) -> None:
    pooling = {"pooling": "mean"} if encoder == "sentence" else {}
    config = _config(shop, {"encoder": encoder, "folder": str(shop.parent / "none"), **pooling})
    with pytest.raises(ConfigError, match=r"content\.0\.folder: .*none: there is no such file or folder"):
        run(config, progress=silent)
    assert not (config.workspace / "prepare").exists()


def test_problems_are_counted_named_and_in_the_report(shop: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = shop.parent / "items.csv"
    header, *lines = path.read_text(encoding="utf-8").splitlines()
    at = header.split(",").index("title")
    cut = [",".join("" if column == at else value for column, value in enumerate(line.split(","))) for line in lines]
    path.write_text("\n".join([header, *cut[:70], *lines[70:]]) + "\n", encoding="utf-8")
    config = _encoded(shop)
    for _ in range(2):  # vectors that are used again have the same problems
        source = run(config, steps=("encode",), progress=silent).encode.sources[0]
        assert source.n_known + sum(source.problems.values()) == source.n_items
        assert "items with no text, the first" in caplog.text
        assert "less than half" in caplog.text
        caplog.clear()


def test_the_space_of_a_train_side_has_its_items_only(shop: Path) -> None:
    config = _encoded(shop)
    workspace = Workspace(config.workspace)
    items, stored = prepared_items(config, workspace), stored_space(config, workspace)
    matrix = InteractionMatrix.load(config.workspace / "prepare" / "matrix")
    fewer = InteractionMatrix(matrix.users, items.ids.take(np.arange(5, dtype=np.int32)), matrix.csr[:, :5])
    space = content_space(config, stored, fewer, items)
    assert space is not None
    assert stored is not None
    np.testing.assert_array_equal(space.sources[0].vectors, stored.sources[0].vectors[:5])


def test_a_source_that_learns_from_histories_is_fitted_on_the_given_matrix(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, given = ENCODERS["tfidf"], list[Any]()

    def fit(items: Any, config: Any, *, histories: Any, progress: Any) -> Any:
        given.append(histories)
        return kind.fit(items, config, histories=None, progress=progress)

    monkeypatch.setitem(ENCODERS, "tfidf", replace(kind, fit=fit, learns_from_histories=lambda config: True))
    config = _encoded(shop)
    assert given == []
    matrix = InteractionMatrix.load(config.workspace / "prepare" / "matrix")
    workspace = Workspace(config.workspace)
    assert stored_space(config, workspace) is None
    space = content_space(config, None, matrix, prepared_items(config, workspace))
    assert given == [matrix]
    assert space is not None
    assert space.n_items == matrix.n_items
