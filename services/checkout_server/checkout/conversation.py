"""Talking to the charge service about one attempt: question by question, until there is something
to write."""

from __future__ import annotations

import grpc
import structlog

from checkout_sdk._pb import money_pb2
from checkout_server._pb import charge_pb2, charge_pb2_grpc
from checkout_server.checkout import settle
from checkout_server.checkout.attempt import State
from checkout_server.checkout.settle import Ask, Question, Situation, Verdict
from checkout_server.checkout.worker import Lease
from checkout_server.protobuf_time import timestamp
from checkout_server.telemetry import outgoing, span

log = structlog.get_logger(__name__)

# Longer than the gateway's own limits (connect 1 s, read 8 s), so that it is the gateway that gives
# up.
CHARGE_TIMEOUT_S = 12.0
# Tombstone, replay, retrieve, void is the longest there is; one to spare.
MOST_QUESTIONS = 5


class LeaseLost(Exception):
    """The right to drive this attempt has run out: somebody else may be asking already."""


class Conversation:
    def __init__(self, charges: charge_pb2_grpc.ChargeServiceAsyncStub, lease: Lease) -> None:
        self._charges = charges
        self._lease = lease

    async def hold(
        self, situation: Situation, epoch: int
    ) -> tuple[Verdict, charge_pb2.Charge | None]:
        """As many questions as settle.py has, then its verdict and the answer it stands on.

        `epoch` is the row's: a process that was stopped and came back has a newer one, and what it
        still holds in memory may belong to another by now. Raises LeaseLost.
        """
        step = settle.first_question(situation)
        charge: charge_pb2.Charge | None = None
        for _ in range(MOST_QUESTIONS):
            if isinstance(step, Verdict):
                return step, charge
            if not self._lease.held or self._lease.epoch != epoch:
                raise LeaseLost
            with span(f"charge.{step.ask.name.lower()}"):
                charge = await self._answer(situation, step)
            step = settle.next_step(situation, step, charge)
        if isinstance(step, Verdict):
            return step, charge
        return Verdict(State.UNKNOWN, "endless_conversation"), charge

    async def _answer(self, situation: Situation, question: Question) -> charge_pb2.Charge:
        try:
            return await self._call(situation.record.authorize, question)
        except grpc.aio.AioRpcError as error:
            # Whatever the neighbour's trouble is, the charge may have happened.
            log.warning("charge.no_answer", operation=question.ask.name, code=error.code().name)
            unknown = charge_pb2.CHARGE_STATUS_UNKNOWN
            return charge_pb2.Charge(status=unknown, reason="charge_unreachable")

    async def _call(
        self, asked: charge_pb2.AuthorizeRequest, question: Question
    ) -> charge_pb2.Charge:
        intent, account = question.intent, asked.account
        send_by = timestamp(self._lease.ends_ms)
        match question.ask:
            case Ask.RETRIEVE:
                retrieve = charge_pb2.RetrieveRequest(account=account, provider_intent=intent)
                return (
                    await self._charges.Retrieve(
                        retrieve, timeout=CHARGE_TIMEOUT_S, metadata=outgoing()
                    )
                ).charge
            case Ask.VOID:
                key = f"{asked.attempt_id}:void:1"
                void = charge_pb2.VoidRequest(
                    key=key, account=account, provider_intent=intent, send_by=send_by
                )
                return (
                    await self._charges.Void(void, timeout=CHARGE_TIMEOUT_S, metadata=outgoing())
                ).charge
            case Ask.REFUND:
                refund = charge_pb2.RefundRequest(
                    key=f"{asked.attempt_id}:refund:1",
                    account=account,
                    provider_intent=intent,
                    amount=money_pb2.Money(
                        amount_minor=question.amount_minor, currency=question.currency
                    ),
                    send_by=send_by,
                )
                return (
                    await self._charges.Refund(
                        refund, timeout=CHARGE_TIMEOUT_S, metadata=outgoing()
                    )
                ).charge
            case Ask.CREATE | Ask.REPLAY | Ask.TOMBSTONE:
                request = charge_pb2.AuthorizeRequest()
                request.CopyFrom(asked)
                request.tombstone = question.ask is Ask.TOMBSTONE
                request.send_by.CopyFrom(send_by)
                return (
                    await self._charges.Authorize(
                        request, timeout=CHARGE_TIMEOUT_S, metadata=outgoing()
                    )
                ).charge
