"""`recsys experiment`: start, look at, change and end the experiment of a store."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pipelines.commands import rendering, rendering_online
from pipelines.commands.event_store import Events, open_events
from pipelines.commands.options import Json, Store, names_of
from pipelines.commands.store import registry_of
from recsys.errors import ConfigError

if TYPE_CHECKING:
    from recsys.artifacts.experiments import Experiments
    from recsys.experiments.guardrails import Guards
    from recsys.experiments.plan import Rate
    from recsys.online.baseline import Baseline

app = typer.Typer(
    no_args_is_help=True, help="Serve two versions side by side, and tell which one people like better."
)

Kinds = list[str] | None


@app.command(epilog="Example: `recsys experiment start --store store --treatment v0123456789abcdef --effect 0.05`")
def start(
    store: Store,
    treatment: Annotated[str, typer.Option("--treatment", help="a version, current or popular", show_default=False)],
    control: Annotated[
        str | None,
        typer.Option(
            "--control",
            help="a version, current or popular; default: the version that serves now, by name; "
            "current, which follows every night, if treatment is popular",
            show_default=False,
        ),
    ] = None,
    share: Annotated[float, typer.Option("--share", help="of the users, in treatment")] = 0.5,
    effect: Annotated[
        float, typer.Option("--effect", help="the relative difference that should be found, 0.1 is 10 %")
    ] = 0.1,
    rate: Annotated[
        Literal["click_through", "conversion"], typer.Option("--rate", help="what decides")
    ] = "click_through",
    baseline: Annotated[
        float | None,
        typer.Option(
            "--baseline", help="the rate today; default: of the last 28 days of --events, or 0.05", show_default=False
        ),
    ] = None,
    clicks: Annotated[
        Kinds, typer.Option("--clicks", metavar="KINDS", help="events that are clicks; default: all")
    ] = None,
    conversions: Annotated[
        Kinds, typer.Option("--conversions", metavar="KINDS", help="events that are conversions; default: all")
    ] = None,
    alpha: Annotated[float, typer.Option("--alpha", help="rate of false alarms")] = 0.05,
    power: Annotated[float, typer.Option("--power", help="how often the effect should be found")] = 0.8,
    name: Annotated[str, typer.Option("--name", help="default: experiment-DATE", show_default=False)] = "",
    max_seconds: Annotated[
        float, typer.Option("--max-seconds", help="guardrail: 99 % of the lists take no longer")
    ] = 0.25,
    max_loss: Annotated[
        float,
        typer.Option("--max-loss", help="guardrail: share of control's click-through that may be lost; 1: none"),
    ] = 0.2,
    events: Events = None,
    as_json: Json = False,
) -> None:
    """Split users from now on; every service of the store follows within seconds.

    The needed size is told before anything is split. Guardrails end the experiment by themselves.
    """
    from recsys.artifacts.experiments import Experiments
    from recsys.online.baseline import goal_of
    from recsys.online.trees import of_experiment

    registry = registry_of(store)
    kinds = tuple(names_of(clicks)), tuple(names_of(conversions))
    expected = _baseline(baseline, events, rate, kinds)
    goal = goal_of(
        expected,
        rate=rate,
        effect=effect,
        share=share,
        alpha=alpha,
        power=power,
        clicks=kinds[0],
        conversions=kinds[1],
    )
    default = "current" if treatment == "popular" else registry.current() or "current"
    started = Experiments(registry).start(
        control=control or default,
        treatment=treatment,
        share=share,
        goal=goal,
        name=name,
        guards=_guards(max_seconds, max_loss),
    )
    if as_json:
        return rendering.json_document(
            {**of_experiment(started), "baseline_is_measured": expected.is_measured, "store": str(store)}
        )
    return rendering_online.started(started, expected)


@app.command(epilog="Example: `recsys experiment status --store store --events events.db`")
def status(store: Store, events: Events = None, as_json: Json = False) -> None:
    """Tell what the arms' users did so far, and what that is worth. Looking every day is allowed."""
    from recsys.online.experiment import look
    from recsys.online.trees import of_experiment, of_reading

    experiment = _experiments(store).now()
    if experiment is None:
        return rendering.json_document(None) if as_json else rendering.line(f"{store}: there is no experiment")
    if not events:
        if as_json:
            return rendering.json_document({"experiment": of_experiment(experiment)})
        rendering_online.plan(experiment)
        return rendering.notice("--events, the service's event store, is not given: what users did is not known")
    database = open_events(events)
    try:
        reading = look(database, experiment)
    finally:
        database.close()
    if as_json:
        return rendering.json_document(of_reading(reading))
    return rendering_online.reading(reading)


@app.command(epilog="Example: `recsys experiment share --store store 0.5`")
def share(
    store: Store,
    share: Annotated[float, typer.Argument(help="of the users, in treatment", show_default=False)],
    as_json: Json = False,
) -> None:
    """Change the share of treatment. Only users who have to change arms do; what was counted before is not read."""
    from recsys.online.trees import of_experiment

    changed = _experiments(store).change_share(share)
    if as_json:
        return rendering.json_document(of_experiment(changed))
    return rendering.line(f"{changed.name}: {share:.1%} of the users are in treatment; it is read anew from now on")


@app.command(epilog="Example: `recsys experiment stop --store store --reason 'better'`")
def stop(
    store: Store,
    reason: Annotated[str, typer.Option("--reason", help="kept in HISTORY", show_default=False)] = "",
    as_json: Json = False,
) -> None:
    """End the experiment: everybody gets the version that serves. `recsys rollback` lets another one serve."""
    from recsys.online.trees import of_experiment

    ended = _experiments(store).stop(reason=reason)
    if as_json:
        return rendering.json_document(of_experiment(ended))
    return rendering.line(
        f"{ended.name} has ended after {ended.days:.1f} days; everybody gets the version that serves"
    )


def _experiments(store: "Store") -> "Experiments":
    from recsys.artifacts.experiments import Experiments

    return Experiments(registry_of(store))


def _guards(max_seconds: float, max_loss: float) -> "Guards":
    from recsys.experiments.guardrails import Guards

    if not max_seconds > 0:
        raise ConfigError(f"--max-seconds: got {max_seconds:g}; expected more than 0")
    if not 0 < max_loss <= 1:
        raise ConfigError(f"--max-loss: got {max_loss:g}; expected more than 0, up to 1")
    return Guards(max_seconds=max_seconds, click_through=max_loss)


def _baseline(
    given: float | None, events: str | None, rate: "Rate", kinds: tuple[tuple[str, ...], tuple[str, ...]]
) -> "Baseline":
    from recsys.online.baseline import assumed, measured

    if given is not None:
        return assumed(given)
    if not events:
        return assumed()
    database = open_events(events)
    try:
        return measured(database, rate, clicks=kinds[0], conversions=kinds[1]) or assumed()
    finally:
        database.close()
