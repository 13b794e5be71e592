"""Keys at the sandbox: what makes a retry safe, and where that ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from checkout_sdk._pb.money_pb2 import Money
from checkout_server._pb.charge_pb2 import AuthorizeResponse
from checkout_server.charge.sandbox import Sandbox
from checkout_server.charge.sandbox_book import Book
from checkout_server.charge.service import Charges
from tests.fakes.clock import FakeClock
from tests.services.charge.till import STATUS, Till, create_of

DAY_MS = 24 * 3600 * 1000
LATENCY_MS = 20


@pytest.fixture
async def neighbour(book_file: str, clock: FakeClock) -> AsyncIterator[Till]:
    """Another process with the same book."""
    sandbox = Sandbox(book_file, clock)
    yield Till(Charges(sandbox, clock), clock)
    sandbox.book.close()


@pytest.fixture
async def slow(book_file: str, clock: FakeClock) -> AsyncIterator[Sandbox]:
    sandbox = Sandbox(book_file, clock, latency_ms=LATENCY_MS)
    yield sandbox
    sandbox.book.close()


async def sent(sandbox: Sandbox, clock: FakeClock) -> asyncio.Task[AuthorizeResponse]:
    """A create that has arrived and is at work: a task runs up to its first wait."""
    at_work = asyncio.create_task(sandbox.authorize(create_of("pm_card_visa", clock)))
    await asyncio.sleep(0)
    return at_work


async def test_the_same_key_again_is_the_stored_answer(till: Till, sandbox: Sandbox):
    first = await till.authorize()
    second = await till.authorize()
    assert second.replayed
    second.replayed = False
    assert second == first
    assert len(sandbox.book.intents()) == 1
    assert len(sandbox.book.movements()) == 1


async def test_a_stored_answer_is_older_than_what_happened_since(till: Till):
    charge = await till.authorize()
    await till.refund(charge.provider_intent)
    again = await till.authorize()
    assert (again.status, again.replayed) == (STATUS.CHARGE_STATUS_CAPTURED, True)
    now = await till.retrieve(charge.provider_intent)
    assert now.status == STATUS.CHARGE_STATUS_REFUNDED


async def test_a_stored_decline_is_given_again(till: Till):
    await till.authorize("pm_card_chargeDeclined")
    again = await till.authorize("pm_card_chargeDeclined")
    assert (again.status, again.replayed) == (STATUS.CHARGE_STATUS_DECLINED, True)


@pytest.mark.parametrize(
    "other",
    [
        {"amount": Money(amount_minor=1_001, currency="USD")},
        {"amount": Money(amount_minor=1_000, currency="EUR")},
        {"attempt_id": "att_2"},
        {"return_url": "https://app.example/elsewhere"},
        {"method": "pm_card_mastercard"},
    ],
    ids=["amount", "currency", "attempt", "return_url", "method"],
)
async def test_the_same_key_with_other_parameters_is_refused(
    till: Till, sandbox: Sandbox, other: dict[str, object]
):
    await till.authorize()
    refused = await till.authorize(**other)
    assert refused.status == STATUS.CHARGE_STATUS_KEY_USED
    assert len(sandbox.book.intents()) == 1


async def test_the_same_key_for_another_operation_is_refused(till: Till):
    charge = await till.authorize_manually()
    refused = await till.capture(charge.provider_intent, key="att_1:1")
    assert refused.status == STATUS.CHARGE_STATUS_KEY_USED
    now = await till.retrieve(charge.provider_intent)
    assert now.status == STATUS.CHARGE_STATUS_AUTHORIZED


async def test_the_same_key_of_another_account_is_another_key(till: Till):
    first = await till.authorize()
    second = await till.authorize(account="acct_2")
    assert not second.replayed
    assert second.provider_intent != first.provider_intent


async def test_the_id_of_a_charge_is_made_from_its_key(clock: FakeClock):
    ids = set()
    for _ in range(2):
        sandbox = Sandbox(":memory:", clock)
        answer = await sandbox.authorize(create_of("pm_card_visa", clock))
        ids.add(answer.charge.provider_intent)
        sandbox.book.close()
    assert len(ids) == 1


async def test_a_key_that_is_at_work_is_busy(slow: Sandbox, till: Till, clock: FakeClock):
    at_work = await sent(slow, clock)
    assert (await till.authorize()).status == STATUS.CHARGE_STATUS_BUSY
    first = (await at_work).charge
    second = await till.authorize()
    assert (second.provider_intent, second.replayed) == (first.provider_intent, True)


async def test_a_crash_at_work_leaves_a_key_that_is_free_in_time(
    slow: Sandbox, till: Till, clock: FakeClock
):
    at_work = await sent(slow, clock)
    at_work.cancel()
    with suppress(asyncio.CancelledError):
        await at_work
    assert (await till.authorize()).status == STATUS.CHARGE_STATUS_BUSY
    clock.advance(LATENCY_MS)
    again = await till.authorize()
    assert (again.status, again.replayed) == (STATUS.CHARGE_STATUS_CAPTURED, True)


async def test_latency_can_be_drawn_for_each_request(book_file: str, clock: FakeClock):
    drawn = iter([0.5, 0.25])
    sandbox = Sandbox(book_file, clock, latency_ms=lambda: next(drawn))
    await sandbox.authorize(create_of("pm_card_visa", clock))
    await sandbox.authorize(create_of("pm_card_visa", clock))
    assert list(drawn) == []
    sandbox.book.close()


async def test_a_tombstone_makes_sure_that_a_key_never_charges(till: Till, sandbox: Sandbox):
    tombstone = await till.tombstone()
    assert tombstone.status == STATUS.CHARGE_STATUS_ABSENT
    assert (await till.authorize()).status == STATUS.CHARGE_STATUS_KEY_USED
    assert (await till.retrieve(tombstone.provider_intent)).status == STATUS.CHARGE_STATUS_ABSENT
    cancelled = await till.void(tombstone.provider_intent)
    assert cancelled.status == STATUS.CHARGE_STATUS_CANCELLED
    assert sandbox.book.movements() == []


async def test_a_tombstone_again_is_the_stored_one(till: Till):
    first = await till.tombstone()
    second = await till.tombstone()
    assert (second.status, second.replayed) == (STATUS.CHARGE_STATUS_ABSENT, True)
    assert second.provider_intent == first.provider_intent


async def test_a_tombstone_comes_too_late_for_a_used_key(till: Till):
    charge = await till.authorize()
    assert (await till.tombstone()).status == STATUS.CHARGE_STATUS_KEY_USED
    original = await till.authorize()
    assert (original.provider_intent, original.replayed) == (charge.provider_intent, True)


async def test_a_tombstone_waits_while_the_create_is_at_work(
    slow: Sandbox, till: Till, clock: FakeClock
):
    at_work = await sent(slow, clock)
    assert (await till.tombstone()).status == STATUS.CHARGE_STATUS_BUSY
    await at_work


async def test_a_tombstone_after_a_request_that_did_nothing_is_accepted(till: Till):
    await till.authorize("pm_sandbox_timeout_before")
    tombstone = await till.tombstone("pm_sandbox_timeout_before")
    assert tombstone.status == STATUS.CHARGE_STATUS_ABSENT


async def test_a_key_is_kept_for_a_day(till: Till, clock: FakeClock):
    await till.authorize()
    clock.advance(DAY_MS - 1)
    assert (await till.authorize()).replayed


async def test_a_key_older_than_a_day_charges_again(till: Till, sandbox: Sandbox, clock: FakeClock):
    first = await till.authorize()
    clock.advance(DAY_MS)
    second = await till.authorize()
    assert not second.replayed
    assert second.provider_intent != first.provider_intent
    assert len(sandbox.book.live_charges("att_1")) == 2


async def test_a_request_with_an_unknown_payment_method_leaves_its_key_unused(till: Till):
    await till.authorize("pm_nobody_knows")
    assert (await till.authorize()).status == STATUS.CHARGE_STATUS_CAPTURED


async def test_two_processes_share_a_key(till: Till, neighbour: Till, sandbox: Sandbox):
    first = await till.authorize()
    second = await neighbour.authorize()
    assert (second.provider_intent, second.replayed) == (first.provider_intent, True)
    assert sandbox.book.posts() == 2


async def test_two_processes_share_a_first_time(till: Till, neighbour: Till):
    first = await till.authorize("pm_sandbox_error_500")
    second = await neighbour.authorize("pm_sandbox_error_500")
    assert [first.status, second.status] == [
        STATUS.CHARGE_STATUS_UNKNOWN,
        STATUS.CHARGE_STATUS_CAPTURED,
    ]


async def test_another_process_completes_the_challenge(
    till: Till, book_file: str, clock: FakeClock
):
    asked = await till.authorize("pm_card_threeDSecure2Required")
    book = Book(book_file)
    book.complete_challenge(asked.provider_intent, passed=True, now_ms=clock.now_ms())
    book.close()
    now = await till.retrieve(asked.provider_intent)
    assert now.status == STATUS.CHARGE_STATUS_CAPTURED


@pytest.mark.parametrize(
    ("method", "status", "replayed"),
    [
        ("pm_card_visa", STATUS.CHARGE_STATUS_CAPTURED, True),
        ("pm_sandbox_timeout_before", STATUS.CHARGE_STATUS_CAPTURED, False),
        ("pm_sandbox_timeout_after", STATUS.CHARGE_STATUS_CAPTURED, True),
        ("pm_card_threeDSecure2Required", STATUS.CHARGE_STATUS_ACTION_REQUIRED, True),
    ],
)
async def test_the_book_survives_a_restart(
    book_file: str, clock: FakeClock, method: str, status: int, replayed: bool
):
    before = Sandbox(book_file, clock)
    await before.authorize(create_of(method, clock))
    before.book.close()
    after = Sandbox(book_file, clock)
    charge = (await after.authorize(create_of(method, clock))).charge
    assert (charge.status, charge.replayed) == (status, replayed)
    assert after.book.posts(key="att_1:1") == 2
    after.book.close()
