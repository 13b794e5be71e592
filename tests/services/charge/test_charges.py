"""ChargeService, whatever the gateway does and however the caller leaves."""

from __future__ import annotations

import asyncio

import pytest

from checkout_server._pb.charge_pb2 import (
    AuthorizeRequest,
    AuthorizeResponse,
    CaptureRequest,
    CaptureResponse,
    Charge,
)
from checkout_server.charge import service
from checkout_server.charge.sandbox import Sandbox
from checkout_server.charge.service import Charges
from checkout_server.faults import invalid
from checkout_server.protobuf_time import timestamp
from tests.fakes.clock import FakeClock
from tests.services.charge.till import CALL, STATUS, Till, create_of


class Held:
    """A gateway that answers when told to."""

    def __init__(self) -> None:
        self.arrived = asyncio.Event()
        self.answer = asyncio.Event()
        self.finished = False

    async def authorize(self, request: AuthorizeRequest, /) -> AuthorizeResponse:
        self.arrived.set()
        await self.answer.wait()
        self.finished = True
        return AuthorizeResponse(charge=Charge(status=STATUS.CHARGE_STATUS_CAPTURED))


class Refusing(Held):
    async def authorize(self, request: AuthorizeRequest, /) -> AuthorizeResponse:
        await super().authorize(request)
        raise invalid("amount", "must be something else")


class Broken:
    """A gateway with a fault of its own, or without a network."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def capture(self, request: CaptureRequest, /) -> CaptureResponse:
        raise self.error


@pytest.mark.parametrize(
    "error",
    [TimeoutError(), ConnectionResetError("cut"), ValueError("no JSON"), KeyError("status")],
    ids=lambda error: type(error).__name__,
)
async def test_trouble_at_the_provider_is_unknown(clock: FakeClock, error: Exception):
    charges = Charges(Broken(error), clock)
    charge = (await charges.capture(CaptureRequest(key="k"), CALL)).charge
    assert (charge.status, charge.reason) == (STATUS.CHARGE_STATUS_UNKNOWN, "gateway_error")


@pytest.mark.parametrize(("early_ms", "posts"), [(1, 1), (0, 0), (-1, 0)])
async def test_nothing_is_sent_once_the_lease_has_ended(
    till: Till, sandbox: Sandbox, clock: FakeClock, early_ms: int, posts: int
):
    charge = await till.authorize(send_by=timestamp(clock.now_ms() + early_ms))
    assert sandbox.book.posts() == posts
    passed = (charge.status, charge.reason) == (STATUS.CHARGE_STATUS_UNKNOWN, "send_by_passed")
    assert passed == (posts == 0)


async def test_a_tombstone_too_is_sent_by_the_lease_only(till: Till, clock: FakeClock):
    charge = await till.tombstone(send_by=timestamp(clock.now_ms()))
    assert charge.reason == "send_by_passed"


async def test_cancelling_the_caller_does_not_cancel_the_charge(clock: FakeClock):
    gateway = Held()
    charges = Charges(gateway, clock)
    caller = asyncio.create_task(charges.authorize(create_of("pm_card_visa", clock), CALL))
    await gateway.arrived.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    gateway.answer.set()
    assert await charges.drain(timeout_s=5) == 0
    assert gateway.finished


async def test_a_caller_cancelled_before_the_send_still_sends(sandbox: Sandbox, clock: FakeClock):
    charges = Charges(sandbox, clock)
    caller = asyncio.create_task(charges.authorize(create_of("pm_card_visa", clock), CALL))
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    await charges.drain(timeout_s=5)
    assert len(sandbox.book.live_charges("att_1")) == 1


async def test_a_refusal_that_nobody_waits_for_is_no_error(clock: FakeClock):
    gateway = Refusing()
    charges = Charges(gateway, clock)
    caller = asyncio.create_task(charges.authorize(create_of("pm_card_visa", clock), CALL))
    await gateway.arrived.wait()
    caller.cancel()
    gateway.answer.set()
    assert await charges.drain(timeout_s=5) == 0


async def test_a_gateway_that_never_answers_is_unknown(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(service, "ANSWER_LIMIT_S", 0.0)
    gateway = Held()
    charges = Charges(gateway, clock)
    charge = (await charges.authorize(create_of("pm_card_visa", clock), CALL)).charge
    assert (charge.status, charge.reason) == (STATUS.CHARGE_STATUS_UNKNOWN, "no_answer")
    assert await charges.drain(timeout_s=0) == 1
    gateway.answer.set()
    assert await charges.drain(timeout_s=5) == 0
