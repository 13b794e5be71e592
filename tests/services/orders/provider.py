"""ChargeService as orders know it: a stub over a provider that keeps its rules about keys."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from enum import Enum, auto

import grpc

from checkout_sdk._pb.money_pb2 import Money
from checkout_server._pb import charge_pb2

STATUS = charge_pb2.ChargeStatus
AUTHORIZED = STATUS.CHARGE_STATUS_AUTHORIZED
CAPTURED = STATUS.CHARGE_STATUS_CAPTURED
CANCELLED = STATUS.CHARGE_STATUS_CANCELLED
REFUNDED = STATUS.CHARGE_STATUS_REFUNDED


Metadata = tuple[tuple[str, str], ...]


class Trouble(Enum):
    """What becomes of one movement of money."""

    LOST_BEFORE = auto()  # never arrived
    LOST_AFTER = auto()  # done, and nobody heard of it
    UNKNOWN = auto()
    BUSY = auto()
    REFUSED = auto()  # looked at, and not done
    STUCK_AFTER = auto()  # done, and its key says 500 for ever


class Provider:
    def __init__(self) -> None:
        self.charges: dict[str, charge_pb2.Charge] = {}
        self.sent: list[tuple[str, str]] = []  # (operation, key)
        self.done: list[tuple[str, int]] = []  # (operation, minor units)
        self.trouble: deque[Trouble] = deque()
        self.send_by: list[int] = []  # milliseconds, of each movement
        self.traces: list[Metadata] = []
        self.arrived = asyncio.Event()
        # The first movement waits for it, after it has arrived.
        self.hold_first: asyncio.Event | None = None

    def charge(self, intent: str, status: STATUS.ValueType, amount: Money) -> charge_pb2.Charge:
        made = charge_pb2.Charge(
            status=status, provider_intent=intent, amount=amount, account="streamly"
        )
        self.charges[intent] = made
        return made

    async def Void(
        self, request: charge_pb2.VoidRequest, timeout: float, metadata: Metadata
    ) -> charge_pb2.VoidResponse:
        self._note(request, metadata)

        def void() -> None:
            charge = self.charges[request.provider_intent]
            if charge.status == AUTHORIZED:
                charge.status = CANCELLED
                self.done.append(("void", charge.amount.amount_minor))

        charge = await self._move("void", request.key, request.provider_intent, void)
        return charge_pb2.VoidResponse(charge=charge)

    async def Refund(
        self, request: charge_pb2.RefundRequest, timeout: float, metadata: Metadata
    ) -> charge_pb2.RefundResponse:
        self._note(request, metadata)

        def refund() -> None:
            charge = self.charges[request.provider_intent]
            if charge.status == CAPTURED and charge.amount == request.amount:
                charge.status = REFUNDED
                self.done.append(("refund", request.amount.amount_minor))

        charge = await self._move("refund", request.key, request.provider_intent, refund)
        return charge_pb2.RefundResponse(charge=charge)

    async def Retrieve(
        self, request: charge_pb2.RetrieveRequest, timeout: float, metadata: Metadata
    ) -> charge_pb2.RetrieveResponse:
        self.traces.append(metadata)
        self.sent.append(("retrieve", ""))
        return charge_pb2.RetrieveResponse(charge=self._now(request.provider_intent))

    async def _move(
        self, operation: str, key: str, intent: str, act: Callable[[], None]
    ) -> charge_pb2.Charge:
        self.sent.append((operation, key))
        self.arrived.set()
        if self.hold_first is not None and len(self.sent) == 1:
            await self.hold_first.wait()
        trouble = self.trouble.popleft() if self.trouble else None
        if trouble in (None, Trouble.LOST_AFTER, Trouble.STUCK_AFTER):
            act()
        if trouble in (Trouble.LOST_BEFORE, Trouble.LOST_AFTER):
            nothing = grpc.aio.Metadata()
            raise grpc.aio.AioRpcError(grpc.StatusCode.DEADLINE_EXCEEDED, nothing, nothing)
        statuses = {
            Trouble.UNKNOWN: STATUS.CHARGE_STATUS_UNKNOWN,
            Trouble.BUSY: STATUS.CHARGE_STATUS_BUSY,
            Trouble.STUCK_AFTER: STATUS.CHARGE_STATUS_STUCK,
        }
        if trouble in statuses:
            return charge_pb2.Charge(status=statuses[trouble])
        return self._now(intent)

    def _note(
        self, request: charge_pb2.VoidRequest | charge_pb2.RefundRequest, metadata: Metadata
    ) -> None:
        self.send_by.append(request.send_by.ToMilliseconds())
        self.traces.append(metadata)

    def _now(self, intent: str) -> charge_pb2.Charge:
        now = charge_pb2.Charge()
        now.CopyFrom(self.charges[intent])
        return now
