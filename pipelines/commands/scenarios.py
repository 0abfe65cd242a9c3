"""`recsys scenarios check`: the named pages of a store, read as the service reads them."""

from pathlib import Path

import typer

from pipelines.commands.options import Store
from pipelines.commands.store import registry_of
from recsys.errors import ConfigError, FilterError

app = typer.Typer(no_args_is_help=True, help="The named pages of a store: scenarios.toml in its folder.")


@app.callback()
def scenarios() -> None:
    """Keep `check` a command of its own."""


@app.command(epilog="Example: `recsys scenarios check --store store`")
def check(store: Store) -> None:
    """Read scenarios.toml, and try its filters on the items of the version that serves, if there is one."""
    from recsys.engine.filters import compile_filter, parse_filter
    from recsys.engine.scenarios import FILE_NAME, read_scenarios

    if not isinstance(store, Path):
        raise ConfigError(f"--store {store}: {FILE_NAME} is read from a folder; name the one of the service")
    path = store / FILE_NAME
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; docs/pages.md says how to write one")
    found, registry = read_scenarios(path), registry_of(store)
    items = None if registry.current() is None else registry.load().items
    for name, scenario in found.items():
        for at, row in enumerate(scenario.rows):
            try:
                if items is not None and row.filter is not None:
                    compile_filter(parse_filter(row.filter), items)
            except FilterError as error:
                raise ConfigError(f"{path}: scenarios.{name}.rows.{at}.filter: {error}") from error
        typer.echo(f"{name}: {', '.join(row.kind for row in scenario.rows)}")
