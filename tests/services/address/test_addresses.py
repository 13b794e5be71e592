import asyncio

import pytest

from checkout_sdk._pb.address_pb2 import (
    Address,
    DeleteAddressRequest,
    DeleteAddressResponse,
    ListAddressesRequest,
    PostalAddress,
    SaveAddressRequest,
    SetDefaultAddressRequest,
)
from checkout_server import ids
from checkout_server._pb.lookup_pb2 import LookupAddressRequest, LookupAddressResponse
from checkout_server.address.rules import RULES
from checkout_server.address.service import Addresses
from checkout_server.call import Call, Caller
from checkout_server.database import Database
from checkout_server.faults import Fault
from checkout_server.saved_list import MOST_SAVED
from checkout_server.validation import check
from tests.fakes.clock import FakeClock

HOME = PostalAddress(
    name="Ada Lovelace",
    country="US",
    region="California",
    city="San Francisco",
    postal_code="94103",
    lines=["1355 Market Street"],
    phone="(415) 555-2671",
)
UNKNOWN = ids.new_id("adr", ids.tag("acme"))


def caller(platform: str = "acme", buyer: str | None = "ada") -> Call:
    scope = "platform" if buyer is None else "buyer"
    return Call(Caller(platform, frozenset({scope}), buyer=buyer), "Test", "req_1")


ADA = caller()
SERVICE = Call(Caller("acme", frozenset({"service"})), "Test", "req_1")


@pytest.fixture
def addresses(address_db: Database, clock: FakeClock) -> Addresses:
    return Addresses(address_db, clock)


async def save(
    addresses: Addresses,
    request_id: str,
    *,
    call: Call = ADA,
    buyer_id: str = "",
    address: PostalAddress = HOME,
    make_default: bool = False,
) -> Address:
    request = SaveAddressRequest(
        request_id=request_id, buyer_id=buyer_id, address=address, make_default=make_default
    )
    check(request, RULES)
    return (await addresses.save_address(request, call)).address


async def listed(addresses: Addresses, call: Call = ADA, buyer_id: str = "") -> list[Address]:
    request = ListAddressesRequest(buyer_id=buyer_id)
    return list((await addresses.list_addresses(request, call)).addresses)


async def delete(addresses: Addresses, address_id: str, call: Call = ADA) -> DeleteAddressResponse:
    return await addresses.delete_address(DeleteAddressRequest(address_id=address_id), call)


async def set_default(addresses: Addresses, address_id: str, call: Call = ADA) -> Address:
    request = SetDefaultAddressRequest(address_id=address_id)
    return (await addresses.set_default_address(request, call)).address


async def lookup(
    addresses: Addresses, *, platform: str = "acme", buyer: str = "ada", address_id: str = ""
) -> LookupAddressResponse:
    request = LookupAddressRequest(platform_id=platform, buyer_id=buyer, address_id=address_id)
    return await addresses.lookup_address(request, SERVICE)


async def test_a_saved_address_comes_back_masked(addresses: Addresses, clock: FakeClock) -> None:
    address = await save(addresses, "r1")
    assert address == Address(
        address_id=address.address_id,
        name="A. L***",
        line="1*** Market***",
        city="San Francisco",
        region="CA",
        postal_code="94103",
        country="US",
        phone="*** 71",
        is_default=True,
        create_time=address.create_time,
    )
    assert address.create_time.ToMilliseconds() == clock.now_ms()


async def test_an_address_id_names_its_platform(addresses: Addresses) -> None:
    address = await save(addresses, "r1")
    assert ids.tag_of(address.address_id, "adr") == ids.tag("acme")


async def test_the_same_request_again_gives_the_same_address(addresses: Addresses) -> None:
    first = await save(addresses, "r1")
    assert await save(addresses, "r1") == first
    assert len(await listed(addresses)) == 1


async def test_the_same_address_in_a_new_request_is_saved_anew(addresses: Addresses) -> None:
    assert await save(addresses, "r1") != await save(addresses, "r2")
    assert len(await listed(addresses)) == 2


async def test_a_request_id_with_another_address_is_refused(addresses: Addresses) -> None:
    await save(addresses, "r1")
    with pytest.raises(Fault, match="IDEMPOTENCY_CONFLICT"):
        await save(addresses, "r1", make_default=True)


async def test_two_buyers_may_choose_the_same_request_id(addresses: Addresses) -> None:
    of_ada = await save(addresses, "r1")
    of_bob = await save(addresses, "r1", call=caller(buyer="bob"))
    assert of_ada.address_id != of_bob.address_id


async def test_an_invalid_address_is_not_saved(addresses: Addresses) -> None:
    address = PostalAddress()
    address.CopyFrom(HOME)
    address.postal_code = "1"
    with pytest.raises(Fault, match="INVALID_FIELD"):
        await save(addresses, "r1", address=address)
    assert await listed(addresses) == []


async def test_the_default_is_listed_first_then_the_newest(addresses: Addresses) -> None:
    saved = [await save(addresses, f"r{number}") for number in range(4)]
    await set_default(addresses, saved[1].address_id)
    order = [address.address_id for address in await listed(addresses)]
    assert order == [saved[index].address_id for index in (1, 3, 2, 0)]


async def test_only_one_address_is_the_default(addresses: Addresses) -> None:
    await save(addresses, "r1")
    second = await save(addresses, "r2", make_default=True)
    assert second.is_default
    defaults = [address for address in await listed(addresses) if address.is_default]
    assert defaults == [second]


async def test_making_the_default_the_default_changes_nothing(addresses: Addresses) -> None:
    first = await save(addresses, "r1")
    assert await set_default(addresses, first.address_id) == first


async def test_pages_show_each_address_once(addresses: Addresses) -> None:
    saved = [(await save(addresses, f"r{number}")).address_id for number in range(5)]
    for size in (1, 2, 3):
        seen, token = [], ""
        while True:
            request = ListAddressesRequest(page_size=size, page_token=token)
            page = await addresses.list_addresses(request, ADA)
            assert len(page.addresses) <= size
            seen += [address.address_id for address in page.addresses]
            token = page.next_page_token
            if not token:
                break
        assert seen == [saved[0], *reversed(saved[1:])]


async def test_a_new_default_between_two_pages_loses_no_address(addresses: Addresses) -> None:
    saved = [(await save(addresses, f"r{number}")).address_id for number in range(5)]
    first = await addresses.list_addresses(ListAddressesRequest(page_size=2), ADA)
    await set_default(addresses, saved[2])
    request = ListAddressesRequest(page_token=first.next_page_token)
    rest = await addresses.list_addresses(request, ADA)
    shown = [address.address_id for address in (*first.addresses, *rest.addresses)]
    assert sorted(shown) == sorted(saved)


async def test_a_page_token_of_another_buyer_is_refused(addresses: Addresses) -> None:
    for number in range(2):
        await save(addresses, f"r{number}")
    page = await addresses.list_addresses(ListAddressesRequest(page_size=1), ADA)
    request = ListAddressesRequest(page_token=page.next_page_token)
    with pytest.raises(Fault, match="INVALID_FIELD"):
        await addresses.list_addresses(request, caller(buyer="bob"))


async def test_a_deleted_address_is_gone_for_the_buyer(addresses: Addresses) -> None:
    address = await save(addresses, "r1")
    await delete(addresses, address.address_id)
    assert await listed(addresses) == []
    for address_id in (address.address_id, ""):
        with pytest.raises(Fault, match="NOT_FOUND"):
            await lookup(addresses, address_id=address_id)
    with pytest.raises(Fault, match="NOT_FOUND"):
        await set_default(addresses, address.address_id)


async def test_deleting_twice_is_safe(addresses: Addresses) -> None:
    address = await save(addresses, "r1")
    await delete(addresses, address.address_id)
    assert await delete(addresses, address.address_id) == DeleteAddressResponse()


async def test_deleting_the_default_leaves_it_to_the_newest(addresses: Addresses) -> None:
    first, _, newest = [await save(addresses, f"r{number}") for number in range(3)]
    await delete(addresses, first.address_id)
    assert (await lookup(addresses)).address.address_id == newest.address_id


async def test_deleting_another_leaves_the_default(addresses: Addresses) -> None:
    first, _, newest = [await save(addresses, f"r{number}") for number in range(3)]
    await delete(addresses, newest.address_id)
    assert (await lookup(addresses)).address.address_id == first.address_id


async def test_a_lookup_gives_what_delivery_and_tax_read(addresses: Addresses) -> None:
    saved = await save(addresses, "r1")
    found = await lookup(addresses, address_id=saved.address_id)
    assert found == LookupAddressResponse(
        address=saved, country="US", region="CA", postal_code="94103"
    )


async def test_a_lookup_without_an_id_gives_the_default(addresses: Addresses) -> None:
    await save(addresses, "r1")
    chosen = await save(addresses, "r2", make_default=True)
    assert (await lookup(addresses)).address == chosen


@pytest.mark.parametrize(("platform", "buyer"), [("acme", "bob"), ("rival", "ada")])
async def test_a_foreign_address_is_like_one_that_never_was(
    addresses: Addresses, platform: str, buyer: str
) -> None:
    address_id = (await save(addresses, "r1")).address_id
    stranger = caller(platform, buyer)
    for name in (address_id, UNKNOWN):
        with pytest.raises(Fault, match="NOT_FOUND"):
            await set_default(addresses, name, stranger)
        with pytest.raises(Fault, match="NOT_FOUND"):
            await delete(addresses, name, stranger)
        with pytest.raises(Fault, match="NOT_FOUND"):
            await lookup(addresses, platform=platform, buyer=buyer, address_id=name)
    assert await listed(addresses, stranger) == []
    assert len(await listed(addresses)) == 1


async def test_a_platform_names_the_buyer(addresses: Addresses) -> None:
    platform = caller(buyer=None)
    saved = await save(addresses, "r1", call=platform, buyer_id="ada")
    assert await listed(addresses, platform, "ada") == [saved]
    assert await listed(addresses) == [saved]


async def test_a_platform_that_names_no_buyer_is_told_so(addresses: Addresses) -> None:
    with pytest.raises(Fault, match="INVALID_FIELD"):
        await listed(addresses, caller(buyer=None))


async def test_a_buyer_cannot_name_another(addresses: Addresses) -> None:
    with pytest.raises(Fault, match="BUYER_MISMATCH"):
        await listed(addresses, ADA, "bob")


async def test_a_buyer_keeps_a_hundred_addresses_at_most(addresses: Addresses) -> None:
    for number in range(MOST_SAVED):
        last = await save(addresses, f"r{number}")
    with pytest.raises(Fault, match="INVALID_FIELD") as refused:
        await save(addresses, "one more")
    assert refused.value.violations[0].field == "buyer_id"
    await delete(addresses, last.address_id)
    await save(addresses, "one more")
    assert len(await listed(addresses)) == 50


async def test_addresses_saved_at_once_have_one_default(addresses: Addresses) -> None:
    await asyncio.gather(
        *(save(addresses, f"r{number}", make_default=number % 2 == 0) for number in range(8))
    )
    saved = await listed(addresses)
    assert len(saved) == 8
    assert [address.is_default for address in saved] == [True] + [False] * 7
