"""Requests made from the OpenAPI document, valid and invalid ones, against the service in this process.

Everything is turned on: events, an operator, pages by scenario. Of each reply the status must be documented, the body
must match its schema and the headers must be there; what the document calls valid must be accepted, unless the
reason is one that no schema can say (`SEMANTIC`), and what it calls invalid must be refused with a problem. No reply
may be a fault of the service. A case follows from the operation, the kind and the seed.
"""

import asyncio
import json
import random
import re
import shutil
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import requests
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.app import create_app
from api.messages.formats import FILTER_FORMAT, ID_FORMAT, NAME_FORMAT, NAMES_FORMAT
from api.settings import Settings
from recsys.artifacts.registry import Registry
from torture import versions

KEY = "correct horse battery"
SCENARIOS = """\
[scenarios.home]
rows = [{ kind = "for_you", k = 5 }, { kind = "because", k = 3 }, { kind = "popular_lately" }, { kind = "new" }]
"""

SEMANTIC = frozenset(
    {
        "too_costly",  # the sum of all that is asked for
        "unknown_item",
        "unknown_user",
        "unknown_scenario",
        "incomplete_answer",  # strict
        "item_exists",
        "posted_items_full",
        "session_taken",
        "store_refused",
    }
)
"""Codes with which valid requests may be refused: the reason lies in what the store holds."""

_REASONS = (
    "attribute",  # which there are, and what they hold, is the version's
    "expected either rows or a scenario",
    "expected a title or an attribute",
    "expected user_id or session_id",
    "timestamp, in UTC seconds",  # a date-time before 1970
)
"""Of the same kind are these refusals: that of two fields one is wanted is said in words."""

_NAMES = ("title", "price", "day", "tags")
_TEXT = st.text("abc ä%", max_size=5)
_QUOTED = _TEXT.map(lambda text: '"' + text + '"')
_CONDITIONS = st.one_of(
    st.builds("price {} {}".format, st.sampled_from(["<", ">=", "=", "!="]), st.integers(-5, 300)),
    st.builds("title contains {}".format, _QUOTED),
    st.builds("tags in ({}, {})".format, _QUOTED, _QUOTED),
    st.builds("day between '{:04}' and '2000-01'".format, st.integers(1900, 2000)),
    st.sampled_from(["title is missing", "not title is not missing", "`price` between 1 and 1e3", "id = 'item 001'"]),
)
_FILTERS = st.recursive(
    _CONDITIONS,
    lambda inner: st.builds("({} {} {})".format, inner, st.sampled_from(["and", "OR"]), inner),
    max_leaves=5,
)
_IDS = st.one_of(
    st.builds("item {:03}".format, st.integers(0, 170)),
    st.builds("user {:03}".format, st.integers(0, 45)),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=60),
)


def _describe_formats() -> None:
    """Tell what texts of our formats are like, and which attributes there are."""
    schemathesis.openapi.format(ID_FORMAT, _IDS)
    schemathesis.openapi.format(FILTER_FORMAT, _FILTERS)
    schemathesis.openapi.format(NAME_FORMAT, st.sampled_from(_NAMES))
    names = st.lists(st.sampled_from(_NAMES), max_size=4).map(",".join)
    schemathesis.openapi.format(NAMES_FORMAT, names)


_CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@dataclass
class Found:
    """What a campaign found: how often each operation was asked in which mode, the statuses, and the failures."""

    counts: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def count(self, what: str, reply: httpx.Response) -> None:
        """Count one case."""
        self.counts[what] += 1
        self.statuses[reply.status_code] += 1

    @property
    def n_tried(self) -> int:
        """Cases."""
        return sum(self.counts.values())


@contextmanager
def service() -> Iterator["Service"]:
    """The service on a small store of its own, with everything turned on."""
    folder = Path(tempfile.mkdtemp(prefix="recsys-openapi-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        store = folder / "store"
        Registry(store).publish(versions.seal(store))
        (store / "scenarios.toml").write_text(SCENARIOS)
        settings = Settings(
            store=str(store), events=str(folder / "events.sqlite"), admin_key=KEY, recall_sample=0, log_level="error"
        )
        yield stack.enter_context(Service(settings))


class Service:
    """The application, started, asked without a network."""

    def __init__(self, settings: Settings) -> None:
        self.app: FastAPI = create_app(settings)
        self._runner = asyncio.Runner()
        self._lifespan = self.app.router.lifespan_context(self.app)

    def __enter__(self) -> "Service":
        self._runner.run(self._lifespan.__aenter__())
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._lifespan.__aexit__(None, None, None))
        self._runner.close()

    @property
    def document(self) -> dict[str, Any]:
        """The OpenAPI document, without HEAD, whose replies have no content to check."""
        document = json.loads(json.dumps(self.app.openapi()))
        for operations in document["paths"].values():
            operations.pop("head", None)
        return document

    def send(self, prepared: requests.PreparedRequest) -> httpx.Response:
        """The reply to a request, as a client on the network would get it."""
        return self._runner.run(self._exchange(prepared))

    @staticmethod
    def prepared(case: Case) -> requests.PreparedRequest:
        """`case` as it goes over the network."""
        kwargs = case.as_transport_kwargs(base_url="http://service", headers={"Authorization": f"Bearer {KEY}"})
        known = ("method", "url", "headers", "params", "json", "data", "cookies")
        given = {name: kwargs[name] for name in known if kwargs.get(name) is not None}
        return requests.Request(**given).prepare()

    async def _exchange(self, prepared: requests.PreparedRequest) -> httpx.Response:
        body = prepared.body or b""
        content = body.encode() if isinstance(body, str) else body
        request = httpx.Request(
            str(prepared.method), str(prepared.url), headers=dict(prepared.headers), content=content
        )
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        reply = await transport.handle_async_request(request)
        content = await reply.aread()
        whole = httpx.Response(reply.status_code, headers=reply.headers, content=content, request=request)
        whole.elapsed = timedelta()  # the checks want to have one
        return whole


def campaign(n_cases: int, *, first_seed: int = 0, only: str = "", mutations: int = 3) -> Found:
    """About `n_cases`, spread over all operations and both modes; `only`: operations whose label holds it.

    Each that is made from the document is also sent with `mutations` changes of its bytes.
    """
    found = Found()
    with service() as asked, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _describe_formats()
        schema = schemathesis.openapi.from_dict(asked.document)
        operations = [each.ok() for each in schema.get_all_operations()]
        chosen = [each for each in operations if only in each.label]
        each_mode = [(one, mode) for one in chosen for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)]
        for at, (operation, mode) in enumerate(each_mode):
            n, number = -(-n_cases // len(each_mode) // (1 + mutations)), first_seed + at
            _try_operation(asked, operation, mode, n=n, number=number, mutations=mutations, found=found)
    return found


def _try_operation(
    asked: Service, operation: Any, mode: GenerationMode, *, n: int, number: int, mutations: int, found: Found
) -> None:
    rng = random.Random(number)
    try:
        cases = operation.as_strategy(generation_mode=mode)
    except Exception as error:  # nothing to be invalid, such as in GET /livez
        found.failures += [] if mode == GenerationMode.NEGATIVE else [f"{operation.label}: {error!r}"]
        return

    @seed(number)
    @settings(
        max_examples=n,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=[*HealthCheck],
    )
    @given(cases)
    def try_each(case: Case) -> None:
        prepared = asked.prepared(case)
        reply = asked.send(prepared)
        found.count(f"{operation.label} {mode.value}", reply)
        if (problem := _problem(case, reply, mode)) is not None:
            found.failures.append(f"{operation.label} {mode.value} seed {number}: {problem}: {_told(case)}")
        for _ in range(mutations):
            changed = mutated(prepared, rng)
            reply = asked.send(changed)
            found.count(f"{operation.label} mutated", reply)
            if (problem := _misfit(case, reply)) is not None:
                what = ascii((changed.url, changed.body))[:400]
                found.failures.append(f"{operation.label} mutated seed {number}: {problem}: {what}")

    with suppress(Unsatisfiable):
        try_each()


def _misfit(case: Case, reply: httpx.Response) -> str | None:
    """How the reply is not as the document says."""
    try:
        case.validate_response(reply, checks=_CHECKS)
    except (Failure, FailureGroup) as error:
        return f"{reply.status_code} {_message(error)}"
    return None


def _problem(case: Case, reply: httpx.Response, mode: GenerationMode) -> str | None:
    if (misfit := _misfit(case, reply)) is not None:
        return misfit
    if mode == GenerationMode.POSITIVE:
        return _wrongly_refused(reply)
    return _wrongly_accepted(case, reply)


def _wrongly_refused(reply: httpx.Response) -> str | None:
    if reply.status_code < 400:
        return None
    problem = reply.json()
    if problem["code"] in SEMANTIC or any(reason in problem["detail"] for reason in _REASONS):
        return None
    return f"valid, but {reply.status_code} {problem['code']}: {problem['detail']}"


def _wrongly_accepted(case: Case, reply: httpx.Response) -> str | None:
    try:
        case.validate_response(reply, checks=[negative_data_rejection])
    except (Failure, FailureGroup) as error:
        if _is_ours(_message(error)):
            return None
        return f"invalid, but {reply.status_code}: {_message(error)}"
    return None


def _message(error: BaseException) -> str:
    told = error.exceptions if isinstance(error, FailureGroup) else [error]
    return "; ".join(" ".join(str(each).split())[:300] for each in told)


def mutated(prepared: requests.PreparedRequest, rng: random.Random) -> requests.PreparedRequest:
    """The request with some bytes of its body, or of its query if it has none, changed."""
    changed = prepared.copy()
    body = prepared.body.encode() if isinstance(prepared.body, str) else prepared.body
    if body:
        changed.body = _changed(body, rng, _VALUES)
        changed.headers["Content-Length"] = str(len(changed.body))
    else:
        url, _, query = str(prepared.url).partition("?")
        query = _changed(query.encode() or b"k=10", rng, _ESCAPES).decode("latin-1")[:_LONGEST_QUERY]
        changed.url = f"{url}?{''.join(sign for sign in query if '!' <= sign <= '~' and sign != '#')}"
    return changed


def _changed(content: bytes, rng: random.Random, tokens: tuple[bytes, ...]) -> bytes:
    at, to = sorted(rng.randrange(len(content) + 1) for _ in range(2))
    return content[:at] + rng.choice((b"", rng.choice(tokens), content[at:to] * 2, rng.randbytes(2))) + content[to:]


_LONGEST_QUERY = 8000
_VALUES = (
    b"null", b"[]", b"{}", b"NaN", b"-Infinity", b"1e999", b"-0.0", b"1.0", b"true", b'""', b'"\\ud800"',
    b"9" * 30, b"9" * 5000, b"[" * 2000, b'{"k":' * 2000, b'"k": 1, "k": 2', b'"k": 1', b",", b"\xff",
)  # fmt: skip
_ESCAPES = (
    b"%00",
    b"%FF",
    b"%",
    b"&k=1&k=2",
    b"&k=1e3",
    b"=",
    b"&",
    b"%2F",
    b"+",
    b"k=" + b"9" * 400,
    b"&filter=(",
    b"&fields=,",
)


def _is_ours(message: str) -> bool:
    """Whether all that is invalid is the key, which is always sent, or a format, which only the service can judge."""
    violations = re.findall(r"- (?:header|path|query|body): [^-]*", message)
    return bool(violations) and all("Authorization" in each or "`format`" in each for each in violations)


def _told(case: Case) -> str:
    parts = {"path": case.path_parameters, "query": case.query, "body": case.body}
    return ascii({name: value for name, value in parts.items() if value})[:400]
