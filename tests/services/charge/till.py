"""A caller of ChargeService, for tests: every request valid and complete, answers as charges."""

from __future__ import annotations

from typing import Any

from checkout_sdk._pb import merchant_pb2
from checkout_sdk._pb.money_pb2 import Money
from checkout_server import validation
from checkout_server._pb import charge_pb2
from checkout_server.call import Call, Caller
from checkout_server.charge.rules import RULES
from checkout_server.charge.service import Charges
from checkout_server.protobuf_time import timestamp
from tests.fakes.clock import FakeClock

CALL = Call(Caller("pf", frozenset({"service"})), "onetap.internal.v1.ChargeService", "req_1")
USD = "USD"
STATUS = charge_pb2.ChargeStatus


def create_of(method: str, clock: FakeClock, **fields: Any) -> charge_pb2.AuthorizeRequest:
    given = {
        "key": "att_1:1",
        "amount": Money(amount_minor=1_000, currency=USD),
        "merchant_id": "mugs",
        "attempt_id": "att_1",
        "account": "acct_1",
        "capture_mode": merchant_pb2.CAPTURE_MODE_AUTOMATIC,
        "return_url": "https://app.example/back",
        "provider_reference": method,
        "params_version": 1,
        "send_by": timestamp(clock.now_ms() + 5_000),
    }
    return charge_pb2.AuthorizeRequest(**{**given, **fields})


class Till:
    def __init__(self, charges: Charges, clock: FakeClock) -> None:
        self._charges = charges
        self._clock = clock

    async def authorize(self, method: str = "pm_card_visa", **fields: Any) -> charge_pb2.Charge:
        request = create_of(method, self._clock, **fields)
        return (await self._charges.authorize(_checked(request), CALL)).charge

    async def authorize_manually(self, **fields: Any) -> charge_pb2.Charge:
        return await self.authorize(capture_mode=merchant_pb2.CAPTURE_MODE_MANUAL, **fields)

    async def tombstone(self, method: str = "pm_card_visa", **fields: Any) -> charge_pb2.Charge:
        return await self.authorize(method, tombstone=True, **fields)

    async def capture(
        self, intent: str, amount_minor: int = 1_000, *, key: str = "ord_1:capture:1"
    ) -> charge_pb2.Charge:
        request = charge_pb2.CaptureRequest(
            key=key,
            account="acct_1",
            provider_intent=intent,
            amount=Money(amount_minor=amount_minor, currency=USD),
        )
        return (await self._charges.capture(_checked(request), CALL)).charge

    async def void(self, intent: str, *, key: str = "ord_1:void:1") -> charge_pb2.Charge:
        request = charge_pb2.VoidRequest(key=key, account="acct_1", provider_intent=intent)
        return (await self._charges.void(_checked(request), CALL)).charge

    async def refund(
        self,
        intent: str,
        amount_minor: int = 1_000,
        *,
        key: str = "ord_1:refund:1",
        currency: str = USD,
    ) -> charge_pb2.RefundResponse:
        request = charge_pb2.RefundRequest(
            key=key,
            account="acct_1",
            provider_intent=intent,
            amount=Money(amount_minor=amount_minor, currency=currency),
        )
        return await self._charges.refund(_checked(request), CALL)

    async def retrieve(self, intent: str, *, account: str = "acct_1") -> charge_pb2.Charge:
        request = charge_pb2.RetrieveRequest(account=account, provider_intent=intent)
        return (await self._charges.retrieve(_checked(request), CALL)).charge


def _checked(request: Any) -> Any:
    validation.check(request, RULES)
    return request
