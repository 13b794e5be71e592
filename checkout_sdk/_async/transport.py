"""Sends calls: the only place of the SDK that waits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Generic

import grpc
from tenacity import AsyncRetrying, retry_if_exception

from checkout_sdk._calls import CallOptions, Metadata, Policy, Token, Tries, metadata_of
from checkout_sdk._channels import AsyncChannels
from checkout_sdk._requests import TapKeys
from checkout_sdk._rpcs import Request, Response, Rpc
from checkout_sdk._tracing import CallSpan
from checkout_sdk.errors import CheckoutError


class AsyncTransport:
    def __init__(
        self, channels: AsyncChannels, policy: Policy, token: Token | None, keys: TapKeys
    ) -> None:
        self.policy = policy
        self.keys = keys
        self.channels = channels
        self._token = token

    def with_options(self, options: CallOptions) -> AsyncTransport:
        policy = self.policy.with_options(options)
        return AsyncTransport(self.channels, policy, self._token, self.keys)

    async def close(self) -> None:
        await self.channels.close()

    async def call(
        self, rpc: Rpc[Request, Response], request: Request, options: CallOptions
    ) -> Response:
        return await self.run(rpc, request, self.policy.tries(options))

    async def run(self, rpc: Rpc[Request, Response], request: Request, tries: Tries) -> Response:
        with CallSpan(rpc.name, tries.request_id) as span:
            response: Response = await self._retrying(tries)(self._try, rpc, request, tries, span)
            return response

    async def stream(
        self, rpc: Rpc[Request, Response], request: Request, options: CallOptions
    ) -> AsyncIterator[Response]:
        """The messages of a stream. Each connection sends the request as it is then: the caller
        moves `after_version` on."""
        tries = self.policy.stream_tries(options)
        with CallSpan(rpc.name, tries.request_id) as span:
            stream = AsyncStream(self, rpc, request, tries, span)
            try:
                while (response := await self._received(stream, tries)) is not None:
                    yield response
            finally:
                stream.drop()

    async def _try(
        self, rpc: Rpc[Request, Response], request: Request, tries: Tries, span: CallSpan
    ) -> Response:
        index = self.channels.rotation.current
        call = self.channels.channel(index).unary_unary(
            rpc.path, rpc.request.SerializeToString, rpc.response.FromString
        )
        try:
            response = await call(
                request, timeout=tries.timeout_s(), metadata=self.metadata(tries, span)
            )
        except grpc.RpcError as error:
            raise self.failed(error, index, tries) from error
        tries.succeeded()
        return response

    async def _received(
        self, stream: AsyncStream[Request, Response], tries: Tries
    ) -> Response | None:
        # A Retrying for each message: tenacity keeps its state by thread, and an app may read one
        # stream from several.
        response: Response | None = await self._retrying(tries)(stream.receive)
        return response

    def _retrying(self, tries: Tries) -> AsyncRetrying:
        return AsyncRetrying(
            retry=retry_if_exception(tries.may_repeat),
            wait=tries.wait,
            stop=tries.stop,
            reraise=True,
        )

    def metadata(self, tries: Tries, span: CallSpan) -> Metadata:
        token = self._token() if callable(self._token) else self._token
        return metadata_of(token, tries.request_id, span.headers())

    def failed(self, error: grpc.RpcError, index: int, tries: Tries) -> CheckoutError:
        failure = tries.failed(error)
        self.channels.rotation.failed(index, failure)
        return failure


class AsyncStream(Generic[Request, Response]):
    """One stream over as many connections as it takes."""

    def __init__(
        self,
        transport: AsyncTransport,
        rpc: Rpc[Request, Response],
        request: Request,
        tries: Tries,
        span: CallSpan,
    ) -> None:
        self._transport = transport
        self._rpc = rpc
        self._request = request
        self._tries = tries
        self._span = span
        self._messages: AsyncIterator[Response] | None = None
        self._index = 0
        self._cancel: Callable[[], object] | None = None

    async def receive(self) -> Response | None:
        """The next message; None when the stream has ended for good."""
        messages = self._messages or self._connected()
        try:
            response = await anext(messages, None)
        except grpc.RpcError as error:
            self._messages = None
            raise self._transport.failed(error, self._index, self._tries) from error
        self._tries.succeeded()
        return response

    def drop(self) -> None:
        if self._cancel is not None:
            self._cancel()

    def _connected(self) -> AsyncIterator[Response]:
        channels = self._transport.channels
        self._index = channels.rotation.current
        connect = channels.channel(self._index).unary_stream(
            self._rpc.path, self._rpc.request.SerializeToString, self._rpc.response.FromString
        )
        call = connect(
            self._request,
            timeout=self._tries.time_left_s(),
            metadata=self._transport.metadata(self._tries, self._span),
        )
        self._cancel = call.cancel
        self._messages = aiter(call)
        return self._messages
