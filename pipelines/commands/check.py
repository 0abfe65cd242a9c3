"""The commands around a night: `recsys tune` before the first, `recsys doctor` before any."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands import rendering
from pipelines.commands.options import Config, Json, Overrides, parse_overrides, require_extra


def tune(
    config: Config,
    trials: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=100_000,
            help="number of trials (default: 30, or any number with --timeout)",
            show_default=False,
        ),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(min=0, max=8_640_000, metavar="SECONDS", help="stop after this time", show_default=False),
    ] = None,
    factors_low: Annotated[
        int, typer.Option(min=1, max=4096, help="factors in the first two thirds of the trials")
    ] = 64,
    tune_events: Annotated[
        bool, typer.Option("--tune-events", help="search event weights and the half-life too")
    ] = False,
    coverage_weight: Annotated[
        float,
        typer.Option(
            min=0,
            max=1000,
            metavar="WEIGHT",
            help="search for the best publish.metric + WEIGHT * coverage of the lists",
        ),
    ] = 0.0,
    write: Annotated[bool, typer.Option("--write", help="change CONFIG itself; its comments stay")] = False,
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Search better settings on a validation part of the train side; write them to WORKSPACE/tune/tuned.toml."""
    from pipelines.commands.progress import listener
    from recsys.pipeline_config import load_config

    require_extra("tune", "optuna", "tomlkit")
    from pipelines.bounded.job import tell_job
    from pipelines.commands import show_tuning
    from pipelines.commands.tune import trials_file, tuned_file
    from pipelines.commands.tune import tune as run_tune
    from recsys.tuning.budget import SearchBudget

    given = parse_overrides(overrides)
    resolved = load_config(config, overrides=given)
    tell_job(resolved, timed=False)
    budget = SearchBudget(trials, timeout, factors_low, tune_events, coverage_weight=coverage_weight)
    announce = show_tuning.announcement
    with listener() as progress:
        found = run_tune(config, resolved, budget, given=given, write=write, progress=progress, announce=announce)
    files = {"tuned": str(tuned_file(resolved)), "trials": str(trials_file(resolved))}
    written = str(config) if write and found.settings else None
    if as_json:
        rendering.json_document({**found.to_dict(), **files, "written": written})
    else:
        show_tuning.outcome(found, **files, written=written)


def doctor(
    config: Annotated[
        Path | None,
        typer.Argument(metavar="[CONFIG]", help="the pipeline.toml of a job to check", show_default=False),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick", help="read only the first million rows of the log, extrapolate, and say what is not checked"
        ),
    ] = False,
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Check the installation. With CONFIG, check whether its job would pass, and forecast memory, disk and time.

    The exit code is 1 if a part does not work or the job does not fit, 2 if the job would fail on its configuration
    or data, 3 if night gates would refuse to publish.
    """
    code = _examine(as_json) if config is None else _diagnose(config, quick, overrides, as_json)
    if code:
        raise typer.Exit(code)


def _examine(as_json: bool) -> int:
    """Check every part of the installation; the exit code."""
    from pipelines.commands.doctor import examine

    findings = examine()
    if as_json:
        rendering.json_document([finding.to_dict() for finding in findings])
    else:
        rendering.findings(findings)
    return 0 if all(finding.fine for finding in findings) else 1


def _diagnose(path: Path, quick: bool, overrides: list[str] | None, as_json: bool) -> int:
    """Check the job of `path`; the exit code."""
    from pipelines.bounded.job import tell_job
    from pipelines.commands.doctor import diagnose
    from pipelines.commands.progress import listener
    from recsys.pipeline_config import load_config

    config = load_config(path, overrides=parse_overrides(overrides))
    tell_job(config)
    with listener() as progress:
        found = diagnose(config, quick=quick, progress=progress)
    if as_json:
        rendering.json_document(found.to_dict())
    else:
        rendering.diagnosis(found)
    return found.exit_code
