"""What a token is worth at the tap: PROTOCOL.md 1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError

from checkout_sdk._pb import item_pb2
from checkout_server.quotes.token import SigningKeys, seal, unseal
from tests.answers import codes, field_of, outcome_of, reason_of
from tests.buyer import SHOP, Buyer, basket
from tests.world import DELIVERY_MINOR, KEYS, MUG_MINOR, TOTAL_MINOR, World, aged, resigned, usd

MINUTE_MS = 60_000


async def reprice_item(world: World, price_minor: int) -> None:
    item = item_pb2.Item(sku="mug", title="A mug", price=usd(price_minor))
    request = item_pb2.PutItemsRequest(merchant_id=SHOP, items=[item])
    await world.catalog.PutItems(request, metadata=world.platform)


async def quoted_mug(world: World) -> tuple[Buyer, Any, Any]:
    offer = await world.offer(price=usd(MUG_MINOR))
    ann = await world.buyer()
    return ann, offer, await ann.quote(offer)


async def test_an_unexpired_token_is_a_price_lock(world: World):
    offer = await world.offer()
    ann = await world.buyer()
    quote = aged(await ann.quote(offer), 9 * MINUTE_MS)
    await reprice_item(world, 9_900)
    await world.put_delivery(price=usd(9_900))
    answer = await ann.tap(quote)
    assert answer.attempt.placed.order.totals.total == usd(TOTAL_MINOR)
    assert codes(answer.messages) == []


async def test_an_offer_that_got_cheaper_is_sold_at_the_lower_price(world: World):
    ann, offer, quote = await quoted_mug(world)
    await world.update(offer, price=usd(1_000))
    answer = await ann.tap(quote)
    assert answer.attempt.placed.order.totals.total == usd(1_000 + DELIVERY_MINOR)
    assert codes(answer.messages) == ["QUOTE_REFRESHED"]
    [intent] = world.book.intents()
    assert intent.amount_minor == 1_000 + DELIVERY_MINOR
    # The key is that of the quote that was tapped.
    again = await ann.tap(quote)
    assert again.replayed
    assert again.attempt == answer.attempt


async def test_an_offer_that_got_dearer_is_shown_first(world: World):
    ann, offer, quote = await quoted_mug(world)
    await world.update(offer, price=usd(MUG_MINOR + 1))
    answer = await ann.tap(quote)
    changed = answer.attempt.offer_changed
    assert outcome_of(answer) == "offer_changed"
    assert [(one.field, one.was, one.now) for one in changed.changes] == [
        ("total", "2000 USD", "2001 USD")
    ]
    agreed = await ann.tap(changed.quote)
    assert agreed.attempt.placed.order.totals.total == usd(TOTAL_MINOR + 1)


async def test_an_offer_changed_in_other_ways_goes_on(world: World):
    ann, offer, quote = await quoted_mug(world)
    await world.update(offer, title="The very mug of the video")
    answer = await ann.tap(quote)
    assert outcome_of(answer) == "placed"
    assert codes(answer.messages) == ["QUOTE_REFRESHED"]


async def test_an_ended_offer_takes_no_tap(world: World):
    ann, offer, quote = await quoted_mug(world)
    await world.end(offer)
    answer = await ann.tap(quote)
    changed = answer.attempt.offer_changed
    assert [(one.field, one.was, one.now) for one in changed.changes] == [
        ("availability", "open", "ended")
    ]
    assert changed.quote.quote_token == ""
    assert await world.count("attempt") == 0


async def test_a_token_that_ran_out_a_moment_ago_is_made_again(world: World):
    ann, _, quote = await quoted_mug(world)
    answer = await ann.tap(aged(quote, 24 * MINUTE_MS))
    assert outcome_of(answer) == "placed"
    assert codes(answer.messages) == ["QUOTE_REFRESHED"]


async def test_a_token_that_ran_out_is_not_made_again_dearer(world: World):
    ann = await world.buyer()
    quote = await ann.quote_lines(("mug", 1))
    await reprice_item(world, MUG_MINOR + 1)
    answer = await ann.tap(aged(quote, 11 * MINUTE_MS))
    [change] = answer.attempt.offer_changed.changes
    assert change.field == "total"


async def test_an_old_token_is_shown_anew_even_at_the_same_price(world: World):
    ann, _, quote = await quoted_mug(world)
    answer = await ann.tap(aged(quote, 26 * MINUTE_MS))
    changed = answer.attempt.offer_changed
    assert [one.field for one in changed.changes] == ["expired"]
    assert await world.count("attempt") == 0
    assert outcome_of(await ann.tap(changed.quote)) == "placed"


async def test_no_character_of_a_token_may_be_altered(world: World):
    ann, _, quote = await quoted_mug(world)
    token = quote.quote_token
    forged = [token[:-1], token + "A", token + "=", token.replace("hs256", "none"), "", "x" * 40]
    # The last characters one by one: their trailing bits decode to nothing.
    places = [*range(0, len(token) - 4, 37), *range(len(token) - 4, len(token))]
    for place in places:
        other = "B" if token[place] == "A" else "A"
        forged.append(token[:place] + other + token[place + 1 :])
    for text in forged:
        with pytest.raises(AioRpcError) as caught:
            await ann.tap(quote_token=text or "?")
        assert caught.value.code() is StatusCode.INVALID_ARGUMENT
        assert reason_of(caught.value) == "QUOTE_INVALID"
    assert await world.count("attempt") == 0
    assert outcome_of(await ann.tap(quote)) == "placed"


async def test_a_token_of_another_key_or_version_is_not_ours(world: World):
    ann, _, quote = await quoted_mug(world)
    claims = unseal(quote.quote_token, KEYS)
    stolen = seal(claims, SigningKeys({"k1": b"s" * 32}))
    unknown = seal(claims, SigningKeys({"k2": b"q" * 32}))
    later = resigned(quote, lambda claims: setattr(claims, "version", 2)).quote_token
    for text in (stolen, unknown, later):
        with pytest.raises(AioRpcError) as caught:
            await ann.tap(quote_token=text)
        assert reason_of(caught.value) == "QUOTE_INVALID"


# The field at fault is the first word, unless it says otherwise.
BESIDE: Mapping[str, Any] = {
    "offer_id": "off_another",
    "sku": "tee",
    "quantity": 2,
    "address_id": "adr_another",
    "delivery_option_id": "express",
    "discount_codes": ["SUMMER"],
    "action_return_url": "https://other.example/",
    "surface": "SURFACE_IOS",
    "expected_total": usd(TOTAL_MINOR + 1),
    "lines": basket(("mug", 2)),
    "attribution": {"video_id": "v2"},
}


async def test_a_field_beside_the_token_must_say_the_same(world: World):
    ann, _, quote = await quoted_mug(world)
    for name, value in BESIDE.items():
        with pytest.raises(AioRpcError) as caught:
            await ann.tap(quote, **{name: value})
        assert caught.value.code() is StatusCode.INVALID_ARGUMENT
        assert field_of(caught.value) == name
    with pytest.raises(AioRpcError) as caught:
        await ann.tap(quote, expected_total={"amount_minor": TOTAL_MINOR, "currency": "EUR"})
    assert field_of(caught.value) == "expected_total"
    assert await world.count("attempt") == 0


async def test_fields_that_say_what_the_token_says_are_welcome(world: World):
    await world.put_code(code="TEN", percentage_ppm=100_000)
    offer = await world.offer()
    ann = await world.buyer()
    quote = await ann.quote(
        offer,
        discount_codes=["ten"],
        surface="SURFACE_IOS",
        attribution={"video_id": "v1"},
        action_return_url="https://app.example/here",
    )
    answer = await ann.tap(
        quote,
        offer_id=offer.offer_id,
        sku="mug",
        quantity=1,
        address_id=quote.address.address_id,
        payment_method_id=quote.payment_method.payment_method_id,
        delivery_option_id="std",
        discount_codes=["TEN"],
        expected_total=quote.totals.total,
        surface="SURFACE_IOS",
        attribution={"video_id": "v1"},
        action_return_url="https://app.example/here",
    )
    assert answer.attempt.placed.order.attribution.video_id == "v1"


async def test_another_card_than_the_quoted_one_may_pay(world: World):
    ann, _, quote = await quoted_mug(world)
    other = await ann.add_card("pm_card_mastercard")
    answer = await ann.tap(quote, payment_method_id=other)
    assert answer.attempt.placed.order.payment_method.brand == "mastercard"
    [intent] = world.book.intents()
    assert intent.payment_method == "pm_card_mastercard"


async def test_a_card_of_somebody_else_pays_nothing(world: World):
    ann, _, quote = await quoted_mug(world)
    bob = await world.buyer()
    his = bob.cards["pm_card_visa"]
    for card, reason in ((his, "NOT_FOUND"), (his[::-1], "INVALID_FIELD")):
        with pytest.raises(AioRpcError) as caught:
            await ann.tap(quote, payment_method_id=card)
        assert reason_of(caught.value) == reason
    assert await world.count("attempt") == 0


async def test_a_token_can_be_tapped_again_under_another_key(world: World):
    """It is bound to its buyer, not to one use: the intent guard and the caps limit repeats."""
    ann, _, quote = await quoted_mug(world)
    first = await ann.tap(quote)
    order_id = first.attempt.placed.order.order_id
    second = await ann.tap(quote, idempotency_key="another-key", repeat_of=order_id)
    assert outcome_of(second) == "placed"


async def test_what_comes_with_a_later_release_says_so(world: World):
    ann, _, quote = await quoted_mug(world)
    for later in ({"cart_id": "crt_1"}, {"new_payment": {"provider_token": "pm_card_visa"}}):
        with pytest.raises(AioRpcError) as caught:
            await ann.tap(quote, **later)
        assert reason_of(caught.value) == "NOT_IMPLEMENTED"


async def test_a_token_limited_to_other_shops_buys_nothing_here(world: World):
    """A platform's token may name the merchants that it is for."""
    ann, offer, quote = await quoted_mug(world)
    placed = await ann.tap(
        offer_id=offer.offer_id, idempotency_key="tap-00001", expected_total=usd(TOTAL_MINOR)
    )
    elsewhere = world.token("platform", merchants=("hats",))
    by_token = {"quote_token": quote.quote_token}
    by_offer = {
        "offer_id": offer.offer_id,
        "idempotency_key": "tap-00001",
        "expected_total": usd(TOTAL_MINOR),
    }
    for fields in (by_token, by_offer):
        with pytest.raises(AioRpcError) as caught:
            await ann.tap(caller=elsewhere, **fields)
        assert reason_of(caught.value) == "NOT_FOUND"
    assert outcome_of(placed) == "placed"
    assert await world.count("attempt") == 1
