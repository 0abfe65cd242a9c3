"""`recsys space`: what the vectors of the version that serves mean."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.commands import rendering, rendering_space
from pipelines.commands.options import Json, Store
from pipelines.commands.store import registry_of
from recsys.errors import ConfigError

if TYPE_CHECKING:
    from recsys.artifacts.bundle import Bundle


def space(
    store: Store,
    clusters: Annotated[
        int | None,
        typer.Option(
            "--clusters",
            min=2,
            max=500,
            help="how many; default: by the number of items, up to 30",
            show_default=False,
        ),
    ] = None,
    direction: Annotated[
        tuple[str, str] | None,
        typer.Option(
            "--direction", metavar="ITEM_A ITEM_B", help="what changes from one item to another", show_default=False
        ),
    ] = None,
    dimensions: Annotated[
        bool,
        typer.Option("--dimensions", help="what fewer dimensions, and fewer bytes per number, keep of the lists"),
    ] = False,
    as_json: Json = False,
) -> None:
    """Read the space of the learned item vectors: clusters and directions, named by attributes and titles.

    docs/embeddings.md says how to read it.
    """
    if (clusters is not None) + (direction is not None) + dimensions > 1:
        raise ConfigError("space: expected at most one of --clusters, --direction and --dimensions")
    bundle = registry_of(store).load()
    if dimensions:
        _dimensions(bundle, as_json)
    else:
        _reading(bundle, clusters, direction, as_json)


def _reading(bundle: "Bundle", clusters: int | None, direction: tuple[str, str] | None, as_json: bool) -> None:
    from recsys.space.reading import read_space

    model = bundle.model
    found = read_space(
        bundle.items, model.embeddings.items, model.item_degree, n_clusters=clusters, between=direction
    )
    if as_json:
        tree = asdict(found)
        kept = ("n_items", "n_read", *(("directions",) if direction else ("clusters", "directions")))
        rendering.json_document({"model_version": bundle.manifest.version, **{name: tree[name] for name in kept}})
    elif direction:
        rendering_space.directions(found)
    else:
        rendering_space.clusters(found)
        rendering_space.directions(found)


def _dimensions(bundle: "Bundle", as_json: bool) -> None:
    from pipelines.commands.progress import listener
    from recsys.space.dimensions import measure_dimensions

    with listener() as progress:
        found = measure_dimensions(bundle.model.embeddings, bundle.left_out, progress=progress)
    if as_json:
        rendering.json_document({"model_version": bundle.manifest.version, **asdict(found)})
    else:
        rendering_space.dimensions(found)
