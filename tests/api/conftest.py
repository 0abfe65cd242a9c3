"""A small book shop, published by the real parts, and the service on top of it."""

import asyncio
import gc
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pytest

from api.app import create_app
from api.settings import Settings
from recsys.artifacts.bundle import seal_bundle
from recsys.artifacts.contents import Contents
from recsys.artifacts.manifest import VersionFacts
from recsys.artifacts.registry import Registry
from recsys.config import IndexConfig
from recsys.data.id_map import IdMap
from recsys.data.items import Items
from recsys.data.matrix import InteractionMatrix, csr_from_pairs
from recsys.models.factors.als import AlsConfig
from recsys.models.registry import fit_model
from recsys.progress import silent
from recsys.retrieval.exact import normalised
from recsys.retrieval.faiss_index import build_index

SCIENCE_FICTION = ["dune", "solaris", "ubik", "neuromancer", "hyperion"]
MUSIC = ["AC/DC", "R&B? 100% #1", "Björk", "../livez", "a b"]
FANS = ["ada", "bob", "cem", "dee"]
LISTENERS = ["eve", "u/v", "Zoë", "gus"]
TITLES = {"dune": "Dune", "AC/DC": "Let There Be Rock"}


def _events() -> list[tuple[str, str]]:
    """Two groups that share no item; every member but the first leaves one item of the group unread."""
    events = []
    for members, items in ((FANS, SCIENCE_FICTION), (LISTENERS, MUSIC)):
        for place, member in enumerate(members):
            events += [(member, item) for at, item in enumerate(items) if at != place]
    return events


def _matrix() -> InteractionMatrix:
    users, row = IdMap.of([user for user, _ in _events()])
    items, col = IdMap.of([item for _, item in _events()])
    weight = np.ones(len(row), np.float32)
    return InteractionMatrix(users, items, csr_from_pairs(row, col, weight, (len(users), len(items))))


def _catalogue(ids: IdMap) -> Items:
    names = ids.ids.to_pylist()
    price = [float("nan") if name == "ubik" else 9.5 for name in names]
    table = {"title": pa.array([TITLES.get(name) for name in names], pa.string()), "price": pa.array(price)}
    return Items(ids, pa.table(table))


def _publish(store: Path, *, seed: int = 1) -> str:
    matrix, config = _matrix(), AlsConfig(factors=4, seed=seed, regularization=1.0)
    model = fit_model(matrix, config)
    vectors = model.embeddings
    manifest = seal_bundle(
        store,
        Contents(
            users=matrix.users,
            items=_catalogue(matrix.items),
            model=model,
            seen=matrix.csr,
            popularity=np.bincount(matrix.csr.indices, minlength=matrix.n_items).astype(np.float32),
            index=build_index(vectors.scoring_items, IndexConfig(), progress=silent),
            similar=build_index(normalised(vectors.items), IndexConfig(), progress=silent),
        ),
        VersionFacts(
            config={
                "model": config.model_dump(),
                "evaluate": {"split": "given", "holdout_paths": ["/secret/place/test.csv"]},
                "log": {"paths": ["/secret/place/log.csv"]},
            },
            log={"fingerprint": "f" * 64},
            counts={"n_users": matrix.n_users},
            metrics={"ndcg@20": 0.25},
            verdict="published",
        ),
    )
    Registry(store).publish(manifest.version)
    return manifest.version


class Service:
    """The application in this process, started as a server would start it, asked without a network."""

    def __init__(self, settings: Settings) -> None:
        self._runner = asyncio.Runner()
        self.app = create_app(settings)
        self._lifespan = self.app.router.lifespan_context(self.app)
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://service")

    def __enter__(self) -> "Service":
        self._runner.run(self._lifespan.__aenter__())
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._client.aclose())
        self._runner.run(self._lifespan.__aexit__(None, None, None))
        self._runner.close()

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self._runner.run(self._client.request(method, path, **options))

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.send("GET", path, **options)

    def get_together(self, paths: Sequence[str]) -> list[httpx.Response]:
        """All of `paths`, asked for at the same moment."""

        async def ask() -> list[httpx.Response]:
            return list(await asyncio.gather(*map(self._client.get, paths)))

        return self._runner.run(ask())

    def wait(self, seconds: float) -> None:
        """Let the event loop run: the polling task lives there."""
        self._runner.run(asyncio.sleep(seconds))


@pytest.fixture(scope="session")
def publish() -> Callable[..., str]:
    """Train, seal and publish a version into a store; another `seed`, another version."""
    return _publish


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one published version; nobody changes it."""
    folder = tmp_path_factory.mktemp("shop") / "store"
    _publish(folder)
    return folder


@pytest.fixture(scope="session")
def service(store: Path) -> Iterator[Service]:
    """The service on that store."""
    with Service(Settings(store=store)) as service:
        yield service


@pytest.fixture
def start() -> Iterator[Callable[[Settings], Service]]:
    """Start a service of one's own; it is stopped at the end of the test."""
    started: list[Service] = []

    def start_service(settings: Settings) -> Service:
        started.append(Service(settings).__enter__())
        return started[-1]

    yield start_service
    for service in started:
        service.__exit__()


@pytest.fixture
def without_collector() -> Iterator[None]:
    """What leaves memory meanwhile leaves by itself."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()
