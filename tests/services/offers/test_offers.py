from __future__ import annotations

import pytest

from checkout_sdk._pb.item_pb2 import Stock
from checkout_sdk._pb.money_pb2 import Money
from checkout_sdk._pb.offer_pb2 import (
    OFFER_STATE_ENDED,
    OFFER_STATE_OPEN,
    EndOfferRequest,
    GetOfferRequest,
    ListOffersRequest,
    Offer,
    UpdateOfferRequest,
)
from checkout_server import ids
from checkout_server.call import Call
from checkout_server.faults import Fault
from checkout_server.offers import store
from checkout_server.offers.availability import availability
from checkout_server.protobuf_time import timestamp
from tests.services.seller_support import (
    CALL,
    HOUR_MS,
    SHOP,
    TAG,
    Seller,
    call_of,
    eur,
    field_of,
    item,
)

DAY_MS = 24 * HOUR_MS


async def update(seller: Seller, offer_id: str, mask: str, **changed: object) -> Offer:
    request = UpdateOfferRequest(offer=Offer(offer_id=offer_id, **changed))
    request.update_mask.FromJsonString(mask)
    return (await seller.offers.update_offer(request, CALL)).offer


async def end(seller: Seller, offer_id: str) -> Offer:
    return (await seller.offers.end_offer(EndOfferRequest(offer_id=offer_id), CALL)).offer


async def listed(seller: Seller, **wish: object) -> tuple[list[str], str]:
    request = ListOffersRequest(merchant_id=SHOP, **wish)
    response = await seller.offers.list_offers(request, CALL)
    return [offer.title for offer in response.offers], response.next_page_token


async def test_a_new_offer_is_open_from_now_on(seller: Seller) -> None:
    offer = await seller.create_offer(price=eur(990))
    now = timestamp(seller.clock.now_ms())
    assert ids.tag_of(offer.offer_id, "off") == TAG
    assert (offer.state, offer.epoch, offer.starts_at) == (OFFER_STATE_OPEN, 1, now)
    assert (offer.create_time, offer.update_time) == (now, now)
    assert offer.etag
    got = await seller.offers.get_offer(GetOfferRequest(offer_id=offer.offer_id), CALL)
    assert got.offer == offer


async def test_what_the_server_sets_is_not_taken_from_the_request(seller: Seller) -> None:
    offer = await seller.create_offer(offer_id="off_mine", state=OFFER_STATE_ENDED, epoch=7)
    assert offer.offer_id != "off_mine"
    assert (offer.state, offer.epoch) == (OFFER_STATE_OPEN, 1)


async def test_creating_an_offer_again_gives_the_same_one(seller: Seller) -> None:
    first = await seller.create_offer()
    request_time = seller.clock.now_ms()
    seller.clock.advance(HOUR_MS)
    again = await seller.create_offer(ends_at=timestamp(request_time + HOUR_MS))
    assert again == first
    assert (await listed(seller))[0] == [first.title]


async def test_another_offer_under_a_used_request_id_is_refused(seller: Seller) -> None:
    await seller.create_offer()
    with pytest.raises(Fault) as refused:
        await seller.create_offer(title="Another")
    assert refused.value.reason == "IDEMPOTENCY_CONFLICT"


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"skus": ["mug", "none"]}, "offer.skus[1]"),
        ({"skus": ["mug", "mug"]}, "offer.skus[1]"),
        ({"skus": []}, "offer.skus"),
        ({"price": Money(amount_minor=1, currency="USD")}, "offer.price.currency"),
        ({"quantities": [1, 2, 1]}, "offer.quantities[2]"),
        ({"ends_at": None}, "offer.ends_at"),
        ({"ends_at": timestamp(1_700_000_000_000)}, "offer.ends_at"),
        ({"ends_at": timestamp(1_800_000_000_000 + 400 * DAY_MS + 1)}, "offer.ends_at"),
    ],
)
async def test_a_wrong_field_of_an_offer_is_named(
    seller: Seller, wrong: dict[str, object], field: str
) -> None:
    with pytest.raises(Fault) as refused:
        await seller.create_offer(**wrong)
    assert field_of(refused) == field
    assert (await listed(seller))[0] == []


async def test_an_offer_of_a_merchant_that_was_never_put_is_not_found(seller: Seller) -> None:
    with pytest.raises(Fault) as refused:
        await seller.create_offer(merchant_id="plates")
    assert refused.value.reason == "NOT_FOUND"


async def test_an_update_changes_the_masked_fields_and_bumps_the_epoch(seller: Seller) -> None:
    before = await seller.create_offer(quota=5, quantities=[1, 2], price=eur(990))
    seller.clock.advance(1)
    after = await update(
        seller, before.offer_id, "title,quantities,price", title="New", quantities=[3], quota=9
    )
    assert (after.title, list(after.quantities), after.quota) == ("New", [3], 5)
    assert not after.HasField("price")
    assert after.epoch == before.epoch + 1
    assert after.etag != before.etag
    assert after.update_time == timestamp(seller.clock.now_ms())
    row = await store.offer_row(seller.db, TAG, before.offer_id)
    assert row is not None
    assert row.offer == after


async def test_an_update_that_changes_nothing_keeps_quotes_valid(seller: Seller) -> None:
    before = await seller.create_offer()
    assert await update(seller, before.offer_id, "title", title=before.title) == before


async def test_an_update_with_an_old_etag_is_refused(seller: Seller) -> None:
    before = await seller.create_offer()
    await update(seller, before.offer_id, "quota", quota=5, etag=before.etag)
    with pytest.raises(Fault) as refused:
        await update(seller, before.offer_id, "quota", quota=6, etag=before.etag)
    assert refused.value.reason == "STALE_ETAG"


@pytest.mark.parametrize(
    ("mask", "wrong", "field"),
    [
        ("title", {}, "offer.title"),
        ("skus", {"skus": ["none"]}, "offer.skus[0]"),
        ("endsAt", {}, "offer.ends_at"),
        ("startsAt", {"starts_at": timestamp(1_900_000_000_000)}, "offer.ends_at"),
    ],
)
async def test_an_update_leaves_a_whole_offer(
    seller: Seller, mask: str, wrong: dict[str, object], field: str
) -> None:
    before = await seller.create_offer()
    with pytest.raises(Fault) as refused:
        await update(seller, before.offer_id, mask, **wrong)
    assert field_of(refused) == field


async def test_a_quota_may_be_lowered_below_what_is_used(seller: Seller) -> None:
    offer = await seller.create_offer(quota=5)
    await seller.hold("quota", offer.offer_id, held=1, committed=3)
    assert (await update(seller, offer.offer_id, "quota", quota=2)).quota == 2


async def test_ending_an_offer_bumps_the_epoch_once(seller: Seller) -> None:
    before = await seller.create_offer()
    ended = await end(seller, before.offer_id)
    assert (ended.state, ended.epoch) == (OFFER_STATE_ENDED, before.epoch + 1)
    assert await end(seller, before.offer_id) == ended


@pytest.mark.parametrize("call", [call_of("other"), call_of("streamly", "plates")])
async def test_an_offer_of_somebody_else_is_not_found(seller: Seller, call: Call) -> None:
    offer = await seller.create_offer()
    with pytest.raises(Fault) as refused:
        await seller.offers.end_offer(EndOfferRequest(offer_id=offer.offer_id), call)
    assert refused.value.reason == "NOT_FOUND"


@pytest.mark.parametrize("offer_id", ["off_x", f"off_{TAG}{'a' * 22}", f"att_{TAG}{'a' * 22}"])
async def test_an_unknown_offer_is_not_found(seller: Seller, offer_id: str) -> None:
    with pytest.raises(Fault) as refused:
        await seller.offers.get_offer(GetOfferRequest(offer_id=offer_id), CALL)
    assert refused.value.reason == "NOT_FOUND"


async def test_pages_of_offers_begin_with_the_newest(seller: Seller) -> None:
    for number in range(5):
        await seller.create_offer(f"r{number}", title=f"{number}")
        seller.clock.advance(number % 2)  # some are made in the same millisecond
    titles, token = await listed(seller, page_size=2)
    while token:
        page, token = await listed(seller, page_size=2, page_token=token)
        titles += page
    assert sorted(titles) == ["0", "1", "2", "3", "4"]
    assert titles[0] == "4"


async def test_a_page_token_of_items_is_none_of_offers(seller: Seller) -> None:
    with pytest.raises(Fault) as refused:
        await listed(seller, page_token="garbage")
    assert field_of(refused) == "page_token"


async def test_only_offers_that_take_taps_now_are_open(seller: Seller) -> None:
    now_ms = seller.clock.now_ms()
    await seller.create_offer("r1", title="open")
    await seller.create_offer("r2", title="later", starts_at=timestamp(now_ms + 1))
    await seller.create_offer("r3", title="over", ends_at=timestamp(now_ms + 1))
    ended = await seller.create_offer("r4", title="ended")
    await end(seller, ended.offer_id)
    seller.clock.advance(1)
    assert sorted((await listed(seller, open_only=True))[0]) == ["later", "open"]
    await seller.open_shop(suspended=True)
    assert (await listed(seller, open_only=True))[0] == []
    assert len((await listed(seller))[0]) == 4


async def test_an_offer_may_have_variants(seller: Seller) -> None:
    await seller.put_items(item("mug-l"), item("mug-s"))
    offer = await seller.create_offer(skus=["mug-s", "mug-l"])
    assert list(offer.skus) == ["mug-s", "mug-l"]


@pytest.mark.parametrize(
    ("quota", "expected"),
    [(0, (4, 1)), (10, (4, 1)), (5, (0, 2)), (1, (0, 2))],
    ids=["no quota", "stock is tighter", "quota is used up", "quota was lowered"],
)
def test_availability_is_the_tighter_of_stock_and_quota(
    quota: int, expected: tuple[int, int]
) -> None:
    stock = Stock(on_hand=5, held=1, available=4)
    shown = availability(stock, quota=quota, quota_held=2, quota_committed=3)
    assert (shown.available, shown.held) == expected
