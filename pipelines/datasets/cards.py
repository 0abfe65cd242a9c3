"""Data set cards: what each known data set is, where it comes from, and how its download becomes files to read."""

import sysconfig
import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from recsys.config import Section
from recsys.errors import ConfigError
from recsys.suggestions import nearest_name

Hex64 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Hex32 = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


class CardFile(Section):
    """A file that the pipeline reads, and how it is made from a download."""

    name: str = Field(pattern=r"^\w[\w.*/-]*$", description="under $RECSYS_DATA_DIR/<card>/; may be a glob")
    what: str = Field(description="what one row is")
    columns: dict[str, str] = Field(min_length=1, description="meaning by name, in the order of the file")
    rows: int | None = Field(None, ge=0, description="as the publisher counts them; checked after fetching")
    required: bool = Field(True, description="false if the pipeline runs without it")
    member: str | None = Field(None, description="path inside the archive; none if the download is the file itself")
    format: Literal["csv", "lines", "adjacency", "xlsx"] = Field(
        "csv",
        description="csv has a header; lines are split at `separator`; adjacency is `user item item ...`; "
        "xlsx is a worksheet with a header",
    )
    separator: str = Field("\t", min_length=1, description="of lines")
    encoding: str = Field("utf-8", description="of lines")
    flags: tuple[str, ...] = Field(
        (), description="lines: names of the last fields, which are 0 or 1 and become one: `name|name`"
    )
    renamed: dict[str, str] = Field(default_factory=dict, description="csv: new names of columns")
    sheet: int = Field(1, ge=1, description="xlsx: which worksheet")
    dates: tuple[str, ...] = Field((), description="xlsx: columns whose numbers are dates")


class Download(Section):
    """One file to fetch, and what is made of it."""

    url: str = Field(pattern=r"^https?://")
    size: int | None = Field(None, gt=0, description="bytes, as last seen; for people and the progress bar")
    sha256: Hex64 | None = None
    md5: Hex32 | None = None
    files: tuple[CardFile, ...] = Field(min_length=1)

    @property
    def file_name(self) -> str:
        """The name of the download when it is saved by hand."""
        return self.url.rpartition("/")[2]

    @property
    def checksum(self) -> tuple[str, str | None]:
        """Kind and value of the strongest known checksum; "sha256" and None if there is none."""
        return ("md5", self.md5) if self.md5 and not self.sha256 else ("sha256", self.sha256)


class Recipe(Section):
    """A log that is generated, not downloaded: the arguments of `write_synthetic_log`."""

    n_users: int
    n_items: int
    n_events: int
    seed: int
    bots: int
    dirty_rows: int
    new_items: int = 0


class Card(Section):
    """One data set; `folder` also holds the pipeline.toml that is ready to run on it."""

    folder: Path
    name: str
    title: str
    what: str
    licence: str
    homepage: str | None = None
    citation: str | None = None
    note: str | None = None
    downloads: tuple[Download, ...] = ()
    recipe: Recipe | None = None
    generated: tuple[CardFile, ...] = Field((), description="the files that the recipe makes")

    @property
    def files(self) -> tuple[CardFile, ...]:
        """All files of the data set's folder."""
        return self.generated + tuple(file for download in self.downloads for file in download.files)

    def missing(self, folder: Path) -> list[str]:
        """Names of the required files that `folder` lacks."""
        return [file.name for file in self.files if file.required and not any(folder.glob(file.name))]


def datasets_folder() -> Path:
    """Where the cards are: beside the packages in a checkout, under share/ where a wheel was installed."""
    places = [Path(__file__).parents[2] / "datasets", Path(sysconfig.get_path("data")) / "share/recsys/datasets"]
    for place in places:
        # Another package named `datasets` may be installed there, so look for one of these cards.
        if (place / "demo" / "card.toml").is_file():
            return place
    raise ConfigError(f"no data set cards found; looked in {' and '.join(map(str, places))}")


def list_cards() -> list[Card]:
    """All cards by name."""
    return [_read(path) for path in sorted(datasets_folder().glob("*/card.toml"))]


def find_card(name: str) -> Card:
    """The card of one data set. Raises ConfigError that lists the known ones and suggests the nearest."""
    known = sorted(path.parent.name for path in datasets_folder().glob("*/card.toml"))
    if name not in known:
        nearest = nearest_name(name, known)
        hint = f"did you mean {nearest!r}? " if nearest else ""
        raise ConfigError(f"no data set is called {name!r}; {hint}known: {', '.join(known)}")
    return _read(datasets_folder() / name / "card.toml")


def _read(path: Path) -> Card:
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
        return Card.model_validate({**tree, "folder": path.parent, "name": path.parent.name})
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()]
        raise ConfigError(f"{path}: {'; '.join(problems)}") from error
