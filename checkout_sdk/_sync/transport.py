# Made from _async/transport.py by proto/generate_sync.py; not to be edited.
"""Sends calls: the only place of the SDK that waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic

import grpc
from tenacity import Retrying, retry_if_exception

from checkout_sdk._calls import CallOptions, Metadata, Policy, Token, Tries, metadata_of
from checkout_sdk._channels import Channels
from checkout_sdk._requests import TapKeys
from checkout_sdk._rpcs import Request, Response, Rpc
from checkout_sdk._tracing import CallSpan
from checkout_sdk.errors import CheckoutError


class Transport:
    def __init__(
        self, channels: Channels, policy: Policy, token: Token | None, keys: TapKeys
    ) -> None:
        self.policy = policy
        self.keys = keys
        self.channels = channels
        self._token = token

    def with_options(self, options: CallOptions) -> Transport:
        policy = self.policy.with_options(options)
        return Transport(self.channels, policy, self._token, self.keys)

    def close(self) -> None:
        self.channels.close()

    def call(self, rpc: Rpc[Request, Response], request: Request, options: CallOptions) -> Response:
        return self.run(rpc, request, self.policy.tries(options))

    def run(self, rpc: Rpc[Request, Response], request: Request, tries: Tries) -> Response:
        with CallSpan(rpc.name, tries.request_id) as span:
            response: Response = self._retrying(tries)(self._try, rpc, request, tries, span)
            return response

    def stream(
        self, rpc: Rpc[Request, Response], request: Request, options: CallOptions
    ) -> Iterator[Response]:
        """The messages of a stream. Each connection sends the request as it is then: the caller
        moves `after_version` on."""
        tries = self.policy.stream_tries(options)
        with CallSpan(rpc.name, tries.request_id) as span:
            stream = Stream(self, rpc, request, tries, span)
            try:
                while (response := self._received(stream, tries)) is not None:
                    yield response
            finally:
                stream.drop()

    def _try(
        self, rpc: Rpc[Request, Response], request: Request, tries: Tries, span: CallSpan
    ) -> Response:
        index = self.channels.rotation.current
        call = self.channels.channel(index).unary_unary(
            rpc.path, rpc.request.SerializeToString, rpc.response.FromString
        )
        try:
            response = call(request, timeout=tries.timeout_s(), metadata=self.metadata(tries, span))
        except grpc.RpcError as error:
            raise self.failed(error, index, tries) from error
        tries.succeeded()
        return response

    def _received(self, stream: Stream[Request, Response], tries: Tries) -> Response | None:
        # A Retrying for each message: tenacity keeps its state by thread, and an app may read one
        # stream from several.
        response: Response | None = self._retrying(tries)(stream.receive)
        return response

    def _retrying(self, tries: Tries) -> Retrying:
        return Retrying(
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


class Stream(Generic[Request, Response]):
    """One stream over as many connections as it takes."""

    def __init__(
        self,
        transport: Transport,
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
        self._messages: Iterator[Response] | None = None
        self._index = 0
        self._cancel: Callable[[], object] | None = None

    def receive(self) -> Response | None:
        """The next message; None when the stream has ended for good."""
        messages = self._messages or self._connected()
        try:
            response = next(messages, None)
        except grpc.RpcError as error:
            self._messages = None
            raise self._transport.failed(error, self._index, self._tries) from error
        self._tries.succeeded()
        return response

    def drop(self) -> None:
        if self._cancel is not None:
            self._cancel()

    def _connected(self) -> Iterator[Response]:
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
        self._messages = iter(call)
        return self._messages
