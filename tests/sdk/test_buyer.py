from __future__ import annotations

from contextlib import aclosing

import pytest

from checkout_sdk import (
    Blocker,
    CheckoutError,
    Journey,
    Money,
    NotFound,
    OrderState,
    PostalAddress,
    Quote,
)

OFFER = "off_demo_mug"
HOME = PostalAddress(name="Ada Lovelace", country="GB", lines=("1 Main Street",), city="London")


async def test_a_quote_shows_what_the_card_needs(checkout):
    journey = Journey(journey_id="j1", steps=0)
    quote = await checkout.for_buyer("u_1").quote(
        offer_id=OFFER, quantity=2, video_id="v7", creator_id="c3", journey=journey
    )

    assert quote.total == Money(2500, "USD")
    assert (quote.lines[0].quantity, quote.stock.available) == (2, 100)
    assert (quote.attribution.video_id, quote.attribution.creator_id) == ("v7", "c3")
    assert quote.journey == journey
    assert quote.blockers == ()


async def test_a_quote_for_nobody_wants_a_sign_in(checkout):
    quote = await checkout.for_buyer().quote(offer_id=OFFER)

    assert quote.blockers == (Blocker.SIGN_IN,)
    assert quote.quote_token is None
    assert quote.total == Money(1250, "USD")


async def test_a_bad_card_spoils_its_own_quote_only(checkout):
    wanted = [{"offer_id": OFFER}] * 24 + [{"offer_id": "off_unknown"}, {"offer_id": OFFER}]

    quotes = await checkout.for_buyer("u_1").quotes(wanted)

    assert [isinstance(each, Quote) for each in quotes] == [True] * 24 + [False, True]
    assert isinstance(quotes[24], NotFound)
    assert isinstance(quotes[24], CheckoutError)


async def test_addresses_are_saved_listed_and_forgotten(checkout):
    addresses = checkout.for_buyer("u_1").addresses

    saved = await addresses.save(HOME, make_default=True)

    assert (await addresses.list()).items[0] == saved
    assert saved.name == "A***"
    other = (await addresses.list()).items[1]
    await addresses.set_default(other.address_id)
    assert [each.address_id async for each in addresses.iter()] == [
        other.address_id,
        saved.address_id,
    ]
    await addresses.delete(saved.address_id)
    assert len((await addresses.list()).items) == 1


async def test_the_same_request_id_saves_once(checkout):
    addresses = checkout.for_buyer("u_1").addresses

    first = await addresses.save(HOME, request_id="r1")
    again = await addresses.save(HOME, request_id="r1")

    assert first.address_id == again.address_id


async def test_payment_methods_are_saved_listed_and_forgotten(checkout):
    wallet = checkout.for_buyer("u_1").wallet

    saved = await wallet.save("pm_card_visa")

    methods = [each async for each in wallet.iter()]
    assert saved in methods
    chosen = await wallet.set_default(saved.payment_method_id)
    assert chosen.is_default
    await wallet.delete(saved.payment_method_id)
    assert len((await wallet.list()).items) == len(methods) - 1


async def test_orders_are_listed_newest_first_page_by_page(checkout, fake_checkout):
    buyer = checkout.for_buyer("u_1")
    placed = []
    for quantity in (1, 2, 3):
        outcome = await buyer.place_order(await buyer.quote(offer_id=OFFER, quantity=quantity))
        placed.append(outcome.order.order_id)

    page = await buyer.orders.list(page_size=2)

    assert [order.order_id for order in page.items] == placed[:0:-1]
    rest = await buyer.orders.list(page_size=2, page_token=page.next_page_token)
    assert [order.order_id for order in rest.items] == placed[:1]
    assert rest.next_page_token is None
    assert [order.order_id async for order in buyer.orders.iter()] == placed[::-1]


async def test_an_order_is_watched_until_nothing_can_change(checkout):
    buyer = checkout.for_buyer("u_1")
    order_id = (await buyer.place_order(await buyer.quote(offer_id=OFFER))).order.order_id

    states = []
    async for order in buyer.orders.watch(order_id):
        states.append(order.state)
        await buyer.orders.cancel(order_id, reason="changed my mind")

    assert states == [OrderState.PLACED, OrderState.CANCELLED]
    assert (await buyer.orders.get(order_id)).refunded == Money(1250, "USD")


async def test_anothers_order_is_not_found(checkout):
    with pytest.raises(NotFound):
        await checkout.for_buyer("u_1").orders.get("ord_unknown")


async def test_offers_are_watched_as_their_stock_changes(checkout):
    buyer = checkout.for_buyer("u_1")

    left = []
    async with aclosing(buyer.watch_offers([OFFER])) as statuses:
        async for status in statuses:
            left.append(status.variants[0].stock.available)
            if len(left) == 2:
                break
            await buyer.place_order(await buyer.quote(offer_id=OFFER))

    assert left == [100, 99]
