"""What is wrong with `[[content]]`, as far as it shows before any work."""

from collections.abc import Iterator
from pathlib import Path

from recsys.config import ItemsConfig
from recsys.content.config import EncoderConfig
from recsys.content.registry import kind_of_encoder
from recsys.data.items import TITLE
from recsys.pipeline_config import PipelineConfig
from recsys.suggestions import nearest_name


def content_faults(config: PipelineConfig) -> Iterator[str]:
    """One message, with its key, per encoder that is not installed, unknown column and missing file."""
    for number, source in enumerate(config.content_sources):
        for key, fault in _faults(source, config.items):
            yield f"content.{number}.{key}: {fault}"


def _faults(source: EncoderConfig, items: ItemsConfig | None) -> Iterator[tuple[str, str]]:
    kind = kind_of_encoder(source)
    if reason := kind.unavailable():
        yield "encoder", f"{source.encoder!r} {reason}"
    known = () if items is None else (*((TITLE,) if items.title else ()), *items.attributes)
    single = getattr(source, "column", None)  # of encoders that read one
    for key, name in [*(("columns", name) for name in source.columns), *([("column", single)] if single else [])]:
        if name not in known:
            nearest = nearest_name(name, known)
            hint = f"did you mean {nearest!r}?" if nearest else f"known: {', '.join(known) or 'none'}"
            yield key, f"{name!r} is neither the title nor an attribute of [items]; {hint}"
    named = {value: None for _, value in source if isinstance(value, Path)}
    for path in named | dict.fromkeys(kind.files(source)):
        if not path.exists():
            yield _key_of(path, source), f"{path}: there is no such file or folder"


def _key_of(path: Path, source: EncoderConfig) -> str:
    """The key whose value is `path` or a folder above it."""
    paths = {name: value for name, value in source if isinstance(value, Path)}
    return next((name for name, value in paths.items() if path.is_relative_to(value)), "encoder")
