"""What each payment method of the sandbox does."""

from __future__ import annotations

import pytest

from checkout_sdk._pb import merchant_pb2
from checkout_server.charge import sandbox_methods
from checkout_server.charge.sandbox import Sandbox
from checkout_server.protobuf_time import duration_ms
from tests.fakes.clock import FakeClock
from tests.services.charge.till import STATUS, Till


@pytest.mark.parametrize("method", ["pm_card_visa", "pm_card_mastercard", "pm_card_amex"])
async def test_a_good_card_pays(till: Till, sandbox: Sandbox, method: str):
    charge = await till.authorize(method)
    assert charge.status == STATUS.CHARGE_STATUS_CAPTURED
    assert (charge.amount.amount_minor, charge.amount.currency) == (1_000, "USD")
    assert charge.account == "acct_1"
    assert charge.provider_intent.startswith("pi_sbx_")
    assert not charge.replayed
    assert [one.intent_id for one in sandbox.book.live_charges("att_1")] == [charge.provider_intent]


@pytest.mark.parametrize(
    ("method", "code"),
    [
        ("pm_card_chargeDeclined", "generic_decline"),
        ("pm_card_chargeDeclinedInsufficientFunds", "insufficient_funds"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card"),
        ("pm_card_chargeDeclinedFraudulent", "fraudulent"),
        ("pm_nobody_knows", "resource_missing"),
    ],
)
async def test_a_bad_card_is_declined(till: Till, sandbox: Sandbox, method: str, code: str):
    charge = await till.authorize(method)
    assert (charge.status, charge.decline_code) == (STATUS.CHARGE_STATUS_DECLINED, code)
    assert sandbox.book.live_charges("att_1") == []


@pytest.mark.parametrize(
    "method",
    [
        "pm_card_authenticationRequired",
        "pm_card_threeDSecure2Required",
        "pm_sandbox_challenge_fails",
    ],
)
async def test_a_challenge_sends_the_buyer_to_a_url(till: Till, method: str):
    charge = await till.authorize(method, return_url="https://app.example/back?video=7")
    assert charge.status == STATUS.CHARGE_STATUS_ACTION_REQUIRED
    challenge = f"sandbox_challenge={charge.provider_intent}"
    assert charge.action.redirect_url == f"https://app.example/back?video=7&{challenge}"


async def test_a_challenge_without_a_return_url_has_a_page_of_the_sandbox(till: Till):
    charge = await till.authorize("pm_card_threeDSecure2Required", return_url="")
    page = f"https://sandbox.invalid/challenge/{charge.provider_intent}"
    assert charge.action.redirect_url == page


@pytest.mark.parametrize(
    ("capture_mode", "status"),
    [
        (merchant_pb2.CAPTURE_MODE_AUTOMATIC, STATUS.CHARGE_STATUS_CAPTURED),
        (merchant_pb2.CAPTURE_MODE_MANUAL, STATUS.CHARGE_STATUS_AUTHORIZED),
    ],
)
async def test_a_passed_challenge_pays(
    till: Till, sandbox: Sandbox, clock: FakeClock, capture_mode: int, status: int
):
    asked = await till.authorize("pm_card_threeDSecure2Required", capture_mode=capture_mode)
    sandbox.book.complete_challenge(asked.provider_intent, passed=True, now_ms=clock.now_ms())
    assert (await till.retrieve(asked.provider_intent)).status == status


@pytest.mark.parametrize(
    ("method", "passed"),
    [("pm_card_threeDSecure2Required", False), ("pm_sandbox_challenge_fails", True)],
)
async def test_a_failed_challenge_declines(
    till: Till, sandbox: Sandbox, clock: FakeClock, method: str, passed: bool
):
    asked = await till.authorize(method)
    sandbox.book.complete_challenge(asked.provider_intent, passed=passed, now_ms=clock.now_ms())
    charge = await till.retrieve(asked.provider_intent)
    assert charge.status == STATUS.CHARGE_STATUS_DECLINED
    assert charge.decline_code == "authentication_failed"
    assert not charge.HasField("action")


async def test_an_answered_challenge_stays_answered(till: Till, sandbox: Sandbox, clock: FakeClock):
    asked = await till.authorize("pm_card_threeDSecure2Required")
    sandbox.book.complete_challenge(asked.provider_intent, passed=True, now_ms=clock.now_ms())
    sandbox.book.complete_challenge(asked.provider_intent, passed=False, now_ms=clock.now_ms())
    assert len(sandbox.book.live_charges("att_1")) == 1
    assert len(sandbox.book.movements()) == 1


def test_nobody_answers_a_challenge_that_is_not_there(sandbox: Sandbox, clock: FakeClock):
    with pytest.raises(LookupError):
        sandbox.book.complete_challenge("pi_sbx_0", passed=True, now_ms=clock.now_ms())


async def test_processing_makes_up_its_mind_after_five_seconds(
    till: Till, sandbox: Sandbox, clock: FakeClock
):
    charge = await till.authorize("pm_sandbox_processing")
    clock.advance(4_999)
    still = await till.retrieve(charge.provider_intent)
    clock.advance(1)
    paid = await till.retrieve(charge.provider_intent)
    assert [charge.status, still.status, paid.status] == [
        STATUS.CHARGE_STATUS_PROCESSING,
        STATUS.CHARGE_STATUS_PROCESSING,
        STATUS.CHARGE_STATUS_CAPTURED,
    ]
    assert len(sandbox.book.movements()) == 1


async def test_a_wrong_amount_is_charged_and_reported(till: Till):
    charge = await till.authorize("pm_sandbox_wrong_amount")
    assert charge.status == STATUS.CHARGE_STATUS_CAPTURED
    assert charge.amount.amount_minor == 1_001


@pytest.mark.parametrize(
    ("method", "reason"),
    [("pm_sandbox_timeout_before", "timeout_before"), ("pm_sandbox_error_500", "http_500")],
)
async def test_a_request_that_did_nothing_is_unknown_and_pays_the_second_time(
    till: Till, sandbox: Sandbox, method: str, reason: str
):
    first = await till.authorize(method)
    assert (first.status, first.reason) == (STATUS.CHARGE_STATUS_UNKNOWN, reason)
    assert sandbox.book.intents() == []
    second = await till.authorize(method)
    assert (second.status, second.replayed) == (STATUS.CHARGE_STATUS_CAPTURED, False)


@pytest.mark.parametrize(
    ("method", "retry_after_ms"),
    [("pm_sandbox_busy_409", 200), ("pm_sandbox_rate_limited_429", 1_000)],
)
async def test_a_request_that_was_turned_away_is_busy_and_pays_the_second_time(
    till: Till, sandbox: Sandbox, method: str, retry_after_ms: int
):
    first = await till.authorize(method)
    assert first.status == STATUS.CHARGE_STATUS_BUSY
    assert duration_ms(first.retry_after) == retry_after_ms
    assert sandbox.book.intents() == []
    second = await till.authorize(method)
    assert (second.status, second.replayed) == (STATUS.CHARGE_STATUS_CAPTURED, False)


async def test_a_lost_answer_is_unknown_and_found_again_by_its_key(till: Till, sandbox: Sandbox):
    first = await till.authorize("pm_sandbox_timeout_after")
    assert (first.status, first.reason) == (STATUS.CHARGE_STATUS_UNKNOWN, "timeout_after")
    assert first.provider_intent == ""
    assert len(sandbox.book.live_charges("att_1")) == 1
    second = await till.authorize("pm_sandbox_timeout_after")
    assert (second.status, second.replayed) == (STATUS.CHARGE_STATUS_CAPTURED, True)
    assert len(sandbox.book.live_charges("att_1")) == 1


async def test_a_stored_fault_is_stuck_at_its_second_replay(till: Till, sandbox: Sandbox):
    answers = [await till.authorize("pm_sandbox_error_500_stored") for _ in range(4)]
    assert [answer.status for answer in answers] == [
        STATUS.CHARGE_STATUS_UNKNOWN,
        STATUS.CHARGE_STATUS_UNKNOWN,
        STATUS.CHARGE_STATUS_STUCK,
        STATUS.CHARGE_STATUS_STUCK,
    ]
    assert [answer.replayed for answer in answers] == [False, True, True, True]
    assert len(sandbox.book.live_charges("att_1")) == 1


async def test_a_tombstone_under_a_stored_fault_is_refused(till: Till):
    await till.authorize("pm_sandbox_error_500_stored")
    refused = await till.tombstone("pm_sandbox_error_500_stored")
    assert refused.status == STATUS.CHARGE_STATUS_KEY_USED


async def test_a_slow_card_pays_in_the_end(till: Till):
    charge = await till.authorize("pm_sandbox_slow_10")
    assert charge.status == STATUS.CHARGE_STATUS_CAPTURED


def test_any_delay_can_be_asked_for():
    delays = {
        name: method.delay_ms if (method := sandbox_methods.find(name)) else None
        for name in ("pm_sandbox_slow_3s", "pm_sandbox_slow_250", "pm_sandbox_slow_100000")
    }
    assert delays == {
        "pm_sandbox_slow_3s": 3_000,
        "pm_sandbox_slow_250": 250,
        "pm_sandbox_slow_100000": None,
    }


@pytest.mark.parametrize("method", sandbox_methods.METHODS, ids=lambda method: method.reference)
def test_every_method_can_be_shown_to_a_person(method: sandbox_methods.SandboxMethod):
    assert sandbox_methods.find(method.reference) == method
    assert method.brand
    assert len(method.last4) == 4
    assert method.does
