"""Everything a call goes through before and after its method, dialed or local alike.

A method is `async def place_order(self, request, call) -> Response` (a stream: an async generator).
Before it runs: the request id, who calls, the scope, the bytes, the declared rules. After it: an
exception becomes a status with a fixed text. This is done here, not in gRPC interceptors, because a
neighbour in the same process goes through the same door (`local_channel.py`), and because an
interceptor does not see the deserializer, whose errors would leave us as UNKNOWN with their text
(RELIABILITY.md 0.11).
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass

import grpc
import structlog
from google.protobuf.message import DecodeError, Message

from checkout_server import statuses, telemetry, validation
from checkout_server.call import Call, Caller
from checkout_server.contract import Method, Rpc, Services, rpcs
from checkout_server.faults import Fault
from checkout_server.statuses import Refusal

Send = Callable[[bytes], Awaitable[None]]

REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Arrival:
    """A call as it comes in, before anybody has looked at its bytes."""

    request_id: str
    token: str | None
    traceparent: str
    deadline: float | None
    # Known without a token: only this process itself can have made the call.
    caller: Caller | None = None


def arrive(
    metadata: Iterable[tuple[str, str | bytes]],
    time_remaining_s: float | None,
    caller: Caller | None = None,
) -> Arrival:
    pairs = tuple(metadata)
    values = dict(pairs)
    named, parent = values.get("x-request-id"), values.get("traceparent")
    well_named = isinstance(named, str) and REQUEST_ID.fullmatch(named)
    return Arrival(
        request_id=str(named) if well_named else secrets.token_urlsafe(16),
        token=_bearer([value for key, value in pairs if key == "authorization"]),
        traceparent=parent if isinstance(parent, str) and TRACEPARENT.fullmatch(parent) else "",
        deadline=None if time_remaining_s is None else time.monotonic() + time_remaining_s,
        caller=caller,
    )


class Handlers(grpc.GenericRpcHandler):
    """The methods this process runs, by full service name and RPC name.

    RPCs of the public contract without a method answer NOT_IMPLEMENTED, to whoever could call them.
    `identify` turns a bearer token into its caller or raises UNAUTHENTICATED.
    """

    def __init__(
        self, services: Services, *, rules: validation.Rules, identify: Callable[[str], Caller]
    ) -> None:
        self._rules = rules
        self._identify = identify
        self._streams: set[asyncio.Timeout] = set()
        self._ending = False
        self.rpcs: Mapping[str, Rpc] = {f"/{rpc.name}": rpc for rpc in rpcs(services)}
        self._doors = {path: self._door(rpc) for path, rpc in self.rpcs.items()}
        unruled = [
            rpc.request_type.DESCRIPTOR.full_name
            for rpc in self.rpcs.values()
            if rpc.method and rpc.request_type not in rules
        ]
        if unruled:
            raise ValueError(f"no validation rules for {', '.join(sorted(unruled))}")

    async def unary(self, rpc: Rpc, data: bytes, arrival: Arrival) -> bytes:
        """The answer's bytes, or a Refusal."""
        with _answering(rpc, arrival):
            method, request, call = self._admit(rpc, data, arrival)
            answer: Message = await method(request, call)
            return answer.SerializeToString()

    async def stream(self, rpc: Rpc, data: bytes, arrival: Arrival, send: Send) -> None:
        """Sends each answer's bytes; returns when there are no more, or raises a Refusal."""
        with _answering(rpc, arrival):
            method, request, call = self._admit(rpc, data, arrival)
            answers: AsyncIterator[Message] = method(request, call)
            async with (
                self._until_the_end(),
                aclosing(answers),  # type: ignore[type-var]  # methods are generators
            ):
                async for answer in answers:
                    await send(answer.SerializeToString())

    def end_streams(self) -> None:
        """With SHUTTING_DOWN, now and from now on: a watcher goes on elsewhere, and would keep this
        process for as long as it may."""
        self._ending = True
        for stream in self._streams:
            stream.reschedule(asyncio.get_running_loop().time())

    @asynccontextmanager
    async def _until_the_end(self) -> AsyncIterator[None]:
        limit = asyncio.timeout(0 if self._ending else None)
        try:
            async with limit:
                self._streams.add(limit)
                yield
        except TimeoutError:
            if limit.expired():
                raise Fault("SHUTTING_DOWN") from None
            raise
        finally:
            self._streams.discard(limit)

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        """For grpc.aio: the door of a path; None makes it answer UNIMPLEMENTED."""
        return self._doors.get(handler_call_details.method)

    def _admit(self, rpc: Rpc, data: bytes, arrival: Arrival) -> tuple[Method, Message, Call]:
        caller = arrival.caller or self._caller(arrival.token)
        if not rpc.access.scopes & caller.scopes:
            needed = ", ".join(sorted(rpc.access.scopes))
            raise Fault("SCOPE_MISSING", metadata={"scopes": needed})
        if rpc.method is None:
            raise Fault("NOT_IMPLEMENTED")
        try:
            request = rpc.request_type.FromString(data)
        except DecodeError:
            raise Fault("MALFORMED_REQUEST") from None
        validation.check(request, self._rules)
        call = Call(
            caller=caller,
            method=rpc.name,
            request_id=arrival.request_id,
            deadline=arrival.deadline,
            traceparent=telemetry.traceparent(),
        )
        return rpc.method, request, call

    def _caller(self, token: str | None) -> Caller:
        if token is None:
            raise Fault("UNAUTHENTICATED")
        return self._identify(token)

    def _door(self, rpc: Rpc) -> grpc.RpcMethodHandler[bytes, bytes]:
        """gRPC's side of a method: bytes in, bytes out, so that nothing is parsed out here."""

        async def unary(data: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
            arrival = arrive(context.invocation_metadata() or (), context.time_remaining())
            context.set_trailing_metadata((("x-request-id", arrival.request_id),))
            try:
                return await self.unary(rpc, data, arrival)
            except Refusal as refusal:
                await context.abort(refusal.code, refusal.text, refusal.trailing)

        async def stream(data: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> None:
            arrival = arrive(context.invocation_metadata() or (), context.time_remaining())
            context.set_trailing_metadata((("x-request-id", arrival.request_id),))
            try:
                await self.stream(rpc, data, arrival, context.write)
            except Refusal as refusal:
                await context.abort(refusal.code, refusal.text, refusal.trailing)

        if rpc.streams:
            return grpc.unary_stream_rpc_method_handler(stream)
        return grpc.unary_unary_rpc_method_handler(unary)


@contextmanager
def _answering(rpc: Rpc, arrival: Arrival) -> Iterator[None]:
    """The span around a call; whatever is raised inside leaves as a Refusal."""
    request_id = arrival.request_id
    with telemetry.serving(
        rpc.name, request_id=request_id, traceparent=arrival.traceparent
    ) as span:
        try:
            yield
            telemetry.ended(span, "OK")
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                telemetry.ended(span, "CANCELLED")
                raise
            # Something that we awaited was cancelled, not this call: left alone it would reach the
            # caller as no answer at all, until the deadline (RELIABILITY.md C8).
            fault = Fault("SHUTTING_DOWN")
            telemetry.ended(span, fault.code.name, fault.reason)
            raise statuses.refusal(fault, request_id) from None
        except Exception as error:
            fault = statuses.fault_of(error)
            telemetry.ended(span, fault.code.name, fault.reason)
            if not isinstance(error, Fault):
                _report(error, fault, rpc, request_id)
            raise statuses.refusal(fault, request_id) from error


def _report(error: Exception, fault: Fault, rpc: Rpc, request_id: str) -> None:
    """Our mistakes with where they were made; what a database or a neighbour refuses is told by its
    kind, because in an outage there is one for every call."""
    if fault.reason == "INTERNAL":
        log.error(
            "call failed",
            method=rpc.name,
            request_id=request_id,
            reason=fault.reason,
            exc_info=error,
        )
        return
    log.warning(
        "call failed",
        method=rpc.name,
        request_id=request_id,
        reason=fault.reason,
        error=type(error).__name__,
    )


def _bearer(values: Sequence[str | bytes]) -> str | None:
    """The token of the one `authorization` there may be."""
    if len(values) != 1 or not isinstance(values[0], str):
        return None
    scheme, _, token = values[0].partition(" ")
    return token if scheme.lower() == "bearer" and token else None
