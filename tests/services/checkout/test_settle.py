"""What is asked of the provider next, as tables: no clock, no call, no row."""

from __future__ import annotations

from typing import Any

import pytest

from checkout_sdk._pb.money_pb2 import Money
from checkout_server._pb import charge_pb2
from checkout_server.checkout import settle
from checkout_server.checkout.attempt import State
from checkout_server.checkout.conversation import MOST_QUESTIONS
from checkout_server.checkout.settle import Ask, Question, Situation, Verdict, next_step
from checkout_server.protobuf_time import duration
from tests.services.checkout.rows import NOW_MS, record

WINDOW_MS = 900_000
PI = "pi_1"
Charge = charge_pb2.Charge
CREATE = Question(Ask.CREATE)
RETRIEVE = Question(Ask.RETRIEVE, PI)
TOMBSTONE = Question(Ask.TOMBSTONE)
REPLAY = Question(Ask.REPLAY, late=True)
LATE_RETRIEVE = Question(Ask.RETRIEVE, PI, late=True)


def situation(
    state: State = State.CHARGING, *, after_ms: int = 0, free: bool = False, **fields: Any
) -> Situation:
    """`after_ms` the tap. A known intent is UNKNOWN's or ACTION_REQUIRED's."""
    kept = record(**fields)
    if free:
        kept.ClearField("authorize")
    return Situation(state, kept, NOW_MS + after_ms, WINDOW_MS)


def at_bank(*, after_ms: int = 0, state: State = State.ACTION_REQUIRED, **fields: Any) -> Situation:
    shown = {"action_shown": True, "action_expires_ms": NOW_MS + 300_000, "provider_intent": PI}
    return situation(state, after_ms=after_ms, **shown | fields)


def said(status: str, **fields: Any) -> Charge:
    """Of the intent, for the amount and account that T1 wrote, unless a test says otherwise."""
    plain = {
        "status": f"CHARGE_STATUS_{status}",
        "provider_intent": PI,
        "account": "streamly",
        "amount": Money(amount_minor=2_000, currency="USD"),
    }
    return Charge(**plain | fields)


LATE_MS = WINDOW_MS + 1
TOO_OLD_MS = settle.KEY_LIFE_MS + 1


@pytest.mark.parametrize(
    ("now", "step"),
    [
        (situation(free=True), Verdict(State.PLACED)),
        (situation(), CREATE),
        (situation(State.UNKNOWN), CREATE),
        (situation(State.UNKNOWN, after_ms=WINDOW_MS), CREATE),
        (situation(State.UNKNOWN, after_ms=LATE_MS), TOMBSTONE),
        (situation(State.CHARGING, after_ms=LATE_MS), TOMBSTONE),
        (situation(State.UNKNOWN, after_ms=TOO_OLD_MS), Verdict(State.PARKED, "key_too_old")),
        (situation(State.UNKNOWN, provider_intent=PI), RETRIEVE),
        (situation(State.UNKNOWN, provider_intent=PI, after_ms=TOO_OLD_MS), RETRIEVE),
        (
            situation(State.UNKNOWN, provider_intent=PI, compensate=True),
            Question(Ask.RETRIEVE, PI, State.COMPENSATED),
        ),
        (at_bank(), Question(Ask.RETRIEVE, PI, State.DECLINED)),
        (at_bank(after_ms=300_000), Question(Ask.VOID, PI, State.EXPIRED)),
        (at_bank(after_ms=300_000, state=State.UNKNOWN), Question(Ask.VOID, PI, State.EXPIRED)),
        (at_bank(cancel_requested=True), Question(Ask.VOID, PI, State.CANCELLED)),
        (
            at_bank(cancel_requested=True, state=State.UNKNOWN),
            Question(Ask.RETRIEVE, PI, State.DECLINED),
        ),
    ],
)
def test_the_first_question(now: Situation, step: Question | Verdict):
    assert settle.first_question(now) == step


WRONG_AMOUNT = Money(amount_minor=2_001, currency="USD")
GIVE_BACK = {"provider_intent": PI, "compensate": True}
UNDONE = Question(Ask.RETRIEVE, PI, State.COMPENSATED)


@pytest.mark.parametrize(
    ("now", "question", "charge", "step"),
    [
        # It came to what it should.
        (situation(), CREATE, said("CAPTURED"), Verdict(State.PLACED)),
        (situation(), CREATE, said("AUTHORIZED"), Verdict(State.PLACED)),
        (situation(), CREATE, said("DECLINED"), Verdict(State.DECLINED)),
        (situation(), CREATE, said("ACTION_REQUIRED"), Verdict(State.ACTION_REQUIRED)),
        (situation(), CREATE, said("PROCESSING"), Verdict(State.UNKNOWN, "processing")),
        # Sent in time and answered after the window: the buyer gets what they bought.
        (situation(after_ms=LATE_MS), CREATE, said("CAPTURED"), Verdict(State.PLACED)),
        # What the provider kept may have moved on since.
        (situation(), CREATE, said("CAPTURED", replayed=True), RETRIEVE),
        (situation(), CREATE, said("DECLINED", replayed=True), RETRIEVE),
        # No answer is not a no.
        (situation(), CREATE, said("UNKNOWN", reason="x"), Verdict(State.UNKNOWN, "x")),
        (
            situation(),
            CREATE,
            said("BUSY", retry_after=duration(1_000)),
            Verdict(State.UNKNOWN, wait_ms=1_000),
        ),
        (situation(), CREATE, said("STUCK"), Verdict(State.PARKED, "stored_fault")),
        (situation(), CREATE, said("KEY_USED"), Verdict(State.PARKED, "key_conflict")),
        (
            situation(State.UNKNOWN, provider_intent=PI),
            RETRIEVE,
            said("CANCELLED"),
            Verdict(State.EXPIRED),
        ),
        # At the bank.
        (at_bank(), RETRIEVE, said("ACTION_REQUIRED"), Verdict(State.ACTION_REQUIRED)),
        (at_bank(), RETRIEVE, said("UNKNOWN"), Verdict(State.ACTION_REQUIRED)),
        (at_bank(), RETRIEVE, said("CAPTURED"), Verdict(State.PLACED)),
        (at_bank(after_ms=LATE_MS), RETRIEVE, said("CAPTURED"), Verdict(State.PLACED)),
        (at_bank(), RETRIEVE, said("DECLINED"), Question(Ask.VOID, PI, State.DECLINED)),
        # Giving up there needs the provider's word.
        (
            at_bank(),
            Question(Ask.VOID, PI, State.CANCELLED),
            said("CANCELLED"),
            Verdict(State.CANCELLED),
        ),
        (
            at_bank(),
            Question(Ask.VOID, PI, State.DECLINED),
            said("CANCELLED"),
            Verdict(State.DECLINED),
        ),
        (
            at_bank(after_ms=300_000),
            Question(Ask.VOID, PI, State.EXPIRED),
            said("CANCELLED"),
            Verdict(State.EXPIRED),
        ),
        (
            at_bank(after_ms=300_000),
            Question(Ask.VOID, PI, State.EXPIRED),
            said("CAPTURED"),
            Verdict(State.PLACED),
        ),
        (
            at_bank(after_ms=300_000),
            Question(Ask.VOID, PI, State.EXPIRED),
            said("UNKNOWN"),
            Verdict(State.UNKNOWN),
        ),
        (
            at_bank(),
            Question(Ask.VOID, PI, State.CANCELLED),
            said("ACTION_REQUIRED"),
            Verdict(State.UNKNOWN, "cancel_pending"),
        ),
        # Absence is made: the tombstone lies on an unused key, then its intent is cancelled.
        (
            situation(State.UNKNOWN, after_ms=LATE_MS),
            TOMBSTONE,
            said("ABSENT"),
            Question(Ask.VOID, PI, State.EXPIRED),
        ),
        (
            situation(State.UNKNOWN, after_ms=LATE_MS),
            Question(Ask.VOID, PI, State.EXPIRED),
            said("CANCELLED"),
            Verdict(State.EXPIRED),
        ),
        (
            situation(State.UNKNOWN, after_ms=LATE_MS),
            TOMBSTONE,
            said("BUSY"),
            Verdict(State.UNKNOWN),
        ),
        # The key was used: what it took is found by a replay, and given back.
        (situation(State.UNKNOWN, after_ms=LATE_MS), TOMBSTONE, said("KEY_USED"), REPLAY),
        (
            situation(State.UNKNOWN, after_ms=LATE_MS),
            REPLAY,
            said("CAPTURED", replayed=True),
            LATE_RETRIEVE,
        ),
        (
            situation(State.UNKNOWN, after_ms=LATE_MS),
            LATE_RETRIEVE,
            said("CAPTURED"),
            Verdict(State.UNKNOWN, "charged_late", compensate=True),
        ),
        (
            situation(State.UNKNOWN, after_ms=LATE_MS),
            LATE_RETRIEVE,
            said("ACTION_REQUIRED"),
            Question(Ask.VOID, PI, State.EXPIRED),
        ),
        (
            situation(State.UNKNOWN, after_ms=LATE_MS),
            LATE_RETRIEVE,
            said("PROCESSING"),
            Verdict(State.UNKNOWN, "processing", compensate=True),
        ),
        # Another amount, currency or account than T1 wrote.
        (
            situation(),
            CREATE,
            said("CAPTURED", amount=WRONG_AMOUNT),
            Verdict(State.UNKNOWN, "amount_mismatch", compensate=True),
        ),
        (
            situation(),
            CREATE,
            said("CAPTURED", amount=Money(amount_minor=2_000, currency="EUR")),
            Verdict(State.UNKNOWN, "currency_mismatch", compensate=True),
        ),
        (
            situation(),
            CREATE,
            said("AUTHORIZED", account="clipper"),
            Verdict(State.UNKNOWN, "account_mismatch", compensate=True),
        ),
        # Giving back: all that was taken, whatever was asked for.
        (
            situation(State.UNKNOWN, **GIVE_BACK),
            UNDONE,
            said("CAPTURED", amount=WRONG_AMOUNT),
            Question(Ask.REFUND, PI, State.COMPENSATED, amount_minor=2_001, currency="USD"),
        ),
        (
            situation(State.UNKNOWN, **GIVE_BACK),
            UNDONE,
            said("AUTHORIZED"),
            Question(Ask.VOID, PI, State.COMPENSATED),
        ),
        (
            situation(State.UNKNOWN, **GIVE_BACK),
            Question(Ask.VOID, PI, State.COMPENSATED),
            said("CANCELLED"),
            Verdict(State.COMPENSATED),
        ),
        (
            situation(State.UNKNOWN, **GIVE_BACK),
            Question(Ask.REFUND, PI, State.COMPENSATED),
            said("REFUNDED"),
            Verdict(State.COMPENSATED),
        ),
        (
            situation(State.UNKNOWN, **GIVE_BACK),
            Question(Ask.REFUND, PI, State.COMPENSATED),
            said("CAPTURED"),
            Verdict(State.UNKNOWN, "compensation_pending"),
        ),
        (
            situation(State.UNKNOWN, **GIVE_BACK),
            UNDONE,
            said("ACTION_REQUIRED"),
            Question(Ask.VOID, PI, State.COMPENSATED),
        ),
    ],
)
def test_the_next_step(
    now: Situation, question: Question, charge: Charge, step: Question | Verdict
):
    assert next_step(now, question, charge) == step


def test_no_situation_asks_on_for_ever():
    """Whatever the provider answers: a verdict comes within the questions that a conversation has.
    (A cancel that left an intent as it was has no sense; the conversation stops that one.)"""
    values = charge_pb2.ChargeStatus.DESCRIPTOR.values
    statuses = [value.name.removeprefix("CHARGE_STATUS_") for value in values]
    situations = [
        situation(state, after_ms=after_ms, provider_intent=intent, compensate=compensate)
        for state in (State.CHARGING, State.UNKNOWN)
        for after_ms in (0, LATE_MS, TOO_OLD_MS)
        for intent in ("", PI)
        for compensate in (False, bool(intent))
    ]
    situations += [
        at_bank(after_ms=after_ms, cancel_requested=cancel)
        for after_ms in (0, 300_000, LATE_MS)
        for cancel in (False, True)
    ]

    def deepest(now: Situation, step: Question | Verdict, asked: int) -> int:
        if isinstance(step, Verdict) or asked > MOST_QUESTIONS:
            return asked
        return max(
            deepest(now, next_step(now, step, said(status, replayed=replayed)), asked + 1)
            for status in statuses
            for replayed in (False, True)
            if not (status == "ABSENT" and step.ask is Ask.VOID)
        )

    assert max(deepest(now, settle.first_question(now), 0) for now in situations) < MOST_QUESTIONS


def test_a_create_is_only_ever_sent_in_time_and_without_a_known_intent():
    for after_ms in (0, WINDOW_MS, LATE_MS, TOO_OLD_MS):
        for intent in ("", PI):
            for state in (State.CHARGING, State.UNKNOWN, State.ACTION_REQUIRED):
                now = situation(state, after_ms=after_ms, provider_intent=intent)
                step = settle.first_question(now)
                creates = isinstance(step, Question) and step.ask is Ask.CREATE
                assert creates == (not intent and after_ms <= WINDOW_MS)


def test_a_person_is_asked_after_the_last_try():
    again = Verdict(State.UNKNOWN, "timeout")
    assert settle.give_up(again, State.UNKNOWN, settle.MOST_TRIES - 1) == again
    parked = Verdict(State.PARKED, "timeout")
    assert settle.give_up(again, State.UNKNOWN, settle.MOST_TRIES) == parked
    # Only tries in vain count.
    assert settle.give_up(again, State.CHARGING, settle.MOST_TRIES) == again
    placed = Verdict(State.PLACED)
    assert settle.give_up(placed, State.UNKNOWN, settle.MOST_TRIES) == placed


def test_waits_grow_and_have_an_end():
    for reason, first_ms in (("", settle.FIRST_BACKOFF_MS), ("processing", settle.FIRST_POLL_MS)):
        waits = [settle.backoff_ms(tries, reason) for tries in range(1_000)]
        assert waits[0] == first_ms
        assert waits == sorted(waits)
        assert waits[-1] == settle.LONGEST_BACKOFF_MS


def test_ten_tries_outlast_the_forward_window():
    """So that absence is made before a person is asked."""
    waited_ms = sum(settle.backoff_ms(tries) for tries in range(settle.MOST_TRIES))
    assert waited_ms > 15 * 60_000
