"""A whole pipeline.toml as one frozen model; an unknown key is an error that suggests the nearest known one."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from recsys.address import Address, is_address, without_passwords
from recsys.config import (
    ComputeConfig,
    EvaluateConfig,
    ExportConfig,
    FilePath,
    ItemsConfig,
    LogConfig,
    PrepareConfig,
    PublishConfig,
    ResourcesConfig,
    Section,
    ServeConfig,
)
from recsys.config.database import MISSING_ROWS, SPARK
from recsys.content.cold_start.config import ColdStartConfig
from recsys.content.config import EncoderConfig
from recsys.content.registry import ContentConfig, explain_content_key
from recsys.errors import ConfigError
from recsys.models.factors.als import AlsConfig
from recsys.models.registry import ModelConfig, explain_model_key
from recsys.retrieval.index_config import IndexConfig
from recsys.suggestions import unknown_key_hint
from recsys.validation_errors import problems_of


def _as_list(tables: Any) -> Any:
    """One `[export]` is a list of one."""
    return (tables,) if isinstance(tables, dict | ExportConfig) else tables


class PipelineConfig(Section):
    """A whole pipeline.toml."""

    workspace: FilePath = Field(Path("workspace"), description="folder of the steps' outputs and the report")
    log: LogConfig
    items: ItemsConfig | None = None
    content: tuple[ContentConfig, ...] = ()
    cold_start: ColdStartConfig = ColdStartConfig()
    prepare: PrepareConfig = PrepareConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    model: ModelConfig = AlsConfig()
    index: IndexConfig = IndexConfig()
    publish: PublishConfig = Field(default_factory=dict, validate_default=True)
    serve: ServeConfig = ServeConfig()
    export: Annotated[tuple[ExportConfig, ...], BeforeValidator(_as_list)] = ()
    compute: ComputeConfig = Field(ComputeConfig(), exclude=True)  # how it is made, not what
    resources: ResourcesConfig = Field(ResourcesConfig(), exclude=True)  # of this machine, not of the version

    @property
    def content_sources(self) -> tuple[EncoderConfig, ...]:
        """The `[[content]]` tables; the title's own column in `columns` is called "title", as in `Items`."""
        title = None if self.items is None else self.items.title
        return tuple(source.with_title(title) for source in self.content)

    @model_validator(mode="after")
    def _temporal_needs_times(self) -> "PipelineConfig":
        if self.evaluate.split == "temporal" and self.log.timestamp is None:
            raise ValueError(
                'evaluate.split = "temporal" needs log.timestamp, the column with the time of the event; '
                'a log without times is split by "last_n", "held_out_users" or "given"'
            )
        return self

    @model_validator(mode="after")
    def _holdout_has_a_database(self) -> "PipelineConfig":
        rows = self.evaluate.holdout_rows(self.log.source)
        if self.evaluate.has_given_holdout and not rows["paths"] and rows["source"] is None:
            raise ValueError("evaluate.holdout_source: missing; the log is no database whose rows could be held out")
        return self

    @model_validator(mode="after")
    def _tables_of_spark_need_spark(self) -> "PipelineConfig":
        named = {
            "log.source": self.log.source,
            "items.source": None if self.items is None else self.items.source,
            "evaluate.holdout_source": self.evaluate.holdout_source,
        }
        key = next((key for key, source in named.items() if source == SPARK), None)
        if key is not None and self.compute.engine != "spark":
            raise ValueError(
                f'{key} = "spark": tables of Spark\'s catalogue are read with compute.engine = "spark", got '
                f'"{self.compute.engine}"; add `--set compute.engine=spark`, or write the table as Parquet and name '
                "its folder instead (docs/spark.md)"
            )
        return self

    @model_validator(mode="after")
    def _content_is_of_a_catalogue(self) -> "PipelineConfig":
        if self.content and self.items is None:
            raise ValueError("content: needs [items], the catalogue whose titles and attributes are read")
        names = [each.source_name for each in self.content]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(
                    f"content: {name!r} is the name of two sources; give one another name (content.name)"
                )
        return self


def load_config(path: Path, *, overrides: Mapping[str, Any] | None = None) -> PipelineConfig:
    """Read and check a pipeline.toml; paths become absolute.

    `overrides`: dotted keys ("model.factors") and the values that replace those of the file.
    Raises ConfigError that names the file, the key, what came and what was expected.
    """
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not a TOML file: {error}") from error
    for key, value in (overrides or {}).items():
        _override(tree, key.split("."), value)
    return parse_config(tree, base=path.absolute().parent, source=str(path))


def _override(tree: dict[str, Any], keys: list[str], value: Any) -> None:
    for section in keys[:-1]:
        tree = tree.setdefault(section, {})
        if not isinstance(tree, dict):
            raise ConfigError(f"{'.'.join(keys)}: {section} is a value, not a section")
    tree[keys[-1]] = value


def parse_config(tree: dict[str, Any], *, base: Path, source: str = "config") -> PipelineConfig:
    """Check a parsed configuration; relative paths start at `base`. Raises ConfigError naming `source` and key."""
    try:
        return PipelineConfig.model_validate(tree, context={"base": base})
    except ValidationError as error:
        lines = [f"{source}: {_explain(problem, tree)}" for problem in problems_of(error)]
        raise ConfigError("\n".join(lines)) from None  # the cause may hold a secret


def _explain(problem: Any, tree: dict[str, Any]) -> str:
    location, key = problem["loc"], ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"{key}: {_unexpected(location, tree)}"
    if problem["type"] == "missing":
        return f"{key}: missing; it has no default"
    message = problem["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
    hidden = isinstance(problem["input"], dict) or problem["type"] == MISSING_ROWS or key.endswith("source")
    got = "" if hidden else f"got {without_passwords(repr(_shown(problem['input'])))}; "
    return f"{key}: {got}{message}" if key else message


def _shown(value: Any) -> Any:
    """`value` for a message: a URL without its secrets."""
    return str(Address(value)) if isinstance(value, str) and is_address(value) else value


def _unexpected(location: tuple[str | int, ...], tree: dict[str, Any]) -> str:
    """The message for an unknown key at `location`."""
    *sections, key = map(str, location)
    if sections == ["model"]:
        return explain_model_key(tree["model"], key)
    if sections[:1] == ["content"] and len(sections) == 2:
        return explain_content_key(tree["content"][int(sections[1])], key)
    section: Any = PipelineConfig
    for part in sections:
        if part.isdigit():  # of `[[export]]`
            continue
        field = section.model_fields[part]
        section = next(
            kind for kind in (field.annotation, *getattr(field.annotation, "__args__", ())) if _is_section(kind)
        )
    return f"unknown key{unknown_key_hint(key, section.model_fields)}"


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Section)
