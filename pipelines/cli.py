"""The command line: `recsys COMMAND`, the same as `python -m pipelines`.

Exit codes: 0 done; 1 unexpected; 2 the config, the data or an argument is wrong; 3 a gate refused to publish;
130 interrupted.
"""

import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from pipelines.commands import ask, show, show_lists
from pipelines.commands.ask import Condition, Count, Json, Store
from recsys.errors import ConfigError, GateError, RecsysError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Nightly recommendations from an interaction log. Start with `recsys demo`.",
    context_settings={"help_option_names": ["-h", "--help"]},
)

_INTERRUPTED = 130

Config = Annotated[Path, typer.Argument(metavar="CONFIG", help="a pipeline.toml", show_default=False)]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="override a setting, e.g. `model.factors=64`; may be repeated"),
]


@app.command(epilog="Examples: `recsys demo`, `recsys demo --serve`")
def demo(
    serve: Annotated[bool, typer.Option("--serve", help="then serve the result on port 8000")] = False,
    folder: Annotated[Path, typer.Option("--folder", help="where the run's files go")] = Path("runs/demo"),
) -> None:
    """Write the built-in log, run the whole job on it, show what was learned."""
    from pipelines.commands.demo import run_demo
    from pipelines.commands.progress import listener

    with listener() as progress:
        shown = run_demo(folder, progress=progress, announce=show.step)
    show_lists.demo(shown)
    if serve:
        _serve_forever("--store", str(shown.store))


@app.command(epilog="Examples: `recsys run pipeline.toml`, `recsys run pipeline.toml --from train`")
def run(
    config: Config,
    first: Annotated[str, typer.Option("--from", metavar="STEP", help="resume at this step")] = "prepare",
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """The nightly job: prepare, evaluate, train, index, publish."""
    from pipelines.steps.workspace import STEPS

    if first not in STEPS:
        raise typer.BadParameter(f"got {first!r}, expected one of {', '.join(STEPS)}", param_hint="--from")
    _run_steps(config, STEPS[STEPS.index(first) :], overrides, as_json)


def _step_command(step: str, text: str) -> None:
    @app.command(step, help=text, epilog=f"Example: `recsys {step} pipeline.toml`")
    def command(config: Config, overrides: Overrides = None, as_json: Json = False) -> None:
        _run_steps(config, (step,), overrides, as_json)


_step_command("prepare", "Read and check the log, lay it down as arrays.")
_step_command("evaluate", "Split the log, fit the model and the baselines, compare them, write the report.")
_step_command("train", "Fit the model on everything.")
_step_command("index", "Make the item vectors searchable; measure the search against exact.")
_step_command("publish", "Run the gates, seal a version, point the store to it.")


def _run_steps(path: Path, steps: tuple[str, ...], overrides: list[str] | None, as_json: bool) -> None:
    from pipelines.commands.overrides import parse_overrides
    from pipelines.commands.progress import listener
    from pipelines.steps.run import run as run_steps
    from recsys.pipeline_config import load_config

    config = load_config(path, overrides=parse_overrides(overrides or []))
    try:
        with listener() as progress:
            done = run_steps(config, steps=steps, progress=progress, announce=show.step)
    except GateError as error:
        if as_json:
            show.json_document({"workspace": str(config.workspace), "verdict": "refused", "detail": str(error)})
        raise
    if as_json:
        show.json_document({"workspace": str(config.workspace), "store": str(config.publish.store), "steps": done})
    elif "publish" in done:
        show.published(config, done)


@app.command(epilog="Example: `recsys tune pipeline.toml --trials 40 --timeout 1800`")
def tune(
    config: Config,
    trials: Annotated[
        int | None, typer.Option(min=1, help="in all; 30 without --timeout, any number with it", show_default=False)
    ] = None,
    timeout: Annotated[float | None, typer.Option(min=0, metavar="SECONDS", show_default=False)] = None,
    factors_low: Annotated[int, typer.Option(min=1, help="dimension of the first two thirds of the trials")] = 64,
    tune_events: Annotated[bool, typer.Option("--tune-events", help="event weights and half-life too")] = False,
    write: Annotated[bool, typer.Option("--write", help="change CONFIG itself, comments stay")] = False,
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Search model and weighting settings on a validation part of the train side; write WORKSPACE/tune/tuned.toml."""
    from pipelines.commands.extras import require_extra
    from pipelines.commands.overrides import parse_overrides
    from pipelines.commands.progress import listener
    from recsys.pipeline_config import load_config

    require_extra("tune", "optuna", "tomlkit")
    from pipelines.commands import show_tuning
    from pipelines.commands.tune import trials_file, tuned_file
    from pipelines.commands.tune import tune as run_tune
    from recsys.tuning.budget import SearchBudget

    given = parse_overrides(overrides or [])
    resolved = load_config(config, overrides=given)
    budget = SearchBudget(trials, timeout, factors_low, tune_events)
    announce = show_tuning.announcement
    with listener() as progress:
        found = run_tune(config, resolved, budget, given=given, write=write, progress=progress, announce=announce)
    files = {"tuned": str(tuned_file(resolved)), "trials": str(trials_file(resolved))}
    written = str(config) if write and found.settings else None
    if as_json:
        show.json_document({**found.to_dict(), **files, "written": written})
    else:
        show_tuning.outcome(found, **files, written=written)


_FOR_A_VISITOR = "`recsys recommend --store runs/demo/store --did b000773 --did b000774 --explain`"
app.command(epilog=f"Examples: `recsys recommend --store runs/demo/store --user u0000505 -k 5`, {_FOR_A_VISITOR}")(
    ask.recommend
)
app.command(epilog="Example: `recsys similar --store runs/demo/store --item b000773`")(ask.similar)


@app.command(epilog="Example: `recsys export --store runs/demo/store --out lists.parquet -k 50`")
def export(
    store: Store,
    out: Annotated[Path, typer.Option("--out", help=".parquet, .csv or .jsonl", show_default=False)],
    k: Count = 100,
    condition: Condition = None,
) -> None:
    """Every user's list as a file: user_id, item_id, rank, score, model_version."""
    from pipelines.commands.export import export as export_lists
    from pipelines.commands.progress import listener

    engine = ask.engine_of(store)
    with listener() as progress, ask.pointing_into(condition):
        rows = export_lists(engine, out, k=k, progress=progress, filter=condition)
    show.line(f"{rows:,} rows in {out}")


@app.command(epilog="Example: `recsys models --store runs/demo/store`")
def models(store: Store, as_json: Json = False) -> None:
    """The versions, newest first, with metrics and verdicts; exit code 2 where CURRENT or HISTORY is wrong."""
    from recsys.artifacts.inventory import take_inventory

    found = take_inventory(_registry(store))
    if as_json:
        show.json_document(found.to_list())
    else:
        show.versions(store, found)
    if found.faults:
        show.faults(store, found)
        raise typer.Exit(2)


@app.command(epilog="Examples: `recsys rollback --store store`, `recsys rollback --store store VERSION`")
def rollback(
    store: Store,
    as_json: Json = False,
    version: Annotated[
        str | None, typer.Argument(help="default: the one that served before", show_default=False)
    ] = None,
) -> None:
    """Point back to an earlier version, after checking every file of it."""
    serving = _registry(store).rollback(version)
    if as_json:
        show.json_document({"store": str(store), "version": serving})
    else:
        show.line(f"{store} now serves {serving}; the next run publishes again")


@app.command(
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def serve(options: typer.Context) -> None:
    """Serve a store over HTTP; new versions are picked up as they are published."""
    _serve_forever(*options.args)


def _serve_forever(*options: str) -> None:
    # The service is another program: the two halves of the product meet only in the store.
    # -P keeps a folder named `api` in the working folder from being imported instead of the service.
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-P", "-m", "api", *options])


@app.command(epilog="Example: `RECSYS_DATA_DIR=data recsys fetch movielens-1m`")
def fetch(
    name: Annotated[
        str | None, typer.Argument(help="a data set; without one, they are listed", show_default=False)
    ] = None,
) -> None:
    """Download a data set by its card, verify and unpack it into $RECSYS_DATA_DIR."""
    from pipelines.commands.progress import listener
    from pipelines.datasets.cards import list_cards
    from pipelines.datasets.fetch import fetch_dataset
    from recsys.config import data_dir

    if name is None:
        return show.cards(list_cards())
    with listener() as progress:
        fetched = fetch_dataset(name, data_dir=data_dir(), progress=progress)
    return show.line(f"{name} is in {fetched}")


@app.command(epilog="Examples: `recsys doctor`, `recsys doctor pipeline.toml`")
def doctor(
    config: Annotated[
        Path | None, typer.Argument(metavar="[CONFIG]", help="forecast this job", show_default=False)
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="look at the first million rows of the log only, and extrapolate")
    ] = False,
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Check the installation; or, with CONFIG, forecast memory, disk and time of its job before it is run."""
    from pipelines.commands.doctor import examine

    if config is not None:
        fine = _forecast(config, quick, overrides, as_json)
    else:
        findings = examine()
        fine = all(finding.fine for finding in findings)
        if as_json:
            show.json_document([vars(finding) for finding in findings])
        else:
            show.findings(findings)
    if not fine:
        raise typer.Exit(1)


def _forecast(path: Path, quick: bool, overrides: list[str] | None, as_json: bool) -> bool:
    """Whether the job of `path` fits into this machine."""
    from pipelines.commands import show_forecast
    from pipelines.commands.overrides import parse_overrides
    from pipelines.commands.progress import listener
    from pipelines.forecast.forecast import forecast
    from recsys.pipeline_config import load_config

    resolved = load_config(path, overrides=parse_overrides(overrides or []))
    with listener() as progress:
        found = forecast(resolved, quick=quick, progress=progress)
    if as_json:
        show.json_document(found.to_dict())
    else:
        show_forecast.outcome(found)
    return found.fine


def _registry(store: Path) -> Any:
    from recsys.artifacts.registry import Registry

    if not store.is_dir():
        raise ConfigError(f"--store {store}: there is no such folder")
    return Registry(store)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line on `arguments`, by default those of the process.

    Turns the library's errors into a message and an exit code: ends with SystemExit.
    """
    logging.basicConfig(
        level=os.environ.get("RECSYS_LOG_LEVEL", "WARNING").upper(),
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
        stream=sys.stderr,
    )
    try:
        app(arguments, prog_name="recsys")
    except GateError as error:
        show.problem(error)
        sys.exit(3)
    except RecsysError as error:
        show.problem(error)
        sys.exit(2)
    except SystemExit as ended:  # typer turns Ctrl-C into this exit code
        if ended.code == _INTERRUPTED:
            show.err.print("interrupted: finished steps keep their outputs, the serving version is untouched")
        raise


if __name__ == "__main__":
    main()
