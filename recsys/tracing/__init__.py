"""Spans by OpenTelemetry, exported if the standard `OTEL_*` variables say so. Otherwise a span costs next to nothing.

No attribute holds the id of a user, an item or a session.
"""

import importlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TypeAlias

from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode

from recsys.errors import ConfigError
from recsys.extras import install

Value: TypeAlias = str | int | float | bool

EXPORTER, ENDPOINTS = "OTEL_TRACES_EXPORTER", ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
"""The variables of OpenTelemetry that say where spans go: `otlp`, `console` or `none`, and an address for `otlp`."""

_tracer: trace.Tracer | None = None
_OFF: AbstractContextManager[None] = nullcontext()


def start(service: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Export spans from now on if `environ` asks for it; returns whether it does.

    `service`: the name that spans have unless `OTEL_SERVICE_NAME` gives another. A program that has set a tracer
    provider of its own keeps it. Raises ConfigError if the extra `traces` is not installed or the exporter unknown.
    """
    wanted = environ.get(EXPORTER, "").strip() or ("otlp" if any(map(environ.get, ENDPOINTS)) else "none")
    if wanted == "none" or environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    if wanted not in ("otlp", "console"):
        raise ConfigError(f"{EXPORTER}: got {wanted!r}; expected otlp, console or none")
    _export(service, wanted)
    use(trace.get_tracer_provider())
    return True


@contextmanager
def exported(service: str) -> Iterator[None]:
    """Spans of a block are exported if the environment asks for it; at its end all are sent."""
    start(service)
    try:
        yield
    finally:
        stop()


def stop() -> None:
    """Send what has not been sent, and make no more spans. A worker process ends without asking the library to."""
    if _tracer is not None:
        use(None)
        importlib.import_module("recsys.tracing.exporting").finish()


def use(provider: trace.TracerProvider | None) -> None:
    """Make spans by `provider`; None turns them off."""
    global _tracer
    _tracer = None if provider is None else provider.get_tracer("recsys")


def is_on() -> bool:
    """Whether spans are made."""
    return _tracer is not None


def span(name: str, **attributes: Value) -> AbstractContextManager[Span | None]:
    """A span around a block, within the one that runs; an exception marks it as failed, by its type alone."""
    return _OFF if _tracer is None else _span(_tracer, name, attributes=attributes)


def batch_span(name: str, asked_in: Sequence[Span], **attributes: Value) -> AbstractContextManager[Span | None]:
    """A span of work for several requests: within the first of the spans `asked_in`, linked to the others."""
    if _tracer is None or not asked_in:
        return _OFF
    links = [Link(other.get_span_context()) for other in asked_in[1:]]
    return _span(_tracer, name, context=trace.set_span_in_context(asked_in[0]), links=links, attributes=attributes)


def request_span(name: str, headers: Sequence[tuple[bytes, bytes]]) -> AbstractContextManager[Span | None]:
    """A span of a request; it continues the caller's trace if the header `traceparent` names one."""
    if _tracer is None:
        return _OFF
    given = {key.decode("latin-1"): value.decode("latin-1") for key, value in headers if key.startswith(b"trace")}
    return _span(_tracer, name, context=propagate.extract(given), kind=SpanKind.SERVER)


def current() -> Span | None:
    """The span that runs, None if spans are off."""
    return None if _tracer is None else trace.get_current_span()


def trace_id() -> str | None:
    """The trace that runs, as 32 hexadecimal digits; None if there is none."""
    context = None if _tracer is None else trace.get_current_span().get_span_context()
    return format(context.trace_id, "032x") if context is not None and context.is_valid else None


@contextmanager
def _span(
    tracer: trace.Tracer,
    name: str,
    *,
    context: Context | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
    links: Sequence[Link] = (),
    attributes: Mapping[str, Value] | None = None,
) -> Iterator[Span]:
    # The library's own record of an exception holds its message, which may name what was asked.
    with tracer.start_as_current_span(
        name,
        context=context,
        kind=kind,
        links=links,
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as made:
        try:
            yield made
        except BaseException as error:
            made.set_attribute("error.type", type(error).__name__)
            made.set_status(Status(StatusCode.ERROR))
            raise


def _export(service: str, exporter: str) -> None:
    try:
        exporting = importlib.import_module("recsys.tracing.exporting")
    except ImportError as error:
        raise ConfigError(
            f"{EXPORTER}: traces need OpenTelemetry's exporter; {install('traces')} ({error})"
        ) from error
    exporting.export(os.environ.get("OTEL_SERVICE_NAME", service), exporter)
