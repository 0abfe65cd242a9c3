"""A small book shop, published by the real parts, and the service on top of it."""

import asyncio
import gc
import json
import re
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse as sp
from fastapi import FastAPI
from jsonschema import Draft202012Validator, FormatChecker

from api.app import create_app
from api.settings import Settings
from recsys.artifacts.bundle import Pages, seal_bundle
from recsys.artifacts.contents import Contents
from recsys.artifacts.manifest import VersionFacts
from recsys.artifacts.registry import Registry
from recsys.content.encoders.tfidf import TfidfConfig, fit_tfidf
from recsys.content.space import ContentSource, ContentSpace
from recsys.data.id_map import IdMap
from recsys.data.items import Items
from recsys.data.matrix import InteractionMatrix, csr_from_pairs
from recsys.models.factors.als import AlsConfig
from recsys.models.neighbours.weights import NeighbourWeights
from recsys.models.registry import fit_model
from recsys.progress import silent
from recsys.retrieval.exact import normalised
from recsys.retrieval.flat_index import build_index
from recsys.space.item_map import make_map

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


def _neighbours(matrix: InteractionMatrix) -> NeighbourWeights:
    """Items of the same readers add a little to each other's scores, the later one a little more."""
    together = (matrix.csr.T @ matrix.csr).toarray()
    np.fill_diagonal(together, 0)
    weights = together * np.linspace(0.01, 0.02, matrix.n_items, dtype=np.float32)
    return NeighbourWeights(sp.csr_matrix(weights.astype(np.float32)), 0.5)


def _content(items: Items) -> ContentSpace:
    fitted = fit_tfidf(items, TfidfConfig(columns=("title",), min_items=1))
    return ContentSpace((ContentSource("words", "tfidf", ("title",), fitted.encode(items).vectors, 1.0, fitted),))


def _publish(
    store: Path,
    *,
    seed: int = 1,
    with_content: bool = True,
    session_weight: float | None = None,
    log: Mapping[str, object] = MappingProxyType({}),
    newest: int = 1_700_000_000,
    pages: Pages | None = None,
) -> str:
    matrix = _matrix()
    config = AlsConfig(factors=4, seed=seed, regularization=1.0, session_weight=session_weight)
    model = fit_model(matrix, config).with_neighbours(_neighbours(matrix))
    vectors, items = model.embeddings, _catalogue(matrix.items)
    manifest = seal_bundle(
        store,
        Contents(
            users=matrix.users,
            items=items,
            model=model,
            history=matrix.csr,
            content=_content(items) if with_content else None,
            map=make_map(vectors.items, model.item_degree, method="pca", most=100),
            popularity=np.bincount(matrix.csr.indices, minlength=matrix.n_items).astype(np.float32),
            index=build_index(vectors.scoring_items, progress=silent),
            similar=build_index(normalised(vectors.items), progress=silent),
        ),
        VersionFacts(
            config={
                "model": config.model_dump(),
                "evaluate": {"split": "given", "holdout_paths": ["/secret/place/test.csv"]},
                "log": {"paths": ["/secret/place/log.csv"], **log},
            },
            log={"fingerprint": "f" * 64, "newest_event": newest},
            counts={"n_users": matrix.n_users},
            metrics={"ndcg@20": 0.25},
            verdict="published",
        ),
        pages=pages,
    )
    Registry(store).publish(manifest.version)
    return manifest.version


UNDOCUMENTED = {"/", "/docs", "/openapi.json", "/explore"}
"""Paths that are for people, or for OpenAPI itself."""


class Contract:
    """The document of one application, as a check of replies."""

    def __init__(self, app: FastAPI) -> None:
        self._document = json.loads(json.dumps(app.openapi()))
        self._paths = [
            (re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))), path) for path in self._document["paths"]
        ]
        self._components = _closed(self._document["components"])
        self._validator = cache(self._new_validator)

    def check(self, reply: httpx.Response) -> None:
        """Fails if `reply` is not documented as it is."""
        path = reply.request.url.raw_path.decode().partition("?")[0]
        method = reply.request.method.lower()
        matching = [self._document["paths"][name] for pattern, name in self._paths if pattern.fullmatch(path)]
        operations = next((each for each in matching if method in each), matching[0] if matching else {})
        of_a_page = "/explorer/" in path and reply.status_code != 500
        if not operations and (path in UNDOCUMENTED or of_a_page or not _is_path(path)):
            return
        operation = operations.get(reply.request.method.lower())
        if operation is None:  # no such path, or no such method there
            assert reply.status_code in {401, 403, 404, 405, 422, 429}, reply.text
            assert ("allow" in reply.headers) == (reply.status_code == 405)
            self._check_schema({"$ref": "#/components/schemas/Problem"}, reply)
            return
        documented = operation["responses"][str(reply.status_code)]
        self._check_headers(documented["headers"], reply)
        if reply.request.method == "HEAD":
            assert "content" not in documented
            return
        media_type = reply.headers["content-type"].partition(";")[0]
        schema = documented["content"][media_type]["schema"]
        if media_type == "text/plain":
            assert schema == {"type": "string"}
        else:
            self._check_schema(schema, reply)

    def _check_headers(self, documented: dict[str, Any], reply: httpx.Response) -> None:
        for name, reference in documented.items():
            header = self._document["components"]["headers"][reference["$ref"].rpartition("/")[2]]
            assert name in reply.headers or not header.get("required"), f"{name} is missing"
        for name in ("x-request-id", "x-model-version", "allow", "www-authenticate"):
            assert name not in reply.headers or name in {each.lower() for each in documented}, (
                f"{name} is undocumented"
            )

    def _check_schema(self, schema: dict[str, Any], reply: httpx.Response) -> None:
        body = reply.json()
        self._validator(json.dumps(schema)).validate(body)
        if "model_version" in body:
            assert reply.headers["x-model-version"] == body["model_version"]

    def _new_validator(self, schema: str) -> Draft202012Validator:
        whole = {**json.loads(schema), "components": self._components}
        Draft202012Validator.check_schema(whole)
        return Draft202012Validator(whole, format_checker=FormatChecker())


def _is_path(path: str) -> bool:
    return path.startswith(("/v1/", "/admin/"))


def _closed(node: Any) -> Any:
    """`node`, whose objects take no fields but those they document."""
    if isinstance(node, list):
        return [_closed(each) for each in node]
    if not isinstance(node, dict):
        return node
    closed = {key: _closed(value) for key, value in node.items()}
    if isinstance(closed.get("properties"), dict) and "type" in closed:
        closed.setdefault("additionalProperties", False)
    return closed


class Service:
    """The application in this process, started as a server would start it, asked without a network.

    Every reply is checked against the application's OpenAPI document.
    """

    def __init__(self, settings: Settings, **options: float) -> None:
        self._runner = asyncio.Runner()
        self.app = create_app(settings, **options)
        self._lifespan = self.app.router.lifespan_context(self.app)
        self.contract = Contract(self.app)
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app),
            base_url="http://service",
            event_hooks={"response": [self._check]},
        )

    def __enter__(self) -> "Service":
        self._runner.run(self._lifespan.__aenter__())
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the application as a server would; once is enough."""
        if not self._client.is_closed:
            self._runner.run(self._client.aclose())
            self._runner.run(self._lifespan.__aexit__(None, None, None))
            self._runner.close()

    async def _check(self, reply: httpx.Response) -> None:
        await reply.aread()
        self.contract.check(reply)

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self._runner.run(self._client.request(method, path, **options))

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.send("GET", path, **options)

    def get_together(self, paths: Sequence[str]) -> list[httpx.Response]:
        """All of `paths`, asked for at the same moment."""

        async def ask() -> list[httpx.Response]:
            return list(await asyncio.gather(*map(self._client.get, paths)))

        return self._runner.run(ask())

    def run(self, call: Coroutine[Any, Any, Any]) -> Any:
        """What `call` gives on the service's event loop."""
        return self._runner.run(call)

    def wait(self, seconds: float) -> None:
        """Let the event loop run: the polling task lives there."""
        self._runner.run(asyncio.sleep(seconds))


@pytest.fixture(scope="session")
def publish() -> Callable[..., str]:
    """Train, seal and publish a version into a store; another `seed`, another version."""
    return _publish


@pytest.fixture
def publish_log(tmp_path: Path) -> Callable[..., Path]:
    """publish_log(log, newest=...): the store of a version whose `[log]` has the keys `log`; again: the next one."""
    folder = tmp_path / "own-store"

    def publish_one(log: Mapping[str, object], *, newest: int = 1_700_000_000) -> Path:
        _publish(folder, log=log, newest=newest)
        return folder

    return publish_one


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
def start() -> Iterator[Callable[..., Service]]:
    """Start a service of one's own; it is stopped at the end of the test."""
    with ExitStack() as services:
        yield lambda settings, **options: services.enter_context(Service(settings, **options))


@pytest.fixture(scope="module")
def started() -> Iterator[Callable[..., Service]]:
    """Start a service for the tests of one module, which leave it as it is."""
    with ExitStack() as services:
        yield lambda settings, **options: services.enter_context(Service(settings, **options))


@pytest.fixture
def without_collector() -> Iterator[None]:
    """What leaves memory meanwhile leaves by itself."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()
