"""Where calls go: the targets, how each is dialed, which one is in use.

A list of targets fails over: the first that answers is kept until it does not. The two classes at
the end are the only hand-written twins, because grpc and grpc.aio differ in what a channel is bound
to: the sync one to nothing, the other to the event loop it was made in.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio

from checkout_sdk._version import VERSION
from checkout_sdk.errors import CheckoutError, ConfigurationError

NO_TARGET = (
    "no target. Set CHECKOUT_TARGET=host:port or pass target=."
    " For a local server: checkout-server dev"
)
URL = re.compile("https?://", re.IGNORECASE)
# What gRPC resolves by other rules than host:port.
RESOLVED = re.compile("unix:|unix-abstract:|[a-z0-9+.-]+://")
NO_ANSWER = frozenset({"UNAVAILABLE", "CANCELLED", "DEADLINE_EXCEEDED"})
CLOSED = "the client is closed; make a new one"
OPTIONS: tuple[tuple[str, Any], ...] = (
    ("grpc.enable_retries", 0),  # one layer retries: _calls.py
    ("grpc.primary_user_agent", f"checkout-sdk-python/{VERSION}"),
    # By default a channel that lost its server dials again after 1 s, then ever more rarely up to 2
    # minutes, and fails every call in between: longer than a whole call may take.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    target: str
    credentials: grpc.ChannelCredentials | None
    """None: plaintext."""


def endpoints(
    target: str | Sequence[str] | None,
    credentials: grpc.ChannelCredentials | None,
    plaintext: bool,
    *,
    given: bool,
) -> tuple[Endpoint, ...]:
    """Plaintext goes to this machine only, unless the caller asks for more: a token travels in
    it."""
    names = target.split(",") if isinstance(target, str) else list(target or ())
    targets = [name.strip() for name in names if name.strip()]
    if given:
        if targets or credentials is not None or plaintext:
            raise ConfigurationError("channel= comes instead of target=, credentials=, plaintext=")
        return ()
    if not targets:
        raise ConfigurationError(NO_TARGET)
    for name in targets:
        _check_target(name)
    if plaintext and credentials is not None:
        raise ConfigurationError("plaintext=True and credentials= exclude each other")
    return tuple(Endpoint(name, _credentials(name, credentials, plaintext)) for name in targets)


def _check_target(target: str) -> None:
    if URL.match(target):
        raise ConfigurationError(f"target {target!r} must be host:port, without http://")
    host, _, port = target.rpartition(":")
    if not RESOLVED.match(target) and not (host and port.isdigit()):
        raise ConfigurationError(f"target {target!r} must be host:port, such as 127.0.0.1:7443")


def _credentials(
    target: str, given: grpc.ChannelCredentials | None, plaintext: bool
) -> grpc.ChannelCredentials | None:
    if given is not None:
        return given
    return None if plaintext or is_loopback(target) else grpc.ssl_channel_credentials()


def is_loopback(target: str) -> bool:
    if target.startswith(("unix:", "unix-abstract:")):
        return True
    host = target.removeprefix("dns:///").rpartition(":")[0].strip("[]") or target
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Rotation:
    """Which of so many targets is in use. All calls of a client share it."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._current = 0

    @property
    def current(self) -> int:
        return self._current

    def failed(self, used: int, error: CheckoutError) -> None:
        """Leaves a target that did not answer. Only the first caller to say so moves on: a burst of
        failures is one change of target, not many."""
        if error.code in NO_ANSWER and self._current == used:
            self._current = (used + 1) % self._count


class Channels:
    """The channels of a `Checkout`. Dialing happens at the first call."""

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        interceptors: Sequence[Any],
        given: grpc.Channel | None,
    ) -> None:
        self._given = given
        self._own = [grpc.intercept_channel(_open(each), *interceptors) for each in endpoints]
        self.rotation = Rotation(max(1, len(self._own)))
        self._closed = False

    def channel(self, index: int) -> grpc.Channel:
        if self._closed:
            raise ConfigurationError(CLOSED)
        return self._given or self._own[index]

    def close(self) -> None:
        self._closed = True
        for channel in self._own:
            channel.close()


class AsyncChannels:
    """The channels of an `AsyncCheckout`, opened by the first call in the event loop of that call:
    a client made at import, before there is a loop, works, and so does one that meets a second
    loop."""

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        interceptors: Sequence[Any],
        given: grpc.aio.Channel | None,
    ) -> None:
        self._endpoints = tuple(endpoints)
        self._interceptors = tuple(interceptors)
        self._given = given
        self._own: list[grpc.aio.Channel] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self.rotation = Rotation(max(1, len(self._endpoints)))
        self._closed = False

    def channel(self, index: int) -> grpc.aio.Channel:
        if self._closed:
            raise ConfigurationError(CLOSED)
        if self._given is not None:
            return self._given
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop = loop
            self._own = [_open_async(each, self._interceptors) for each in self._endpoints]
        return self._own[index]

    async def close(self) -> None:
        self._closed = True
        if self._loop is asyncio.get_running_loop():
            for channel in self._own:
                await channel.close()


def _open(endpoint: Endpoint) -> grpc.Channel:
    if endpoint.credentials is None:
        return grpc.insecure_channel(endpoint.target, OPTIONS)
    return grpc.secure_channel(endpoint.target, endpoint.credentials, OPTIONS)


def _open_async(endpoint: Endpoint, interceptors: Sequence[Any]) -> grpc.aio.Channel:
    if endpoint.credentials is None:
        return grpc.aio.insecure_channel(endpoint.target, OPTIONS, interceptors=interceptors)
    return grpc.aio.secure_channel(
        endpoint.target, endpoint.credentials, OPTIONS, interceptors=interceptors
    )
