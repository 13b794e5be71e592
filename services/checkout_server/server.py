"""The gRPC server: its options, its health, and how it starts and stops."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from checkout_server.handlers import Handlers
from checkout_server.settings import Settings

# How soon a load balancer can know that this process no longer serves.
HEALTH_EVERY_S = 1.0

log = structlog.get_logger(__name__)

OPTIONS: tuple[tuple[str, Any], ...] = (
    # No message of this API is longer; lists and batches are split (DESIGN.md 4).
    ("grpc.max_receive_message_length", 65_536),
    # Of all of a call's metadata: a token has at most 4 KiB. Between the two, some are refused.
    ("grpc.max_metadata_size", 8_192),
    ("grpc.absolute_max_metadata_size", 16_384),
    # A backend's one connection carries thousands of viewers; at 100 half of a burst is refused.
    ("grpc.max_concurrent_streams", 10_000),
    # gRPC's own 1,000 and 3,000 drop honest bursts as CANCELLED, which nobody retries. Who is
    # refused is decided by admission, with RESOURCE_EXHAUSTED and a time.
    ("grpc.server.max_pending_requests", 20_000),
    ("grpc.server.max_pending_requests_hard_limit", 40_000),
    # Connections move to new processes within 10 min (gRPC adds its own 10 % of jitter); the grace
    # is longer than the deadline of any call that is not a stream, so none is cut.
    ("grpc.max_connection_idle_ms", 300_000),
    ("grpc.max_connection_age_ms", 600_000),
    ("grpc.max_connection_age_grace_ms", 60_000),
    # Dead peers are found out within 80 s; who pings more often than every 30 s is sent away.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 30_000),
    ("grpc.http2.max_ping_strikes", 2),
    # Two servers would silently share a port, and half of the calls would go to the wrong one.
    ("grpc.so_reuseport", 0),
    # An open window into every connection's state.
    ("grpc.enable_channelz", 0),
)


class Server:
    """Serves `handlers` where the settings say. `healthy` is asked every second; `drain` is awaited
    by `stop` when no call is left."""

    def __init__(
        self,
        settings: Settings,
        handlers: Handlers,
        *,
        healthy: Callable[[], bool],
        drain: Callable[[], Awaitable[None]],
    ) -> None:
        self._settings = settings
        self._healthy = healthy
        self._drain = drain
        self._handlers = handlers
        self._names = sorted({path[1:].partition("/")[0] for path in handlers.rpcs})
        self._health = health.aio.HealthServicer()
        self._watching: asyncio.Task[None] | None = None
        self._server = grpc.aio.server(options=OPTIONS)
        self._server.add_generic_rpc_handlers((handlers,))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        if settings.development and settings.loopback:
            names = (*self._names, health.SERVICE_NAME, reflection.SERVICE_NAME)
            reflection.enable_server_reflection(names, self._server)

    async def start(self) -> int:
        """The port it listens on. Raises RuntimeError when it cannot."""
        port = self._bind()
        await self.tell_health()
        await self._server.start()
        self._watching = asyncio.create_task(self._watch_health())
        return port

    async def stop(self, grace_s: float) -> None:
        """Health first, so that nobody is sent here any more; then no new calls, streams are ended,
        and the others have up to `grace_s`; then what the calls have left running, whatever became
        of the steps before (RELIABILITY.md 4.1)."""
        if self._watching:
            self._watching.cancel()
        try:
            await self._health.enter_graceful_shutdown()
            self._handlers.end_streams()
            # Once: a second one beside it ends in a segmentation fault (grpcio 1.85).
            await self._server.stop(grace_s)
        finally:
            await self._drain()

    async def tell_health(self) -> None:
        """Sets health to what `healthy` says now, for the whole and for each service."""
        status = health_pb2.HealthCheckResponse
        now = status.SERVING if self._healthy() else status.NOT_SERVING
        for name in ("", *self._names):
            await self._health.set(name, now)

    async def _watch_health(self) -> None:
        while True:
            await asyncio.sleep(HEALTH_EVERY_S)
            try:
                await self.tell_health()
            except Exception:
                log.exception("health.not_told")

    def _bind(self) -> int:
        if self._settings.tls is None:
            return self._server.add_insecure_port(self._settings.listen)
        certificate, key = (path.read_bytes() for path in self._settings.tls)
        credentials = grpc.ssl_server_credentials([(key, certificate)])
        return self._server.add_secure_port(self._settings.listen, credentials)
