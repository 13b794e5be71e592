"""`AsyncCheckout`: where an app begins."""

from __future__ import annotations

import os
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self, TypedDict, Unpack

import grpc
import grpc.aio

from checkout_sdk import _channels
from checkout_sdk._async.admin import AsyncAdmin
from checkout_sdk._async.buyer import AsyncBuyer
from checkout_sdk._async.transport import AsyncTransport
from checkout_sdk._calls import (
    DEFAULT_MAX_RETRIES,
    DEFAULT_TIMEOUT_S,
    CallOptions,
    Policy,
    Token,
    checked_token,
)
from checkout_sdk._requests import TapKeys


class AsyncClientOptions(TypedDict, total=False):
    """The arguments of `AsyncCheckout`; see there."""

    target: str | Sequence[str] | None
    token: Token | None
    timeout: float
    max_retries: int
    channel: grpc.aio.Channel | None
    interceptors: Sequence[Any]
    credentials: grpc.ChannelCredentials | None
    plaintext: bool


class AsyncCheckout:
    """A client of the checkout service. Make one per process and keep it: it holds the connections.

    Every call may be sent again, and is, within `timeout` and up to `max_retries` times, when the
    service does not answer or says that it helps. Errors are those of `checkout_sdk.errors`.

    target       host:port, or several (a list, or comma-separated): the first that answers is used
    token        the access token, or a function that gives it. It is called for every try, so it
                 should be quick, and give a fresh token before the old one ends. Required, except
                 beside `channel`.
    timeout      seconds for a whole call, all its tries together
    max_retries  how often a failed try is repeated
    credentials  gRPC channel credentials; otherwise TLS with the system's roots, and plaintext to
                 this machine
    plaintext    True: no TLS to other machines either, as behind a sidecar. The token is readable.
    channel      a channel of your own instead of `target`, never closed here. Switch gRPC's own
                 retries off on it (`grpc.enable_retries`, 0), or every retry is multiplied.
    interceptors gRPC client interceptors for the channels made here
    """

    def __init__(
        self,
        *,
        target: str | Sequence[str] | None = None,
        token: Token | None = None,
        timeout: float = DEFAULT_TIMEOUT_S,
        max_retries: int = DEFAULT_MAX_RETRIES,
        channel: grpc.aio.Channel | None = None,
        interceptors: Sequence[Any] = (),
        credentials: grpc.ChannelCredentials | None = None,
        plaintext: bool = False,
    ) -> None:
        policy = Policy().with_options({"timeout": timeout, "max_retries": max_retries})
        endpoints = _channels.endpoints(target, credentials, plaintext, given=channel is not None)
        channels = _channels.AsyncChannels(endpoints, interceptors, channel)
        token = checked_token(token, own_channel=channel is not None)
        self._transport = AsyncTransport(channels, policy, token, TapKeys())

    @classmethod
    def from_env(cls, **options: Unpack[AsyncClientOptions]) -> Self:
        """From CHECKOUT_TARGET (comma-separated targets fail over) and CHECKOUT_TOKEN. Arguments
        win.

        Raises ConfigurationError when there is no target or no token.
        """
        if options.get("channel") is None:
            options.setdefault("target", os.environ.get("CHECKOUT_TARGET"))
        options.setdefault("token", os.environ.get("CHECKOUT_TOKEN"))
        return cls(**options)

    def with_options(self, **options: Unpack[CallOptions]) -> Self:
        """The same client, connections and retry budget, with another `timeout` or
        `max_retries`."""
        twin = object.__new__(type(self))
        twin._transport = self._transport.with_options(options)
        return twin

    def for_buyer(self, buyer_id: str | None = None) -> AsyncBuyer:
        """What can be done for one buyer, by the platform's own id of at most 128 characters.

        None: the buyer of the access token, or nobody; a quote for nobody has a SIGN_IN blocker.
        """
        return AsyncBuyer(self._transport, buyer_id)

    @property
    def admin(self) -> AsyncAdmin:
        """What sellers and the platform do."""
        return AsyncAdmin(self._transport)

    async def close(self) -> None:
        """Closes the connections; calls under way end. Also those of `with_options` twins."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()
