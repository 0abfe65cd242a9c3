"""Spans: what they are named, whom they belong to, and that they cost nothing and do nothing while they are off."""

import json
import subprocess
import sys

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from recsys import tracing
from recsys.errors import ConfigError


@pytest.fixture
def spans():
    """Where the spans of a test are collected; spans are off again afterwards."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing.use(provider)
    yield exporter
    tracing.use(None)


def named(exporter: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    """The finished spans by name."""
    return {span.name: span for span in exporter.get_finished_spans()}


def test_without_an_exporter_there_are_no_spans():
    assert not tracing.start("recsys", {})
    with tracing.span("search") as span:
        assert span is None
    assert tracing.trace_id() is None


@pytest.mark.parametrize(
    "environ", [{"OTEL_TRACES_EXPORTER": "none"}, {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "true"}]
)
def test_they_can_be_turned_off(environ):
    assert not tracing.start("recsys", environ)
    assert not tracing.is_on()


def test_an_unknown_exporter_is_an_error_that_says_what_is_known():
    with pytest.raises(ConfigError, match="OTEL_TRACES_EXPORTER: got 'jaeger'; expected otlp, console or none"):
        tracing.start("recsys", {"OTEL_TRACES_EXPORTER": "jaeger"})


def test_without_the_extra_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "recsys.tracing.exporting", None)
    with pytest.raises(ConfigError, match=r"locks/traces\.lock"):
        tracing.start("recsys", {"OTEL_TRACES_EXPORTER": "console"})


def test_a_failure_is_marked_by_its_type_alone(spans):
    with pytest.raises(ValueError, match="zoe"), tracing.span("search"):
        raise ValueError("nobody named zoe")
    span = named(spans)["search"]
    assert span.attributes["error.type"] == "ValueError"
    assert "zoe" not in span.to_json()


def test_a_batch_belongs_to_the_first_request_and_is_linked_to_the_others(spans):
    with tracing.span("first") as first:
        pass
    with tracing.span("second") as second:
        pass
    with tracing.batch_span("answer", [first, second], n_questions=2), tracing.span("search"):
        pass
    found = named(spans)
    assert found["answer"].parent.span_id == first.get_span_context().span_id
    assert [link.context.span_id for link in found["answer"].links] == [second.get_span_context().span_id]
    assert found["search"].parent.span_id == found["answer"].context.span_id


def test_console_spans_leave_by_the_end_of_the_block_and_name_the_service():
    code = "from recsys import tracing\nwith tracing.exported('recsys-night'), tracing.span('night'): pass"
    environ = {"OTEL_TRACES_EXPORTER": "console", "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout == ""
    sent = json.loads(done.stderr)
    assert sent["name"] == "night"
    assert sent["resource"]["attributes"]["service.name"] == "recsys-night"
