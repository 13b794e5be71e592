# Made from _async/transport.py by proto/generate_sync.py; not to be edited.
"""Sends calls: the only place of the SDK that waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import grpc
from tenacity import Retrying, retry_if_exception

from checkout_sdk._calls import CallOptions, Metadata, Policy, Tries, metadata
from checkout_sdk._channels import Channels
from checkout_sdk._requests import TapKeys
from checkout_sdk._rpcs import Request, Response, Rpc
from checkout_sdk._tracing import CallSpan
from checkout_sdk.errors import CheckoutError

Token: TypeAlias = str | Callable[[], str]


class Transport:
    def __init__(
        self, channels: Channels, policy: Policy, token: Token | None, keys: TapKeys
    ) -> None:
        self.policy = policy
        self.keys = keys
        self._channels = channels
        self._token = token

    def with_options(self, options: CallOptions) -> Transport:
        policy = self.policy.with_options(options)
        return Transport(self._channels, policy, self._token, self.keys)

    def close(self) -> None:
        self._channels.close()

    def call(self, rpc: Rpc[Request, Response], request: Request, options: CallOptions) -> Response:
        return self.run(rpc, request, self.policy.tries(options))

    def run(self, rpc: Rpc[Request, Response], request: Request, tries: Tries) -> Response:
        with CallSpan(rpc.name, tries.request_id) as span:
            response: Response = self._retrying(tries)(self._try, rpc, request, tries, span)
            return response

    def stream(
        self, rpc: Rpc[Request, Response], request: Request, options: CallOptions
    ) -> Iterator[Response]:
        """The messages of a stream, over as many connections as it takes. Each connection sends the
        request as it is then: the caller moves `after_version` on."""
        tries = self.policy.stream_tries(options)
        with CallSpan(rpc.name, tries.request_id) as span:
            for attempt in self._retrying(tries):
                with attempt:
                    index = self._channels.rotation.current
                    connect = self._channels.channel(index).unary_stream(
                        rpc.path, rpc.request.SerializeToString, rpc.response.FromString
                    )
                    call = connect(
                        request, timeout=tries.time_left_s(), metadata=self._metadata(tries, span)
                    )
                    try:
                        for response in call:
                            tries.succeeded()
                            yield response
                        return
                    except grpc.RpcError as error:
                        raise self._failed(error, index, tries) from error
                    finally:
                        call.cancel()

    def _try(
        self, rpc: Rpc[Request, Response], request: Request, tries: Tries, span: CallSpan
    ) -> Response:
        index = self._channels.rotation.current
        call = self._channels.channel(index).unary_unary(
            rpc.path, rpc.request.SerializeToString, rpc.response.FromString
        )
        try:
            response = call(
                request, timeout=tries.timeout_s(), metadata=self._metadata(tries, span)
            )
        except grpc.RpcError as error:
            raise self._failed(error, index, tries) from error
        tries.succeeded()
        return response

    def _retrying(self, tries: Tries) -> Retrying:
        return Retrying(
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
