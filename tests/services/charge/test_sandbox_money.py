"""Money after the tap at the sandbox: captures, voids, refunds, and the book that counts them."""

from __future__ import annotations

import pytest

from checkout_server.charge.sandbox import Sandbox
from checkout_server.faults import Fault
from tests.services.charge.till import STATUS, Till


def moved(sandbox: Sandbox) -> list[tuple[str, int]]:
    return [(one.kind, one.amount_minor) for one in sandbox.book.movements()]


async def test_a_manual_authorization_takes_nothing_yet(till: Till, sandbox: Sandbox):
    charge = await till.authorize_manually()
    assert charge.status == STATUS.CHARGE_STATUS_AUTHORIZED
    assert moved(sandbox) == [("authorized", 1_000)]
    assert len(sandbox.book.live_charges("att_1")) == 1


async def test_a_capture_takes_what_was_authorized(till: Till, sandbox: Sandbox):
    charge = await till.authorize_manually()
    captured = await till.capture(charge.provider_intent)
    assert captured.status == STATUS.CHARGE_STATUS_CAPTURED
    assert moved(sandbox) == [("authorized", 1_000), ("captured", 1_000)]


async def test_a_capture_of_a_part_releases_the_rest(till: Till, sandbox: Sandbox):
    charge = await till.authorize_manually()
    captured = await till.capture(charge.provider_intent, 700)
    assert captured.amount.amount_minor == 700
    assert moved(sandbox) == [("authorized", 1_000), ("captured", 700), ("released", 300)]


async def test_a_capture_never_takes_more_than_was_authorized(till: Till, sandbox: Sandbox):
    charge = await till.authorize_manually()
    with pytest.raises(Fault, match="INVALID_FIELD"):
        await till.capture(charge.provider_intent, 1_001)
    assert moved(sandbox) == [("authorized", 1_000)]


async def test_a_refused_amount_leaves_its_key_unused(till: Till):
    charge = await till.authorize_manually()
    with pytest.raises(Fault):
        await till.capture(charge.provider_intent, 1_001)
    captured = await till.capture(charge.provider_intent, 1_000)
    assert captured.status == STATUS.CHARGE_STATUS_CAPTURED


async def test_a_capture_again_is_the_stored_one(till: Till, sandbox: Sandbox):
    charge = await till.authorize_manually()
    await till.capture(charge.provider_intent)
    again = await till.capture(charge.provider_intent)
    assert (again.status, again.replayed) == (STATUS.CHARGE_STATUS_CAPTURED, True)
    assert len(moved(sandbox)) == 2


async def test_a_capture_of_what_is_captured_answers_with_the_charge(till: Till, sandbox: Sandbox):
    charge = await till.authorize()
    captured = await till.capture(charge.provider_intent)
    assert (captured.status, captured.replayed) == (STATUS.CHARGE_STATUS_CAPTURED, False)
    assert moved(sandbox) == [("captured", 1_000)]


@pytest.mark.parametrize("method", ["pm_card_threeDSecure2Required", "pm_card_chargeDeclined"])
async def test_a_void_cancels_what_took_no_money(till: Till, sandbox: Sandbox, method: str):
    charge = await till.authorize(method)
    cancelled = await till.void(charge.provider_intent)
    assert cancelled.status == STATUS.CHARGE_STATUS_CANCELLED
    assert moved(sandbox) == []


async def test_a_void_releases_what_was_authorized(till: Till, sandbox: Sandbox):
    charge = await till.authorize_manually()
    cancelled = await till.void(charge.provider_intent)
    assert cancelled.status == STATUS.CHARGE_STATUS_CANCELLED
    assert moved(sandbox) == [("authorized", 1_000), ("released", 1_000)]
    assert sandbox.book.live_charges("att_1") == []


@pytest.mark.parametrize(
    ("method", "status"),
    [
        ("pm_card_visa", STATUS.CHARGE_STATUS_CAPTURED),
        ("pm_sandbox_processing", STATUS.CHARGE_STATUS_PROCESSING),
    ],
)
async def test_a_void_of_what_cannot_be_cancelled_answers_with_the_charge(
    till: Till, sandbox: Sandbox, method: str, status: int
):
    charge = await till.authorize(method)
    assert (await till.void(charge.provider_intent)).status == status
    assert len(sandbox.book.live_charges("att_1")) == 1


async def test_a_challenge_that_was_cancelled_can_no_longer_be_passed(till: Till, sandbox: Sandbox):
    asked = await till.authorize("pm_card_threeDSecure2Required")
    await till.void(asked.provider_intent)
    sandbox.book.complete_challenge(asked.provider_intent, passed=True, now_ms=0)
    now = await till.retrieve(asked.provider_intent)
    assert now.status == STATUS.CHARGE_STATUS_CANCELLED
    assert moved(sandbox) == []


async def test_a_full_refund_gives_everything_back(till: Till, sandbox: Sandbox):
    charge = await till.authorize()
    answer = await till.refund(charge.provider_intent)
    assert answer.charge.status == STATUS.CHARGE_STATUS_REFUNDED
    assert answer.charge.refunded.amount_minor == 1_000
    assert answer.provider_refund.startswith("re_sbx_")
    assert sandbox.book.live_charges("att_1") == []


async def test_refunds_of_parts_add_up(till: Till):
    charge = await till.authorize()
    first = await till.refund(charge.provider_intent, 300, key="ord_1:refund:1")
    second = await till.refund(charge.provider_intent, 700, key="ord_1:refund:2")
    assert first.charge.status == STATUS.CHARGE_STATUS_CAPTURED
    assert first.charge.refunded.amount_minor == 300
    assert second.charge.status == STATUS.CHARGE_STATUS_REFUNDED
    assert first.provider_refund != second.provider_refund


async def test_a_refund_again_is_the_stored_one(till: Till, sandbox: Sandbox):
    charge = await till.authorize()
    first = await till.refund(charge.provider_intent, 300)
    second = await till.refund(charge.provider_intent, 300)
    assert second.charge.replayed
    assert second.provider_refund == first.provider_refund
    assert moved(sandbox) == [("captured", 1_000), ("refunded", 300)]


async def test_refunds_never_pass_what_was_captured(till: Till, sandbox: Sandbox):
    charge = await till.authorize()
    await till.refund(charge.provider_intent, 300, key="ord_1:refund:1")
    with pytest.raises(Fault, match="INVALID_FIELD"):
        await till.refund(charge.provider_intent, 701, key="ord_1:refund:2")
    assert moved(sandbox) == [("captured", 1_000), ("refunded", 300)]


async def test_a_refund_in_another_currency_is_refused(till: Till):
    charge = await till.authorize()
    with pytest.raises(Fault, match="INVALID_FIELD"):
        await till.refund(charge.provider_intent, currency="EUR")


async def test_a_refund_of_what_was_given_back_moves_nothing(till: Till, sandbox: Sandbox):
    charge = await till.authorize()
    await till.refund(charge.provider_intent, key="ord_1:refund:1")
    answer = await till.refund(charge.provider_intent, key="ord_1:refund:2")
    assert answer.charge.status == STATUS.CHARGE_STATUS_REFUNDED
    assert answer.provider_refund == ""
    assert len(moved(sandbox)) == 2


async def test_a_refund_of_what_was_never_captured_answers_with_the_charge(till: Till):
    charge = await till.authorize_manually()
    answer = await till.refund(charge.provider_intent)
    assert answer.charge.status == STATUS.CHARGE_STATUS_AUTHORIZED
    assert answer.provider_refund == ""


@pytest.mark.parametrize(("intent", "account"), [("pi_sbx_0", "acct_1"), ("", "acct_2")])
async def test_an_intent_of_nobody_and_one_of_another_account_are_alike(
    till: Till, intent: str, account: str
):
    charge = await till.authorize()
    found = await till.retrieve(intent or charge.provider_intent, account=account)
    assert (found.status, found.reason) == (STATUS.CHARGE_STATUS_UNKNOWN, "no_such_intent")


async def test_the_journal_tells_every_request_and_what_came_of_it(till: Till, sandbox: Sandbox):
    await till.authorize("pm_sandbox_timeout_before")
    charge = await till.authorize("pm_sandbox_timeout_before")
    await till.authorize("pm_sandbox_timeout_before")
    await till.refund(charge.provider_intent, 300)
    with pytest.raises(Fault):
        await till.refund(charge.provider_intent, 900, key="ord_1:refund:2")
    await till.retrieve(charge.provider_intent)
    told = [(line.operation, line.attempt_id, line.result) for line in sandbox.book.journal()]
    assert told == [
        ("authorize", "att_1", "timeout_before"),
        ("authorize", "att_1", "captured"),
        ("authorize", "att_1", "captured, replayed"),
        ("refund", "att_1", "captured"),
        ("refund", "att_1", "INVALID_FIELD"),
        ("retrieve", "att_1", "captured"),
    ]


async def test_posts_are_counted_by_key_operation_and_attempt(till: Till, sandbox: Sandbox):
    charge = await till.authorize()
    await till.authorize(key="att_2:1", attempt_id="att_2")
    await till.refund(charge.provider_intent)
    await till.retrieve(charge.provider_intent)
    book = sandbox.book
    assert book.posts() == 3
    assert book.posts(operation="authorize") == 2
    assert book.posts(key="att_1:1") == 1
    assert book.posts(attempt_id="att_1") == 2
