"""A real gRPC server that answers every call by a script and remembers what it was asked."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf import any_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2

from checkout_sdk._pb import checkout_pb2

POOL = checkout_pb2.DESCRIPTOR.pool


@dataclass(frozen=True)
class Fail:
    """A fault, as the server or a broken network would answer it."""

    code: str
    reason: str = ""
    retry_after_s: float | None = None
    pushback: str | None = None
    fields: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Stream:
    """The messages of a stream, and how it ends."""

    messages: Sequence[Message]
    end: Fail | None = None


class Hang:
    """No answer until the caller gives up."""


Step = Message | Fail | Stream | Hang | Callable[[Any], Message]


@dataclass
class Seen:
    request: Any
    metadata: dict[str, Any]
    time_given_s: float | None


@dataclass
class ScriptedServer:
    """`script["PlaceOrder"]` is what the calls of that method get, one after the other; the last
    step stays. `seen["PlaceOrder"]` is what arrived."""

    script: dict[str, list[Step]] = field(default_factory=dict)
    seen: dict[str, list[Seen]] = field(default_factory=lambda: defaultdict(list))

    def __enter__(self) -> ScriptedServer:
        self._over = threading.Event()
        self._server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
        self._server.add_generic_rpc_handlers((_Anything(self),))
        self.target = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._server.stop(None).wait()

    def next_step(self, method: str) -> Step:
        steps = self.script.get(method, [Fail("UNIMPLEMENTED", "NOT_IMPLEMENTED")])
        return steps.pop(0) if len(steps) > 1 else steps[0]

    def hang(self, context: grpc.ServicerContext) -> None:
        context.add_callback(self._over.set)
        self._over.wait()
        self._over.clear()


class _Anything(grpc.GenericRpcHandler):
    def __init__(self, server: ScriptedServer) -> None:
        self._server = server

    def service(self, call: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        service, _, name = call.method.removeprefix("/").partition("/")
        method = POOL.FindServiceByName(service).methods_by_name[name]
        read = GetMessageClass(method.input_type).FromString
        metadata = dict(call.invocation_metadata)

        def arrived(request: Any, context: grpc.ServicerContext) -> Step:
            seen = Seen(request, metadata, context.time_remaining())
            self._server.seen[name].append(seen)
            return self._server.next_step(name)

        def unary(request: Any, context: grpc.ServicerContext) -> Any:
            match arrived(request, context):
                case Fail() as fail:
                    _abort(context, fail)
                case Hang():
                    self._server.hang(context)
                case Message() as message:
                    return message
                case answer:
                    return answer(request)

        def stream(request: Any, context: grpc.ServicerContext) -> Any:
            step = arrived(request, context)
            if isinstance(step, Stream):
                yield from step.messages
                step = step.end
            if isinstance(step, Fail):
                _abort(context, step)

        if method.server_streaming:
            return grpc.unary_stream_rpc_method_handler(stream, read, _written)
        return grpc.unary_unary_rpc_method_handler(unary, read, _written)


def _written(message: Message) -> bytes:
    return message.SerializeToString()


def _abort(context: grpc.ServicerContext, fail: Fail) -> None:
    code = grpc.StatusCode[fail.code]
    status = status_pb2.Status(code=code.value[0], message="scripted")
    details: list[Message] = []
    if fail.reason:
        details.append(error_details_pb2.ErrorInfo(reason=fail.reason))
    if fail.retry_after_s is not None:
        wait = Duration()
        wait.FromMilliseconds(round(fail.retry_after_s * 1000))
        details.append(error_details_pb2.RetryInfo(retry_delay=wait))
    if fail.fields:
        violation = error_details_pb2.BadRequest.FieldViolation
        violations = [violation(field=name, description=text) for name, text in fail.fields]
        details.append(error_details_pb2.BadRequest(field_violations=violations))
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    trailing = [("grpc-status-details-bin", status.SerializeToString())]
    if fail.pushback is not None:
        trailing.append(("grpc-retry-pushback-ms", fail.pushback))
    context.set_trailing_metadata(tuple(trailing))
    context.abort(code, "scripted")
