"""Logs and spans: what they tell, and that no text of an exception is ever among it."""

from __future__ import annotations

import ast
import asyncio
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
import structlog
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from checkout_sdk._pb.address_pb2 import ListAddressesRequest, ListAddressesResponse
from checkout_sdk._pb.address_pb2_grpc import AddressServiceStub
from checkout_server import telemetry
from checkout_server.faults import Fault
from tests.services.shell.toy import AS_BUYER, raises

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
DSN = "postgresql://owner:s3cret@db.internal/checkout"
EXPORTER = InMemorySpanExporter()


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    # A process has one provider for ever, so it is this module's from its first test on.
    if not isinstance(trace.get_tracer_provider(), TracerProvider):
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(EXPORTER))
        trace.set_tracer_provider(provider)
    EXPORTER.clear()
    yield EXPORTER
    EXPORTER.clear()


@pytest.fixture
def logs() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    telemetry.configure_logging(level="INFO", development=False, stream=stream)
    yield stream
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


async def ask(channel, *metadata):
    return await AddressServiceStub(channel).ListAddresses(
        ListAddressesRequest(buyer_id="b-1"), metadata=(AS_BUYER, *metadata)
    )


def the_only_line(logs: io.StringIO) -> dict:
    (line,) = logs.getvalue().splitlines()
    return json.loads(line)


async def test_a_call_is_a_span_under_the_callers_own(local, spans):
    await ask(local, ("traceparent", TRACEPARENT), ("x-request-id", "tap-1"))
    (span,) = spans.get_finished_spans()
    assert span.name == "onetap.checkout.v1.AddressService/ListAddresses"
    assert trace.format_trace_id(span.context.trace_id) == TRACEPARENT.split("-")[1]
    assert trace.format_span_id(span.parent.span_id) == TRACEPARENT.split("-")[2]
    assert dict(span.attributes) == {
        "rpc.system.name": "grpc",
        "rpc.method": "onetap.checkout.v1.AddressService/ListAddresses",
        "rpc.response.status_code": "OK",
        "checkout.request_id": "tap-1",
    }


async def test_the_method_can_hand_its_own_span_on(local, toy, spans):
    await ask(local, ("traceparent", TRACEPARENT))
    (span,) = spans.get_finished_spans()
    assert toy.calls[0].traceparent.split("-")[2] == trace.format_span_id(span.context.span_id)


async def test_a_stage_is_a_span_under_its_call(local, toy, spans):
    async def unary(request, call):
        with telemetry.span("reserve", lines=3):
            return ListAddressesResponse()

    toy.unary = unary
    await ask(local)
    stage, call = spans.get_finished_spans()
    assert (stage.name, dict(stage.attributes)) == ("reserve", {"checkout.lines": 3})
    assert stage.parent.span_id == call.context.span_id


@pytest.mark.parametrize(
    ("error", "reason", "status"),
    [
        (RuntimeError(DSN), "INTERNAL", StatusCode.ERROR),
        (Fault("NOT_FOUND"), "NOT_FOUND", StatusCode.UNSET),
        (asyncio.CancelledError(DSN), "SHUTTING_DOWN", StatusCode.ERROR),
    ],
    ids=["ours", "the caller's", "ours while stopping"],
)
async def test_a_span_tells_how_the_call_ended_and_nothing_more(
    local, toy, spans, error, reason, status
):
    toy.unary = raises(error)
    with pytest.raises(grpc.aio.AioRpcError):
        await ask(local)
    (span,) = spans.get_finished_spans()
    assert span.attributes["checkout.reason"] == reason
    assert span.status.status_code is status
    assert "s3cret" not in span.to_json()


async def test_an_unexpected_exception_is_logged_by_type_and_place(local, toy, logs):
    toy.unary = raises(RuntimeError(DSN))
    with pytest.raises(grpc.aio.AioRpcError):
        await ask(local, ("x-request-id", "tap-1"))
    line = the_only_line(logs)
    assert line["level"] == "error"
    assert line["request_id"] == "tap-1"
    assert line["method"] == "onetap.checkout.v1.AddressService/ListAddresses"
    assert line["error"] == "RuntimeError"
    assert line["frames"][-1].endswith(" unary")
    assert "s3cret" not in logs.getvalue()


async def test_a_fault_is_the_callers_news_not_the_logs(local, toy, logs):
    toy.unary = raises(Fault("NOT_FOUND"))
    with pytest.raises(grpc.aio.AioRpcError):
        await ask(local)
    assert logs.getvalue() == ""


def test_a_line_holds_only_fields_of_the_list(logs):
    structlog.get_logger().info("sent", attempt_id="att_1", buyer_name="Ada", request={"a": 1})
    line = the_only_line(logs)
    assert line["attempt_id"] == "att_1"
    assert line.keys() == {"event", "level", "timestamp", "attempt_id"}


def test_a_line_is_one_line_whatever_it_holds(logs):
    structlog.get_logger().info("sent", reason="a\nb\x1b[31m")
    assert the_only_line(logs)["reason"] == "a\nb\x1b[31m"
    assert "\x1b" not in logs.getvalue()


def test_libraries_log_the_same_way(logs):
    try:
        raise RuntimeError(DSN)
    except RuntimeError:
        logging.getLogger("grpc").exception("lost a connection")
    line = the_only_line(logs)
    assert (line["event"], line["logger"]) == ("lost a connection", "grpc")
    assert line["error"] == "RuntimeError"
    assert "s3cret" not in logs.getvalue()


def test_below_the_level_nothing_is_logged(logs):
    structlog.get_logger().debug("details")
    logging.getLogger("grpc").debug("details")
    assert logs.getvalue() == ""


def test_our_own_lines_lose_nothing_to_the_list():
    written = {
        keyword.arg
        for path in Path(telemetry.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("log.")
        for keyword in node.keywords
    }
    assert "attempt_id" in written
    assert written - {"exc_info"} <= telemetry.LOGGED
