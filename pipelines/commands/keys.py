"""`recsys keys`: API keys of the service, made, listed and revoked."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.commands import rendering
from pipelines.commands.options import Json
from recsys.errors import ConfigError

if TYPE_CHECKING:
    from recsys.api_keys.records import KeyRecord

app = typer.Typer(no_args_is_help=True, help="API keys of the service; it follows the file within a second.")

File = Annotated[Path, typer.Option("--file", help="file of the keys' hashes, as of `recsys serve --keys`")]
_FILE = Path("keys.toml")


@app.command(
    epilog="Examples: `recsys keys new --name shop --scopes read,events`, "
    "`recsys keys new --name partner --scopes read --stores shop --expires 2027-01-31 --rate 100/second`"
)
def new(
    name: Annotated[str, typer.Option("--name", help="who gets the key; it stands in logs", show_default=False)],
    scopes: Annotated[
        str,
        typer.Option(
            "--scopes", help="what it may do: read, events, metrics, admin; with commas between", show_default=False
        ),
    ],
    file: File = _FILE,
    stores: Annotated[
        str | None, typer.Option("--stores", help="names of stores, with commas between; default: all")
    ] = None,
    expires: Annotated[
        str | None, typer.Option("--expires", metavar="YYYY-MM-DD", help="last day on which it is good, UTC")
    ] = None,
    rate: Annotated[str | None, typer.Option("--rate", help="questions per time, for example `100/second`")] = None,
    quota: Annotated[str | None, typer.Option("--quota", help="a second limit, for example `1000000/day`")] = None,
    as_json: Json = False,
) -> None:
    """Make a key. It is shown once, on standard output; the file gets its hash alone."""
    from pydantic import ValidationError

    from recsys.api_keys.editing import add_key
    from recsys.api_keys.key_text import hash_of, new_key
    from recsys.api_keys.records import KeyRecord

    key = new_key()
    given = {"scopes": _parts(scopes), "stores": _parts(stores), "rate": rate, "quota": quota}
    made = {"name": name, "hash": hash_of(key), "created": datetime.now(UTC).date(), "expires": _day(expires)}
    try:
        record = KeyRecord.model_validate({**made, **given})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        option, message = first["loc"][0], first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"--{option}: got {first['input']!r}; {message}") from None
    add_key(file, record)
    if as_json:
        return rendering.json_document({"name": name, "key": key, "file": str(file)})
    typer.echo(key)
    rendering.notice(
        f"{file} has the hash of the key {name!r}. The key itself is not kept: this is the only time it is shown."
    )
    return None


@app.command("list", epilog="Example: `recsys keys list --file keys.toml`")
def list_keys(file: File = _FILE, as_json: Json = False) -> None:
    """Who has keys, for what, and until when."""
    from recsys.api_keys.key_file import read_keys, too_open

    records, now = read_keys(file), datetime.now(UTC)
    if as_json:
        rows = [
            {**record.model_dump(mode="json", exclude={"hash"}, exclude_none=True), "expired": record.is_expired(now)}
            for record in records
        ]
        return rendering.json_document({"file": str(file), "keys": rows})
    for record in records:
        typer.echo(f"{record.name}: {_described(record, now)}")
    if (problem := too_open(file)) is not None:
        rendering.notice(problem)
    return None


@app.command(epilog="Example: `recsys keys revoke shop`")
def revoke(
    name: Annotated[str, typer.Argument(metavar="NAME", help="name of the key", show_default=False)],
    file: File = _FILE,
) -> None:
    """Take a key out of the file. Running services refuse it within a second or two."""
    from recsys.api_keys.editing import remove_key

    remove_key(file, name)
    rendering.line(f"{file}: the key {name!r} is revoked")


def _described(record: "KeyRecord", now: datetime) -> str:
    parts = [", ".join(record.scopes)]
    if record.stores is not None:
        parts.append(f"stores {', '.join(record.stores)}")
    parts += [limit for limit in (record.rate, record.quota) if limit is not None]
    if record.expires is not None:
        parts.append(f"{'EXPIRED' if record.is_expired(now) else 'until'} {record.expires}")
    return "; ".join(parts)


def _parts(text: str | None) -> list[str] | None:
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]


def _day(text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"--expires: got {text!r}; expected a day, such as 2027-01-31") from None
