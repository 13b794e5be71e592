import asyncio
from dataclasses import dataclass

import pytest

from checkout_sdk._pb.wallet_pb2 import (
    DeletePaymentMethodRequest,
    DeletePaymentMethodResponse,
    ListPaymentMethodsRequest,
    PaymentMethod,
    SavePaymentMethodRequest,
    SetDefaultPaymentMethodRequest,
)
from checkout_server import ids
from checkout_server._pb.lookup_pb2 import LookupPaymentMethodRequest, LookupPaymentMethodResponse
from checkout_server.call import Call, Caller
from checkout_server.database import Database
from checkout_server.faults import Fault
from checkout_server.validation import check
from checkout_server.wallet.describe import describe_by
from checkout_server.wallet.rules import RULES
from checkout_server.wallet.service import Wallet
from tests.fakes.clock import FakeClock

VISA, MASTERCARD = "pm_card_visa", "pm_card_mastercard"
UNKNOWN = ids.new_id("pmt", ids.tag("acme"))


@dataclass(frozen=True)
class Card:
    brand: str
    last4: str


KNOWN = {VISA: Card("visa", "4242"), MASTERCARD: Card("mastercard", "4444")}


def caller(platform: str = "acme", buyer: str | None = "ada") -> Call:
    scope = "platform" if buyer is None else "buyer"
    return Call(Caller(platform, frozenset({scope}), buyer=buyer), "Test", "req_1")


ADA = caller()
SERVICE = Call(Caller("acme", frozenset({"service"})), "Test", "req_1")


@pytest.fixture
def wallet(payment_db: Database, clock: FakeClock) -> Wallet:
    return Wallet(payment_db, clock, describe_by(KNOWN.get))


async def save(
    wallet: Wallet,
    request_id: str,
    provider_reference: str = VISA,
    *,
    call: Call = ADA,
    make_default: bool = False,
) -> PaymentMethod:
    request = SavePaymentMethodRequest(
        request_id=request_id, provider_reference=provider_reference, make_default=make_default
    )
    check(request, RULES)
    return (await wallet.save_payment_method(request, call)).payment_method


async def listed(wallet: Wallet, call: Call = ADA) -> list[PaymentMethod]:
    page = await wallet.list_payment_methods(ListPaymentMethodsRequest(), call)
    return list(page.payment_methods)


async def delete(wallet: Wallet, method_id: str, call: Call = ADA) -> DeletePaymentMethodResponse:
    request = DeletePaymentMethodRequest(payment_method_id=method_id)
    return await wallet.delete_payment_method(request, call)


async def set_default(wallet: Wallet, method_id: str, call: Call = ADA) -> PaymentMethod:
    request = SetDefaultPaymentMethodRequest(payment_method_id=method_id)
    return (await wallet.set_default_payment_method(request, call)).payment_method


async def lookup(
    wallet: Wallet, *, platform: str = "acme", buyer: str = "ada", method_id: str = ""
) -> LookupPaymentMethodResponse:
    request = LookupPaymentMethodRequest(
        platform_id=platform, buyer_id=buyer, payment_method_id=method_id
    )
    return await wallet.lookup_payment_method(request, SERVICE)


async def test_a_saved_method_shows_what_is_known_of_it(wallet: Wallet, clock: FakeClock) -> None:
    method = await save(wallet, "r1")
    assert method == PaymentMethod(
        payment_method_id=method.payment_method_id,
        kind="card",
        brand="visa",
        last4="4242",
        is_default=True,
        create_time=method.create_time,
    )
    assert method.create_time.ToMilliseconds() == clock.now_ms()
    assert ids.tag_of(method.payment_method_id, "pmt") == ids.tag("acme")


async def test_an_unknown_reference_is_a_card_of_which_nothing_is_known(wallet: Wallet) -> None:
    method = await save(wallet, "r1", "pm_1NO6mA2eZvKYlo2CEydeHsKT")
    assert (method.kind, method.brand, method.last4) == ("card", "", "")


@pytest.mark.parametrize(
    "reference", ["4242424242424242", "4242 4242 4242 4242", "pm_4242424242424242", "pm_", ""]
)
async def test_a_card_number_is_no_reference(wallet: Wallet, reference: str) -> None:
    with pytest.raises(Fault, match="INVALID_FIELD") as refused:
        await save(wallet, "r1", reference)
    [violation] = refused.value.violations
    assert violation.field == "provider_reference"
    assert "a card number never enters this API" in violation.description
    assert await listed(wallet) == []


async def test_the_same_request_again_gives_the_same_method(wallet: Wallet) -> None:
    assert await save(wallet, "r1") == await save(wallet, "r1")
    assert len(await listed(wallet)) == 1


async def test_a_request_id_with_another_reference_is_refused(wallet: Wallet) -> None:
    await save(wallet, "r1")
    with pytest.raises(Fault, match="IDEMPOTENCY_CONFLICT"):
        await save(wallet, "r1", MASTERCARD)


async def test_a_reference_saved_before_gives_the_method_there_is(wallet: Wallet) -> None:
    first = await save(wallet, "r1")
    assert await save(wallet, "r2") == first
    assert await listed(wallet) == [first]


async def test_saving_it_again_can_make_it_the_default(wallet: Wallet) -> None:
    await save(wallet, "r1", MASTERCARD)
    visa = await save(wallet, "r2")
    again = await save(wallet, "r3", make_default=True)
    assert not visa.is_default
    assert (await lookup(wallet)).payment_method == again
    assert again.payment_method_id == visa.payment_method_id


async def test_a_reference_deleted_before_is_saved_anew(wallet: Wallet) -> None:
    first = await save(wallet, "r1")
    await delete(wallet, first.payment_method_id)
    second = await save(wallet, "r2")
    assert second.payment_method_id != first.payment_method_id
    assert await listed(wallet) == [second]


async def test_two_buyers_may_have_the_same_reference(wallet: Wallet) -> None:
    of_ada = await save(wallet, "r1")
    of_bob = await save(wallet, "r1", call=caller(buyer="bob"))
    assert of_ada.payment_method_id != of_bob.payment_method_id


async def test_one_reference_saved_many_times_at_once_is_one_method(wallet: Wallet) -> None:
    saved = await asyncio.gather(*(save(wallet, f"r{number}") for number in range(8)))
    assert len({method.payment_method_id for method in saved}) == 1
    assert len(await listed(wallet)) == 1


async def test_the_default_is_listed_first_then_the_newest(wallet: Wallet) -> None:
    saved = [await save(wallet, f"r{number}", f"pm_{number}") for number in range(4)]
    await set_default(wallet, saved[1].payment_method_id)
    order = [method.payment_method_id for method in await listed(wallet)]
    assert order == [saved[index].payment_method_id for index in (1, 3, 2, 0)]


async def test_pages_show_each_method_once(wallet: Wallet) -> None:
    saved = [
        (await save(wallet, f"r{number}", f"pm_{number}")).payment_method_id for number in range(3)
    ]
    first = await wallet.list_payment_methods(ListPaymentMethodsRequest(page_size=2), ADA)
    request = ListPaymentMethodsRequest(page_size=2, page_token=first.next_page_token)
    second = await wallet.list_payment_methods(request, ADA)
    seen = [
        method.payment_method_id for method in (*first.payment_methods, *second.payment_methods)
    ]
    assert seen == [saved[0], saved[2], saved[1]]
    assert second.next_page_token == ""


async def test_deleting_the_default_leaves_it_to_the_newest(wallet: Wallet) -> None:
    first = await save(wallet, "r1")
    await save(wallet, "r2", "pm_older")
    newest = await save(wallet, "r3", "pm_newer")
    await delete(wallet, first.payment_method_id)
    found = await lookup(wallet)
    assert found.payment_method.payment_method_id == newest.payment_method_id


async def test_a_deleted_method_is_not_found(wallet: Wallet) -> None:
    method_id = (await save(wallet, "r1")).payment_method_id
    await delete(wallet, method_id)
    assert await delete(wallet, method_id) == DeletePaymentMethodResponse()
    for asked in (method_id, ""):
        with pytest.raises(Fault, match="NOT_FOUND"):
            await lookup(wallet, method_id=asked)


async def test_a_lookup_gives_the_reference_to_charge(wallet: Wallet) -> None:
    method = await save(wallet, "r1")
    found = await lookup(wallet, method_id=method.payment_method_id)
    assert found == LookupPaymentMethodResponse(payment_method=method, provider_reference=VISA)


@pytest.mark.parametrize(("platform", "buyer"), [("acme", "bob"), ("rival", "ada")])
async def test_a_foreign_method_is_like_one_that_never_was(
    wallet: Wallet, platform: str, buyer: str
) -> None:
    method_id = (await save(wallet, "r1")).payment_method_id
    stranger = caller(platform, buyer)
    for asked in (method_id, UNKNOWN):
        with pytest.raises(Fault, match="NOT_FOUND"):
            await set_default(wallet, asked, stranger)
        with pytest.raises(Fault, match="NOT_FOUND"):
            await delete(wallet, asked, stranger)
        with pytest.raises(Fault, match="NOT_FOUND"):
            await lookup(wallet, platform=platform, buyer=buyer, method_id=asked)
    assert await listed(wallet, stranger) == []


async def test_a_platform_that_names_no_buyer_is_told_so(wallet: Wallet) -> None:
    with pytest.raises(Fault, match="INVALID_FIELD"):
        await listed(wallet, caller(buyer=None))
