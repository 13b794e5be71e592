"""A tap whose token no longer holds quotes again what the token was for."""

from __future__ import annotations

import pytest

from checkout_sdk._pb import quote_pb2
from checkout_sdk._pb.offer_pb2 import EndOfferRequest, Offer, UpdateOfferRequest
from checkout_sdk._pb.quote_pb2 import Attribution
from checkout_server.call import Call
from checkout_server.faults import Fault
from checkout_server.quotes.answer import Quoted
from tests.services.quotes.support import Market, basket, buyer_call, claims_in, method, place, post
from tests.services.seller_support import CALL, HOUR_MS, eur, item

ELEVEN_MINUTES_MS = 11 * 60 * 1000
MADE_NEW = ("tap_key", "issued_ms", "expires_ms")


async def refresh(market: Market, quoted: Quoted, call: Call | None = None) -> Quoted:
    assert quoted.claims
    claims = claims_in(quoted.quote.quote_token)
    return await market.quotes.refresh(claims, call or buyer_call())


async def update(market: Market, offer: Offer, path: str) -> None:
    request = UpdateOfferRequest(offer=offer)
    request.update_mask.paths.append(path)
    await market.seller.offers.update_offer(request, CALL)


@pytest.mark.parametrize("source", ["offer", "lines"])
async def test_nothing_but_the_time_and_the_key_is_new(market: Market, source: str):
    market.addresses.known["adr_paris"] = place("adr_paris", "FR")
    market.wallet.known["pmt_amex"] = method("pmt_amex")
    await market.put_delivery(post(), post("fast", 900))
    await market.put_code(code="TEN", percentage_ppm=100_000, max_uses=5)
    offer = await market.seller.create_offer(quota=9, quantities=[1, 2])
    what = (
        {"offer_id": offer.offer_id, "sku": "mug", "quantity": 2}
        if source == "offer"
        else {"lines": basket(("mug", 1), ("mug", 2))}
    )
    before = await market.quoted(
        **what,
        address_id="adr_paris",
        payment_method_id="pmt_amex",
        delivery_option_id="fast",
        discount_codes=["TEN"],
        attribution=Attribution(video_id="v7"),
        surface=quote_pb2.SURFACE_WEB,
        action_return_url="https://app.example/back",
    )
    market.clock.advance(ELEVEN_MINUTES_MS)
    after = await refresh(market, before)
    assert before.claims
    assert after.claims
    assert after.claims.expires_ms == before.claims.expires_ms + ELEVEN_MINUTES_MS
    for field in MADE_NEW:
        before.claims.ClearField(field)
        after.claims.ClearField(field)
    assert after.claims == before.claims


async def test_a_new_price_shows(market: Market):
    before = await market.quoted(lines=basket(("mug", 1)))
    await market.seller.put_items(item(price=eur(1500)))
    assert (await refresh(market, before)).quote.totals.total == eur(1500)


async def test_a_new_epoch_is_signed(market: Market):
    offer = await market.seller.create_offer()
    before = await market.quoted(offer_id=offer.offer_id)
    offer.title = "The same mug"
    await update(market, offer, "title")
    after = await refresh(market, before)
    assert after.claims
    assert after.claims.epoch == offer.epoch + 1


async def test_a_variant_that_is_gone_gives_way_to_the_first(market: Market):
    await market.seller.put_items(item("bowl"))
    offer = await market.seller.create_offer(skus=["mug", "bowl"])
    before = await market.quoted(offer_id=offer.offer_id, sku="bowl")
    offer.skus[:] = ["mug"]
    await update(market, offer, "skus")
    assert [line.sku for line in (await refresh(market, before)).quote.lines] == ["mug"]


async def test_another_card_than_the_buyer_saw_is_never_taken(market: Market):
    market.wallet.known["pmt_amex"] = method("pmt_amex")
    before = await market.quoted(lines=basket(("mug", 1)), payment_method_id="pmt_amex")
    del market.wallet.known["pmt_amex"]
    after = await refresh(market, before)
    assert list(after.quote.blockers) == [quote_pb2.BLOCKER_PAYMENT_METHOD]
    assert after.claims is None


async def test_an_address_that_is_gone_is_a_blocker_and_no_fault(market: Market):
    before = await market.quoted(lines=basket(("mug", 1)))
    market.addresses.known.clear()
    after = await refresh(market, before)
    assert list(after.quote.blockers) == [quote_pb2.BLOCKER_ADDRESS]
    assert after.claims is None


async def test_the_quantity_that_was_bought_need_not_be_offered_any_more(market: Market):
    offer = await market.seller.create_offer(quantities=[1, 2])
    before = await market.quoted(offer_id=offer.offer_id, quantity=2)
    offer.quantities[:] = [1]
    await update(market, offer, "quantities")
    after = await refresh(market, before)
    assert after.quote.lines[0].quantity == 2


@pytest.mark.parametrize("how", ["ended", "past"])
async def test_an_offer_that_is_over_gives_no_claims(market: Market, how: str):
    offer = await market.seller.create_offer()
    before = await market.quoted(offer_id=offer.offer_id)
    if how == "ended":
        await market.seller.offers.end_offer(EndOfferRequest(offer_id=offer.offer_id), CALL)
    else:
        market.clock.advance(HOUR_MS)
    assert (await refresh(market, before)).claims is None


async def test_a_token_is_not_quoted_again_for_another_buyer(market: Market):
    before = await market.quoted(lines=basket(("mug", 1)))
    with pytest.raises(Fault) as raised:
        await refresh(market, before, buyer_call("u_1"))
    assert raised.value.reason == "BUYER_MISMATCH"
