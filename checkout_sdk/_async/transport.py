"""Sends calls: the only place of the SDK that waits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TypeAlias

import grpc
from tenacity import AsyncRetrying, retry_if_exception

from checkout_sdk._calls import CallOptions, Metadata, Policy, Tries, metadata
from checkout_sdk._channels import AsyncChannels
from checkout_sdk._requests import TapKeys
from checkout_sdk._rpcs import Request, Response, Rpc
from checkout_sdk._tracing import CallSpan
from checkout_sdk.errors import CheckoutError

Token: TypeAlias = str | Callable[[], str]


class AsyncTransport:
    def __init__(
        self, channels: AsyncChannels, policy: Policy, token: Token | None, keys: TapKeys
    ) -> None:
        self.policy = policy
        self.keys = keys
        self._channels = channels
        self._token = token

    def with_options(self, options: CallOptions) -> AsyncTransport:
        policy = self.policy.with_options(options)
        return AsyncTransport(self._channels, policy, self._token, self.keys)

    async def close(self) -> None:
        await self._channels.close()

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
        """The messages of a stream, over as many connections as it takes. Each connection sends the
        request as it is then: the caller moves `after_version` on."""
        tries = self.policy.stream_tries(options)
        with CallSpan(rpc.name, tries.request_id) as span:
            async for attempt in self._retrying(tries):
                with attempt:
                    index = self._channels.rotation.current
                    connect = self._channels.channel(index).unary_stream(
                        rpc.path, rpc.request.SerializeToString, rpc.response.FromString
                    )
                    call = connect(
                        request, timeout=tries.time_left_s(), metadata=self._metadata(tries, span)
                    )
                    try:
                        async for response in call:
                            tries.succeeded()
                            yield response
                        return
                    except grpc.RpcError as error:
                        raise self._failed(error, index, tries) from error
                    finally:
                        call.cancel()

    async def _try(
        self, rpc: Rpc[Request, Response], request: Request, tries: Tries, span: CallSpan
    ) -> Response:
        index = self._channels.rotation.current
        call = self._channels.channel(index).unary_unary(
            rpc.path, rpc.request.SerializeToString, rpc.response.FromString
        )
        try:
            response = await call(
                request, timeout=tries.timeout_s(), metadata=self._metadata(tries, span)
            )
        except grpc.RpcError as error:
            raise self._failed(error, index, tries) from error
        tries.succeeded()
        return response

    def _retrying(self, tries: Tries) -> AsyncRetrying:
        return AsyncRetrying(
            retry=retry_if_exception(tries.may_repeat),
            wait=tries.wait,
            stop=tries.stop,
            reraise=True,
        )

    def _metadata(self, tries: Tries, span: CallSpan) -> Metadata:
        token = self._token() if callable(self._token) else self._token
        return metadata(token, tries.request_id, span.headers())

    def _failed(self, error: grpc.RpcError, index: int, tries: Tries) -> CheckoutError:
        failure = tries.failed(error)
        self._channels.rotation.failed(index, failure)
        return failure
