"""The command line: `recsys COMMAND`, the same as `python -m pipelines`.

Exit codes: 0 done; 1 unexpected; 2 the config, the data or an argument is wrong; 3 a gate refused to publish;
4 published, but an export failed; 5 another job published first; 6 ended by a limit, a signal or a crash;
7 forgotten, but a place may still hold something; 130 interrupted.
"""

import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from pipelines.bounded.endings import ENDED, JobEndedError
from pipelines.bounded.exhaustion import exhausted
from pipelines.commands import (
    ask,
    check,
    events,
    experiment,
    keys,
    live_demo,
    log,
    online,
    people,
    rendering,
    rendering_lists,
    rendering_night,
    scenarios,
    space,
    store,
)
from pipelines.commands.live_demo import NIGHTS, VISITS
from pipelines.commands.options import (
    Accept,
    Config,
    IgnoreForecast,
    Json,
    LogFormat,
    Overrides,
    command_line,
    names_of,
    parse_overrides,
    with_forecast,
)
from recsys.errors import GateError, RecsysError, StorageError, SupersededError

if TYPE_CHECKING:
    from recsys.pipeline_config import PipelineConfig

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Nightly recommendations from an interaction log. Start with `recsys demo`.",
    context_settings={"help_option_names": ["-h", "--help"]},
)

_NOT_EXPORTED = 4
_INTERRUPTED = 130
_SUPERSEDED = 5


def _show_releases(wanted: bool) -> None:
    if wanted:
        from pipelines.commands.releases import releases

        rendering.line(releases())
        raise typer.Exit


@app.callback()
def about(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            is_eager=True,
            callback=_show_releases,
            help="show the releases of recsys, Python and the main libraries",
        ),
    ] = False,
) -> None:
    """Nightly recommendations from an interaction log. Start with `recsys demo`."""


@app.command(
    epilog="Examples: `recsys demo`, `recsys demo --serve`, `recsys demo --live`, "
    "`recsys demo --live --nights 10 --database postgresql://shop@localhost/shop`"
)
def demo(
    serve: Annotated[bool, typer.Option("--serve", help="serve the result on port 8000 afterwards")] = False,
    live: Annotated[
        bool,
        typer.Option(
            "--live",
            help="instead: nights from PostgreSQL, readers who click on what they are shown, and an experiment "
            "against popular books",
        ),
    ] = False,
    nights: Annotated[int, typer.Option("--nights", min=1, max=100, help="of --live")] = NIGHTS,
    visits: Annotated[int, typer.Option("--visits", min=1, max=100_000, help="of --live, per day")] = VISITS,
    database: Annotated[
        str | None,
        typer.Option(
            "--database",
            help="of --live: a PostgreSQL database, in which the schema recsys_demo is made anew; default: a server "
            "that runs for the demo alone",
            show_default=False,
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--folder", help="for the files of the run; default: runs/demo or runs/live", show_default=False
        ),
    ] = None,
) -> None:
    """Write the built-in log, run the whole job on it, and show some recommendations."""
    if live:
        return live_demo.demo(folder or Path("runs/live"), database, nights=nights, visits=visits)
    from pipelines.commands.demo import run_demo
    from pipelines.commands.progress import listener

    with listener() as progress:
        result = run_demo(folder or Path("runs/demo"), progress=progress, announce=rendering.step)
    rendering_lists.demo(result)
    if serve:
        rendering.line("\nexplorer: http://127.0.0.1:8000/ shows what is recommended, and why (Ctrl-C ends it)")
        store.serve_forever("--store", str(result.store))
    return None


@app.command(epilog="Examples: `recsys run pipeline.toml`, `recsys run pipeline.toml --from train`")
def run(
    config: Config,
    first: Annotated[str, typer.Option("--from", metavar="STEP", help="start at this step")] = "prepare",
    overrides: Overrides = None,
    accept: Accept = None,
    full: Annotated[bool, typer.Option("--full", help="read an incremental log anew as a whole")] = False,
    ignore_forecast: IgnoreForecast = False,
    log_format: LogFormat = None,
    as_json: Json = False,
) -> None:
    """Run the nightly job: prepare, evaluate, train, index, publish.

    With `[[content]]` also encode, after prepare; with `[export]` also export, at the end.
    """
    log.configure(log_format)
    from pipelines.steps.workspace import ENCODE, EXPORT, STEPS

    if first not in (known := (STEPS[0], ENCODE, *STEPS[1:], EXPORT)):
        raise typer.BadParameter(f"got {first!r}, expected one of {', '.join(known)}", param_hint="--from")
    overrides = with_forecast(overrides, ignored=ignore_forecast)
    _run_steps(config, first, overrides, as_json, accept, onwards=True, full=full)


def _step_command(step: str, text: str) -> None:
    @app.command(step, help=text, epilog=f"Example: `recsys {step} pipeline.toml`")
    def command(
        config: Config,
        overrides: Overrides = None,
        ignore_forecast: IgnoreForecast = False,
        log_format: LogFormat = None,
        as_json: Json = False,
    ) -> None:
        log.configure(log_format)
        _run_steps(config, step, with_forecast(overrides, ignored=ignore_forecast), as_json)


_step_command("prepare", "Read, check and clean the log.")
_step_command("encode", "Make the vectors of `[[content]]` from titles, attributes, texts and pictures.")
_step_command(
    "evaluate", "Split the log, fit the model and the baselines on the train side, measure them on the other."
)
_step_command("train", "Fit the model on the whole log.")
_step_command("index", "Build the search index, and measure it against exact search.")


@app.command(
    epilog="Examples: `recsys publish pipeline.toml`, `recsys publish pipeline.toml --accept users,catalogue`"
)
def publish(
    config: Config,
    overrides: Overrides = None,
    accept: Accept = None,
    ignore_forecast: IgnoreForecast = False,
    log_format: LogFormat = None,
    as_json: Json = False,
) -> None:
    """Check the gates, write the report, seal a version, and let it serve."""
    log.configure(log_format)
    _run_steps(config, "publish", with_forecast(overrides, ignored=ignore_forecast), as_json, accept)


def _run_steps(
    path: Path,
    step: str,
    overrides: list[str] | None,
    as_json: bool,
    accept: list[str] | None = None,
    *,
    onwards: bool = False,
    full: bool = False,
) -> None:
    """Run `step` of the job of `path`; `onwards`: and those after it; `full`: an incremental log is read anew."""
    from pipelines.bounded.job import tell_job
    from pipelines.commands.progress import listener
    from pipelines.forecast.fits import check_fits
    from pipelines.steps.run import run as run_steps
    from pipelines.steps.workspace import steps_from
    from recsys import tracing
    from recsys.pipeline_config import load_config

    config = load_config(path, overrides=parse_overrides(overrides))
    steps = steps_from(step, config) if onwards else (step,)
    tell_job(config)
    check_fits(config, steps)
    try:
        with listener() as progress, tracing.exported("recsys-night"):
            accepted = names_of(accept)
            done = run_steps(
                config, steps=steps, progress=progress, announce=rendering.step, accept=accepted, full=full
            )
    except GateError as error:
        _refuse(config, path, command_line(path, overrides), error, as_json)
    except StorageError as error:
        raise StorageError(f"{error}; {_needed(config)}") from error
    if as_json:
        folders = {"workspace": str(config.workspace), "store": str(config.publish.store)}
        rendering.json_document({**folders, "steps": done.to_dict()})
    elif "publish" in done:
        rendering_night.published(config, done, path)
    if "export" in done and done.export.problems:
        rendering_night.not_exported(done.export.problems, command_line(path, overrides))
        raise typer.Exit(_NOT_EXPORTED)


def _needed(config: "PipelineConfig") -> str:
    """What the job needs on disk, by a forecast that reads the beginning of the log."""
    from pipelines.forecast.forecast import forecast
    from recsys.progress import silent

    try:
        found = forecast(config, quick=True, progress=silent)
    except (RecsysError, OSError):
        return "`recsys doctor CONFIG` forecasts what the job needs"
    workspace, version = (max(1, round(size / 2**20)) for size in (found.workspace, found.version))
    return (
        f"the job needs about {workspace:,} MiB in the workspace, and {version:,} MiB in the store for each version"
    )


def _refuse(config: "PipelineConfig", path: Path, given: str, error: GateError, as_json: bool) -> NoReturn:
    """Say why nothing was published, from the report that says so; ends with exit code 3.

    `path`: of the configuration. `given`: the path with the overrides, as on the command line.
    """
    from pipelines.steps.report import read_outcome
    from pipelines.steps.workspace import Workspace

    found = read_outcome(Workspace(config.workspace))
    if as_json:
        refusal = {
            "workspace": str(config.workspace),
            "verdict": "refused",
            "detail": str(error),
            "gates": error.gates,
        }
        rendering.json_document({**refusal, "outcome": found.model_dump(mode="json")})
    rendering_night.refused(config, found, path, given)
    raise typer.Exit(3) from error


app.command(epilog="Example: `recsys tune pipeline.toml --trials 40 --timeout 1800`")(check.tune)

_LISTS = "`recsys recommend --store runs/demo/store --user u0000505 -k 5`"
_VISITOR = "`recsys recommend --store runs/demo/store --did b000773 --did b000774 --explain`"
_PRUNE = "`recsys prune --store store --keep 14 --dry-run`, `recsys prune --store store --keep 14`"
_ROLLBACK = "`recsys rollback --store store`, `recsys rollback --store store v0123456789abcdef --hold`"
_REPORT = "`recsys report`, `recsys report v0123456789abcdef --store store --out report.html`"
app.command(epilog=f"Examples: {_LISTS}, {_VISITOR}")(ask.recommend)
app.command(epilog="Example: `recsys similar --store runs/demo/store --item b000773`")(ask.similar)
app.command(epilog="Example: `recsys search --store store 'desert planet'`")(ask.search)
_EXPORT = (
    "`recsys export --store runs/demo/store --out lists.parquet -k 50`, "
    "`recsys export --store runs/demo/store --to 'postgresql://shop:${PGPASSWORD}@db/shop/recs.lists'`"
)
_SPACE = (
    "`recsys space --store runs/demo/store`, `recsys space --store runs/demo/store --clusters 20`, "
    "`recsys space --store runs/demo/store --direction b000773 b000092`, "
    "`recsys space --store runs/demo/store --dimensions`"
)
app.command(epilog=f"Examples: {_SPACE}")(space.space)
app.command(epilog=f"Examples: {_EXPORT}")(store.export)
app.command(epilog="Example: `recsys models --store runs/demo/store`")(store.models)
app.command(epilog=f"Examples: {_ROLLBACK}")(store.rollback)
app.command(epilog="Example: `RECSYS_SIGNING_KEY=... recsys sign --store store v0123456789abcdef`")(store.sign)
app.command(epilog=f"Examples: {_REPORT}")(store.report)
app.command(epilog=f"Examples: {_PRUNE}")(store.prune)
_ONLINE = "`recsys online --events events.db --store store`, `recsys online --since 2026-11-01 --html online.html`"
app.command(epilog=f"Examples: {_ONLINE}")(online.online)
_FORGET = (
    "`recsys forget ada pipeline.toml --dry-run`, `recsys forget ada pipeline.toml --events events.db --yes`, "
    "`recsys forget --users leavers.txt --store store --yes`, `recsys forget --pending pipeline.toml`"
)
app.command(epilog=f"Examples: {_FORGET}")(people.forget)
app.command(epilog="Examples: `recsys subject ada pipeline.toml`, `recsys subject ada --store store --json`")(
    people.subject
)
app.add_typer(events.app, name="events", epilog="Example: `recsys events status --events events.db`")
app.add_typer(
    experiment.app, name="experiment", epilog="Example: `recsys experiment start --store store --treatment popular`"
)
app.add_typer(keys.app, name="keys", epilog="Example: `recsys keys new --name shop --scopes read,events`")
app.add_typer(scenarios.app, name="scenarios", epilog="Example: `recsys scenarios check --store store`")
app.command(add_help_option=False, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(
    store.serve
)


@app.command(epilog="Examples: `recsys fetch`, `RECSYS_DATA_DIR=data recsys fetch movielens-1m`")
def fetch(
    name: Annotated[
        str | None, typer.Argument(help="the data set; default: list the data sets", show_default=False)
    ] = None,
) -> None:
    """Download a public data set into $RECSYS_DATA_DIR (default: data), verify and unpack it."""
    from pipelines.commands.progress import listener
    from pipelines.datasets.cards import list_cards
    from pipelines.datasets.fetch import fetch_dataset
    from recsys.config import data_dir

    if name is None:
        return rendering.cards(list_cards())
    with listener() as progress:
        fetched = fetch_dataset(name, data_dir=data_dir(), progress=progress)
    return rendering.line(f"{name} is in {fetched.folder}" + ("" if fetched.made else " already"))


app.command(epilog="Examples: `recsys doctor`, `recsys doctor pipeline.toml`")(check.doctor)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line on `arguments`, by default those of the process.

    Turns the library's errors into a message and an exit code: ends with SystemExit.
    """
    try:
        log.configure()
        app(arguments, prog_name="recsys")
    except GateError as error:
        rendering.problem(error)
        sys.exit(3)
    except RecsysError as error:
        rendering.problem(error)
        sys.exit(_SUPERSEDED if isinstance(error, SupersededError) else 2)
    except Exception as error:
        if refused := exhausted(error):
            rendering.problem(JobEndedError(f"the system refused memory or threads: {refused}"))
            sys.exit(ENDED)
        if not isinstance(error, OSError):
            raise
        logging.getLogger(__name__).debug("%s", error, exc_info=True)
        place = error.filename or "the output"  # a file that cannot be read or written
        rendering.problem(StorageError(f"{place}: {os.strerror(error.errno) if error.errno else error}"))
        sys.exit(2)
    except SystemExit as ended:  # typer turns Ctrl-C into this exit code
        if ended.code == _INTERRUPTED:
            rendering.interrupted()
        raise


if __name__ == "__main__":
    main()
