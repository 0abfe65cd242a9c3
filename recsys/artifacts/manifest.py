"""Manifest: the files of a version, their origin, and its metrics."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError
from pydantic_core import PydanticSerializationError, to_jsonable_python

from recsys.artifacts.files import FileDigest, write_durably
from recsys.config.serve import Users
from recsys.content.cold_start.settings import ColdStartSettings
from recsys.data.profile import LogProfile
from recsys.errors import ArtifactError
from recsys.evaluation.provenance import Continuity, LocalPart
from recsys.plain_files import read_plain
from recsys.validation_errors import explained

SCHEMA_VERSION = 1
"""The schema version that this release writes."""

UNDERSTOOD_SCHEMAS = (1,)
"""The schema versions that this release reads."""

MANIFEST, CHECKSUM = "manifest.json", "manifest.json.sha256"
"""The manifest, and its own hash in the form that `sha256sum --check` reads."""

SIGNATURE = "manifest.json.hmac"
"""The signature of the manifest, see `recsys.artifacts.signature`; none if the version was sealed without a key."""

RECORD = "evaluation.arrow"
"""How the version was evaluated, user by user. A version that was sealed without an evaluation has none."""

REPORTS = {"json": "report.json", "md": "report.md", "html": "report.html"}
"""The evaluation report of the version by format. A version that was sealed without a report has none."""

MAP = "map.npy"
"""The map of the items. It follows from the vectors, so that a version's name does not depend on it."""

GOLDEN = "golden.json"
"""Questions that the version answered when it was sealed. They follow from the other files, as the map does."""

_NOT_IN_THE_NAME = frozenset({RECORD, MAP, GOLDEN, *REPORTS.values()})

NEWEST_EVENT = "newest_event"
"""Key of a manifest's `log`: UTC seconds of the newest event, None for a log without times, missing in old ones."""

_LIBRARIES = ("recsys", "numpy", "scipy", "pyarrow", "faiss-cpu", "implicit")

Json = dict[str, JsonValue]

VERSION_PATTERN = r"v[0-9a-f]{16}"
"""How a version is named: "v" and the first 16 digits of the hash of what it holds."""

VersionName = Annotated[str, Field(pattern=f"^{VERSION_PATTERN}$")]


class Manifest(BaseModel):
    """One version's manifest.json; frozen, nothing unknown in it.

    `profile`: of the version's log, None in versions that are older than profiles. `gone_users`: share of the users
    of the version that served before whom the log lacks, None if none served. `accepted`: names of the gates that
    were accepted on purpose.

    `forgotten`: how many people were taken out after it was sealed first. `earlier_names`: its names before that,
    oldest first.

    `version` is derived from `schema_version`, `config`, `log`, `forgotten` if it is not 0, and `files` except
    RECORD, MAP, GOLDEN and REPORTS. Its date, library versions, evaluation and report do not change its name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    schema_version: int
    version: VersionName
    created_at: str = Field(description="UTC, ISO 8601")
    config: Json = Field(description="the resolved configuration")
    log: Json = Field(description="fingerprint and row counts of the log")
    counts: Json = Field(description="users who were trained on, folded in and neither; items, entries")
    metrics: Json = Field(description="metric name to value")
    gates: list[JsonValue] = Field(description="each gate's name, whether it passed, and why")
    verdict: str
    index: Json = Field(description="kind of the search index, and its measured recall")
    training: Continuity = Field(Continuity(), description="which version the vectors started from or are aligned to")
    libraries: dict[str, str] = Field(description="versions that wrote it")
    profile: LogProfile | None = Field(None, description="counts and shares of the log and the catalogue")
    gone_users: float | None = Field(None, description="share of the earlier version's users whom the log lacks")
    neighbours: LocalPart | None = Field(None, description="what was learned of neighbours, if any were asked for")
    cold_start: ColdStartSettings | None = Field(
        None, description="how content becomes vectors of new items, if it does"
    )
    accepted: tuple[str, ...] = Field((), description="gates that were accepted on purpose")
    catalogue_read_at: str | None = Field(
        None, description="when the night began to read the catalogue, UTC, ISO 8601; None in older versions"
    )
    forgotten: int = Field(0, ge=0, description="people who were taken out after it was sealed first")
    earlier_names: tuple[VersionName, ...] = Field((), description="its names before people were taken out")
    files: dict[str, FileDigest] = Field(description="path below the version's folder -> hash and size in bytes")


@dataclass(frozen=True, kw_only=True)
class VersionFacts:
    """What the manifest says of a version besides its files; the fields are those of `Manifest`.

    Values are JSON, or become JSON: tuples, paths, dataclasses, pydantic models.
    """

    config: Mapping[str, object] = field(default_factory=dict)
    log: Mapping[str, object] = field(default_factory=dict)
    counts: Mapping[str, object] = field(default_factory=dict)
    metrics: Mapping[str, object] = field(default_factory=dict)
    gates: Sequence[object] = ()
    verdict: str = ""
    index: Mapping[str, object] = field(default_factory=dict)
    training: Continuity = field(default_factory=Continuity)
    profile: LogProfile | None = None
    gone_users: float | None = None
    neighbours: LocalPart | None = None
    cold_start: ColdStartSettings | None = None
    accepted: Sequence[str] = ()
    catalogue_read_at: str | None = None
    forgotten: int = 0
    earlier_names: Sequence[str] = ()


def newest_event_of(manifest: Manifest) -> datetime | None:
    """When the version's log ends; None if the log has no times, or its manifest does not say."""
    newest = manifest.log.get(NEWEST_EVENT)
    return datetime.fromtimestamp(newest, UTC) if isinstance(newest, int | float) else None


def catalogue_read_at(manifest: Manifest) -> float:
    """When the catalogue was read, seconds since 1970; of versions that do not say so, when they were sealed."""
    return datetime.fromisoformat(manifest.catalogue_read_at or manifest.created_at).timestamp()


def log_read_at(manifest: Manifest) -> float:
    """When the night began to read, seconds since 1970: who was forgotten later counts no more in this version."""
    return catalogue_read_at(manifest)


def excludes_seen(manifest: Manifest) -> bool:
    """Whether the version was evaluated on lists without seen items, which is then what it serves by default."""
    evaluate = manifest.config.get("evaluate")
    return not isinstance(evaluate, dict) or evaluate.get("exclude_seen", True) is not False


def users_of(manifest: Manifest) -> Users:
    """How the service answers users of the version, by its `serve.users`; from their stored vectors by default."""
    serve = manifest.config.get("serve")
    return "fold_in" if isinstance(serve, dict) and serve.get("users") == "fold_in" else "stored"


def session_weight_of(manifest: Manifest) -> float:
    """How many times the items of a request's events count against the others of a stored history; 1 by default."""
    model = manifest.config.get("model")
    weight = model.get("session_weight") if isinstance(model, dict) else None
    return float(weight) if isinstance(weight, int | float) and weight > 0 else 1.0


def new_share_of(manifest: Manifest) -> tuple[float, float]:
    """`cold_start.new_share` and `cold_start.new_min_score` of the version; 0 and 0.5 by default."""
    cold_start = manifest.config.get("cold_start")
    told = cold_start if isinstance(cold_start, dict) else {}
    share, least = told.get("new_share", 0), told.get("new_min_score", 0.5)
    return (
        float(share) if isinstance(share, int | float) and 0 <= share <= 1 else 0.0,
        float(least) if isinstance(least, int | float) and 0 <= least <= 1 else 0.5,
    )


def new_manifest(files: dict[str, FileDigest], facts: VersionFacts, *, of: Manifest | None = None) -> Manifest:
    """The manifest of `files` as of now; `of`: another one, whose date and libraries are kept.

    Raises ArtifactError if a fact has no JSON form.
    """
    try:
        plain = to_jsonable_python(vars(facts))
        json.dumps(plain, allow_nan=False)
        fields = {"schema_version": SCHEMA_VERSION, **plain, "files": files}
        return Manifest(
            version=version_name(fields),
            created_at=datetime.now(UTC).isoformat(timespec="seconds") if of is None else of.created_at,
            libraries=_library_versions() if of is None else of.libraries,
            **fields,
        )
    except ValidationError as error:
        raise ArtifactError(f"manifest: a fact has no JSON form: {explained(error)}") from error
    except (PydanticSerializationError, ValueError) as error:
        raise ArtifactError(f"manifest: a fact has no JSON form: {error}") from error


def version_name(fields: Mapping[str, Any]) -> str:
    """The name that goes with a manifest's `schema_version`, `config`, `log`, `forgotten` and `files`."""
    identity = {name: fields[name] for name in ("schema_version", "config", "log")}
    identity["files"] = {name: digest for name, digest in fields["files"].items() if name not in _NOT_IN_THE_NAME}
    if forgotten := fields.get("forgotten"):
        identity["forgotten"] = forgotten
    canonical = json.dumps(to_jsonable_python(identity), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return f"v{hashlib.sha256(canonical.encode()).hexdigest()[:16]}"


def _library_versions() -> dict[str, str]:
    return {found.name: found.version for name in _LIBRARIES for found in metadata.distributions(name=name)}


def write_manifest(manifest: Manifest, folder: Path) -> None:
    """Write manifest.json and its checksum into `folder`, durably. Raises OSError."""
    content = (json.dumps(manifest.model_dump(mode="json"), indent=2, allow_nan=False) + "\n").encode()
    write_durably(folder / MANIFEST, content)
    write_durably(folder / CHECKSUM, _checksum_line(content))


def read_manifest(folder: Path, *, check: Callable[[Path, bytes], None] | None = None) -> Manifest:
    """Read and check a version's manifest: its own hash, its schema, and that its name is its folder's.

    `check`: called with `folder` and the bytes of the manifest before they are parsed; it may raise ArtifactError.
    Raises ArtifactError naming the file, what was found and what was expected.
    """
    path = folder / MANIFEST
    try:
        content, checksum = read_plain(path), read_plain(folder / CHECKSUM)
    except OSError as error:
        raise ArtifactError(f"{error.filename}: cannot be read: {error.strerror}") from error
    if check is not None:
        check(folder, content)
    if checksum != _checksum_line(content):
        found, expected = FileDigest.of(content).sha256, checksum[:80].decode("ascii", "replace").strip()
        raise ArtifactError(f"{path}: its content changed; sha256 {found}, expected by {CHECKSUM}: {expected}")
    manifest = _parse(path, content)
    expected = version_name(manifest.model_dump(mode="json"))
    if not manifest.version == folder.name == expected:
        raise ArtifactError(f"{path}: describes version {manifest.version}, expected {expected} in {folder.name}/")
    return manifest


def _checksum_line(content: bytes) -> bytes:
    return f"{FileDigest.of(content).sha256}  {MANIFEST}\n".encode("ascii")


def _parse(path: Path, content: bytes) -> Manifest:
    try:
        fields = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{path}: not a JSON document: {error}") from error
    schema = fields.get("schema_version") if isinstance(fields, dict) else None
    if schema not in UNDERSTOOD_SCHEMAS:
        understood = ", ".join(str(known) for known in UNDERSTOOD_SCHEMAS)
        raise ArtifactError(f"{path}: schema version {schema!r}; this release understands {understood}")
    try:
        return Manifest.model_validate(fields)
    except ValidationError as error:
        raise ArtifactError(f"{path}: not a manifest of schema {schema}: {explained(error)}") from error
