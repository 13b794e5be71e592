"""Logs and traces. Both leave this process, so both say only what is on a list: ids, codes, times.

No request body, no metadata and no text of an exception is ever logged or put on a span: those are
where addresses and DSNs hide (RELIABILITY.md I30, I34). An exception is told by its type and its
frames; in development by its text too.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TextIO

import structlog
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

# What a log line may hold. A new field is a decision: it goes to whoever reads the logs. A test
# fails for a line of ours with any other.
LOGGED = frozenset(
    {
        "event",
        "level",
        "timestamp",
        "logger",
        "trace_id",
        "request_id",
        "method",
        "code",
        "reason",
        "error",
        "frames",
        "at",
        "answer",
        "operation",
        "attempt_id",
        "order_id",
        "state",
        "worker",
        "epoch",
        "address",
        "environment",
        "durability",
    }
)
# A frame is one line; deeper than this the top says nothing that the bottom does not.
MOST_FRAMES = 12
# The statuses that are our trouble; the others are the caller's (semantic conventions for gRPC).
FAILED = frozenset(
    {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}
)

_propagator = TraceContextTextMapPropagator()
_tracer = trace.get_tracer("checkout_server")
_Event = structlog.typing.EventDict


def configure_logging(*, level: str, development: bool, stream: TextIO = sys.stderr) -> None:
    """Once, before the first channel or server: grpc.aio keeps what it finds then (grpc #43421)."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _traced,
        _frames if not development else structlog.processors.format_exc_info,
        _allowed_only,
    ]
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer()
    if development:
        renderer = structlog.dev.ConsoleRenderer(
            colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)


def start_tracing(endpoint: str) -> Callable[[], None]:
    """Sends spans to an OTLP collector from now on; call the answer at the end to send the rest."""
    provider = TracerProvider(resource=Resource.create({"service.name": "checkout-server"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    trace.set_tracer_provider(provider)
    return provider.shutdown


@contextmanager
def serving(method: str, *, request_id: str, traceparent: str) -> Iterator[Span]:
    """The span of one call, under the caller's own."""
    parent = _propagator.extract({"traceparent": traceparent} if traceparent else {}, Context())
    attributes = {
        "rpc.system.name": "grpc",
        "rpc.method": method,
        "checkout.request_id": request_id,
    }
    # The SDK would record an exception with its text.
    with _tracer.start_as_current_span(
        method,
        context=parent,
        kind=SpanKind.SERVER,
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        yield span


def ended(span: Span, code: str, reason: str = "") -> None:
    """Notes the gRPC status a call ended with, by name, and the reason of errors.proto."""
    span.set_attribute("rpc.response.status_code", code)
    if reason:
        span.set_attribute("checkout.reason", reason)
    if code in FAILED:
        span.set_status(Status(StatusCode.ERROR))


@contextmanager
def span(name: str, **attributes: str | int | bool) -> Iterator[Span]:
    """One stage of a call. `lines=3` becomes `checkout.lines`. Never personal data."""
    named = {f"checkout.{key}": value for key, value in attributes.items()}
    with _tracer.start_as_current_span(
        name, attributes=named, record_exception=False, set_status_on_exception=False
    ) as current:
        yield current


def traceparent() -> str:
    """The current span, to send to a neighbour or to keep with an attempt. Empty: there is none."""
    carrier: dict[str, str] = {}
    _propagator.inject(carrier)
    return carrier.get("traceparent", "")


def outgoing() -> tuple[tuple[str, str], ...]:
    """The metadata that makes a neighbour's span a child of ours."""
    current = traceparent()
    return (("traceparent", current),) if current else ()


def trace_id() -> str:
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else ""


def _traced(_logger: Any, _name: str, event: _Event) -> _Event:
    current = trace_id()
    if current:
        event["trace_id"] = current
    return event


def _allowed_only(_logger: Any, _name: str, event: _Event) -> Mapping[str, Any]:
    """Keeps what is on the list. Library-internal keys start with an underscore."""
    return {
        key: value
        for key, value in event.items()
        if key in LOGGED or key.startswith("_") or key == "exception"
    }


def _frames(_logger: Any, _name: str, event: _Event) -> _Event:
    """An exception by its type and where it was raised, without its text."""
    found = event.pop("exc_info", None)
    if found is True:
        found = sys.exc_info()
    error = found[1] if isinstance(found, tuple) else found
    if isinstance(error, BaseException):
        event["error"] = type(error).__qualname__
        event["frames"] = [
            f"{frame.filename}:{frame.lineno} {frame.name}"
            for frame in traceback.extract_tb(error.__traceback__)[-MOST_FRAMES:]
        ]
    return event
