"""A neighbour in this process, as if dialed: generated stubs take this channel as they take gRPC's.

Messages are copied through their bytes and the call goes through the same `Handlers`, so a service
cannot tell the two apart, and neither can a test. One thing is stricter than over the network: a
unary method runs in a task of its own that nobody cancels. Giving up on the answer, by deadline or
by cancelling, ends the waiting and never the work (RELIABILITY.md 0.1). A stream only tells, so it
ends with its reader.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator, Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

import grpc
from grpc import StatusCode
from grpc.aio import AioRpcError, Metadata

from checkout_server.call import Caller
from checkout_server.contract import Rpc
from checkout_server.handlers import Arrival, Handlers, arrive
from checkout_server.statuses import Refusal

Request = TypeVar("Request")
Response = TypeVar("Response")
Serialize = Callable[[Any], bytes] | None
Deserialize = Callable[[bytes], Any] | None
Pairs = Iterable[tuple[str, str | bytes]] | None
# A reader this many messages behind holds the writer back, as a full HTTP/2 window would.
MOST_UNREAD = 16


class LocalChannel(grpc.aio.Channel):
    """`caller` is who calls on a channel that only this process holds. Without one, each call needs
    an `authorization` in its metadata, as a dialed one does."""

    def __init__(self, handlers: Handlers, *, caller: Caller | None = None) -> None:
        self._handlers = handlers
        self._caller = caller
        # The loop holds tasks weakly: an unreferenced one may vanish in the middle of its work.
        self._running: set[asyncio.Task[None]] = set()
        self._closed = False

    def unary_unary(
        self,
        method: str,
        request_serializer: Serialize = None,
        response_deserializer: Deserialize = None,
        _registered_method: bool | None = None,
    ) -> _UnaryMultiCallable[Any, Any]:
        return _UnaryMultiCallable(self, method, request_serializer, response_deserializer)

    def unary_stream(
        self,
        method: str,
        request_serializer: Serialize = None,
        response_deserializer: Deserialize = None,
        _registered_method: bool | None = None,
    ) -> _StreamMultiCallable[Any, Any]:
        return _StreamMultiCallable(self, method, request_serializer, response_deserializer)

    def stream_unary(self, *_arguments: Any, **_options: Any) -> NoReturn:
        raise grpc.aio.UsageError("no RPC of ours streams requests")

    def stream_stream(self, *_arguments: Any, **_options: Any) -> NoReturn:
        raise grpc.aio.UsageError("no RPC of ours streams requests")

    def start(
        self, method: str, data: bytes, timeout: float | None, metadata: Pairs
    ) -> _Conversation:
        """Runs a call in a task of its own and returns its both ends."""
        if self._closed:
            raise grpc.aio.UsageError("Channel is closed.")
        conversation = _Conversation(timeout)
        rpc = self._handlers.rpcs.get(method)
        if rpc is None:
            conversation.end(StatusCode.UNIMPLEMENTED, "Method not found!")
        if rpc is None or conversation.ended.done():
            return conversation
        arrival = arrive(metadata or (), timeout, self._caller)
        work = self._answer(rpc, data, arrival, conversation)
        # A fresh context: over the network nothing but metadata would come along either.
        task = asyncio.create_task(work, context=contextvars.Context())
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        if rpc.streams:
            conversation.ended.add_done_callback(lambda _: task.cancel())
        return conversation

    async def _answer(
        self, rpc: Rpc, data: bytes, arrival: Arrival, conversation: _Conversation
    ) -> None:
        trailing: tuple[tuple[str, str | bytes], ...] = (("x-request-id", arrival.request_id),)
        answer = b""
        try:
            if rpc.streams:
                await self._handlers.stream(rpc, data, arrival, conversation.send)
            else:
                answer = await self._handlers.unary(rpc, data, arrival)
            conversation.end(StatusCode.OK, "", trailing, answer)
        except Refusal as refusal:
            conversation.end(refusal.code, refusal.text, refusal.trailing)
        finally:
            # Only this process's own end cancels a task of ours.
            conversation.end(StatusCode.UNAVAILABLE, "The call was stopped.", trailing)

    async def close(self, grace: float | None = None) -> None:
        """No new calls; waits `grace` seconds (None: as long as it takes) for what is running."""
        self._closed = True
        if self._running:
            await asyncio.wait(self._running, timeout=grace)

    async def __aenter__(self) -> LocalChannel:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.close()

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        state = grpc.ChannelConnectivity
        return state.SHUTDOWN if self._closed else state.READY

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        raise grpc.aio.UsageError("a local channel is ready until it is closed")

    async def channel_ready(self) -> None:
        return


@dataclass(frozen=True, slots=True)
class _End:
    code: StatusCode
    details: str
    trailing: Metadata
    # The one message of a unary call that went well; a stream's went before.
    answer: bytes


class _Conversation:
    """What lies between the two ends of a call: messages on their way, and how it ended."""

    def __init__(self, timeout: float | None) -> None:
        self.loop = loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[_End] = loop.create_future()
        self.deadline = None if timeout is None else loop.time() + timeout
        self._messages: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._room = asyncio.Semaphore(MOST_UNREAD)
        if timeout is not None:
            timer = loop.call_later(max(timeout, 0), self._expire)
            self.ended.add_done_callback(lambda _: timer.cancel())
        if timeout is not None and timeout <= 0:
            self._expire()

    def end(
        self,
        code: StatusCode,
        details: str,
        trailing: Iterable[tuple[str, str | bytes]] = (),
        answer: bytes = b"",
    ) -> bool:
        """The first end is the end; whether this was it."""
        if self.ended.done():
            return False
        self.ended.set_result(_End(code, details, Metadata(*trailing), answer))
        self._messages.put_nowait(None)
        return True

    async def send(self, message: bytes) -> None:
        await self._room.acquire()
        self._messages.put_nowait(message)

    async def receive(self) -> bytes | None:
        """The next message; None when there will be no more."""
        if self.ended.done() and self._messages.empty():
            return None
        message = await self._messages.get()
        self._room.release()
        return message

    def _expire(self) -> None:
        self.end(StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")


class _LocalCall(grpc.aio.Call):
    """The caller's end, with what gRPC's own call objects offer."""

    def __init__(self, conversation: _Conversation, deserialize: Deserialize) -> None:
        self._conversation = conversation
        self._deserialize = deserialize

    def cancelled(self) -> bool:
        ended = self._conversation.ended
        return ended.done() and ended.result().code is StatusCode.CANCELLED

    def done(self) -> bool:
        return self._conversation.ended.done()

    def time_remaining(self) -> float | None:
        deadline = self._conversation.deadline
        if deadline is None:
            return None
        return max(deadline - asyncio.get_running_loop().time(), 0.0)

    def cancel(self) -> bool:
        return self._conversation.end(StatusCode.CANCELLED, "Locally cancelled by application!")

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        self._conversation.ended.add_done_callback(lambda _: callback(self))

    async def initial_metadata(self) -> Metadata:
        return Metadata()

    async def trailing_metadata(self) -> Metadata:
        return (await self._end()).trailing

    async def code(self) -> StatusCode:
        return (await self._end()).code

    async def details(self) -> str:
        return (await self._end()).details

    async def wait_for_connection(self) -> None:
        return

    async def _end(self) -> _End:
        # Shielded: whoever is cancelled while waiting must not cancel the future of all others.
        return await asyncio.shield(self._conversation.ended)

    async def _good_end(self) -> _End:
        """How the call ended, or what a dialed call raises when it ended badly."""
        try:
            end = await self._end()
        except asyncio.CancelledError:
            self.cancel()
            raise
        if end.code is StatusCode.CANCELLED:
            raise asyncio.CancelledError
        if end.code is not StatusCode.OK:
            raise AioRpcError(end.code, Metadata(), end.trailing, end.details)
        return end

    def _parsed(self, message: bytes) -> Any:
        return self._deserialize(message) if self._deserialize else message


class _UnaryCall(_LocalCall, grpc.aio.UnaryUnaryCall[Request, Response]):
    def __await__(self) -> Generator[Any, None, Response]:
        return self._answer().__await__()

    async def _answer(self) -> Response:
        answer: Response = self._parsed((await self._good_end()).answer)
        return answer


class _StreamCall(_LocalCall, grpc.aio.UnaryStreamCall[Request, Response]):
    async def read(self) -> Any:
        """The next message; EOF when the stream has ended well."""
        try:
            message = await self._conversation.receive()
        except asyncio.CancelledError:
            self.cancel()
            raise
        if message is not None:
            return self._parsed(message)
        await self._good_end()
        return grpc.aio.EOF

    async def __aiter__(self) -> AsyncIterator[Response]:
        while (message := await self.read()) is not grpc.aio.EOF:
            yield message

    def __del__(self) -> None:
        # Nobody can read it any more, so nobody needs it told.
        if not self._conversation.loop.is_closed():
            self.cancel()


class _Remote:
    """One RPC of a channel, with how its messages become bytes."""

    def __init__(
        self, channel: LocalChannel, method: str, serialize: Serialize, deserialize: Deserialize
    ) -> None:
        self._channel = channel
        self._method = method
        self._serialize = serialize
        self._deserialize = deserialize

    def _begin(self, request: Any, timeout: float | None, metadata: Pairs) -> _Conversation:
        data: bytes = self._serialize(request) if self._serialize else request
        return self._channel.start(self._method, data, timeout, metadata)


class _UnaryMultiCallable(_Remote, grpc.aio.UnaryUnaryMultiCallable[Request, Response]):
    def __call__(
        self,
        request: Request,
        *,
        timeout: float | None = None,
        metadata: Pairs = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> _UnaryCall[Request, Response]:
        return _UnaryCall(self._begin(request, timeout, metadata), self._deserialize)


class _StreamMultiCallable(_Remote, grpc.aio.UnaryStreamMultiCallable[Request, Response]):
    def __call__(
        self,
        request: Request,
        *,
        timeout: float | None = None,
        metadata: Pairs = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> _StreamCall[Request, Response]:
        return _StreamCall(self._begin(request, timeout, metadata), self._deserialize)
