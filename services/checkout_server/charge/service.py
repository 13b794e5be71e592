"""ChargeService: money at the provider, whatever the provider does.

What can go wrong here is losing an answer, or taking its absence for one. So every call to the
provider runs in a task of its own that no RPC can cancel: a caller who hangs up or runs into its
deadline leaves the call running, and its effect is found again by its key. And whatever comes of
trouble at the provider is a `Charge` that says UNKNOWN, never an error that somebody could read as
a no.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import structlog

from checkout_server._pb.charge_pb2 import (
    AuthorizeRequest,
    AuthorizeResponse,
    CaptureRequest,
    CaptureResponse,
    RefundRequest,
    RefundResponse,
    RetrieveRequest,
    RetrieveResponse,
    VoidRequest,
    VoidResponse,
)
from checkout_server.call import Call
from checkout_server.charge.gateway import Answer, Gateway, unknown
from checkout_server.database.clock import ServiceClock
from checkout_server.faults import Fault
from checkout_server.protobuf_time import timestamp_ms

# A second more than a gateway's own limits (1 s to connect, 8 s to read) add up to: what has not
# answered by then answers to nobody.
ANSWER_LIMIT_S = 10.0

# What moves money, or keeps it from moving.
Leased = TypeVar("Leased", AuthorizeRequest, VoidRequest, RefundRequest)

log = structlog.get_logger(__name__)


class Charges:
    def __init__(self, gateway: Gateway, clock: ServiceClock) -> None:
        self._gateway = gateway
        self._clock = clock
        # The loop keeps weak references only: a task nobody holds can be collected in mid-flight.
        self._sent: set[asyncio.Task[Any]] = set()

    async def authorize(self, request: AuthorizeRequest, call: Call) -> AuthorizeResponse:
        return await self._ask(
            self._in_time(request, self._gateway.authorize, AuthorizeResponse), AuthorizeResponse
        )

    async def capture(self, request: CaptureRequest, call: Call) -> CaptureResponse:
        return await self._ask(self._gateway.capture(request), CaptureResponse)

    async def void(self, request: VoidRequest, call: Call) -> VoidResponse:
        return await self._ask(
            self._in_time(request, self._gateway.void, VoidResponse), VoidResponse
        )

    async def refund(self, request: RefundRequest, call: Call) -> RefundResponse:
        return await self._ask(
            self._in_time(request, self._gateway.refund, RefundResponse), RefundResponse
        )

    async def retrieve(self, request: RetrieveRequest, call: Call) -> RetrieveResponse:
        return await self._ask(self._gateway.retrieve(request), RetrieveResponse)

    async def drain(self, timeout_s: float) -> int:
        """Waits for the calls under way, when the server has stopped; how many are still out after
        that. Those are not lost: recovery asks for them by their keys."""
        if not self._sent:
            return 0
        _, left = await asyncio.wait(self._sent, timeout=timeout_s)
        return len(left)

    async def _in_time(
        self,
        request: Leased,
        send: Callable[[Leased], Awaitable[Answer]],
        answer: type[Answer],
    ) -> Answer:
        # Here, not in the handler: this is the last line before the gateway, and the process may
        # have been stopped for an hour on the way. Past the lease somebody else may be sending.
        if request.HasField("send_by") and self._clock.now_ms() >= timestamp_ms(request.send_by):
            return answer(charge=unknown("send_by_passed"))
        return await send(request)

    async def _ask(self, sending: Coroutine[Any, Any, Answer], answer: type[Answer]) -> Answer:
        sent = asyncio.create_task(_certain(sending, answer))
        self._sent.add(sent)
        sent.add_done_callback(self._forget)
        # Not wait_for: it cancels what it waits for.
        await asyncio.wait({sent}, timeout=ANSWER_LIMIT_S)
        return sent.result() if sent.done() else answer(charge=unknown("no_answer"))

    def _forget(self, sent: asyncio.Task[Any]) -> None:
        self._sent.discard(sent)
        if not sent.cancelled():
            sent.exception()  # seen: the caller may have left, and a Fault is then nobody's


async def _certain(sending: Coroutine[Any, Any, Answer], answer: type[Answer]) -> Answer:
    """An answer in any case. The provider's words stay out of the log: they may name people."""
    try:
        return await sending
    except Fault:
        raise
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        at = f"{where.filename}:{where.lineno}"
        log.error("gateway_error", answer=answer.__name__, error=type(error).__name__, at=at)
        return answer(charge=unknown("gateway_error"))
