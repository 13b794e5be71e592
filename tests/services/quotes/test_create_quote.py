from __future__ import annotations

import grpc
import pytest

from checkout_sdk._pb import quote_pb2
from checkout_sdk._pb.merchant_pb2 import TaxRate
from checkout_sdk._pb.offer_pb2 import EndOfferRequest
from checkout_sdk._pb.quote_pb2 import Attribution, Journey
from checkout_server import ids
from checkout_server._pb.stored_pb2 import Hold
from checkout_server.faults import Fault
from checkout_server.protobuf_time import timestamp, timestamp_ms
from tests.services.quotes.support import (
    BUYER,
    Market,
    basket,
    buyer_call,
    claims_in,
    codes,
    place,
    post,
)
from tests.services.seller_support import (
    CALL,
    HOUR_MS,
    PLATFORM,
    SHOP,
    TAG,
    call_of,
    eur,
    field_of,
    item,
)

MINUTE_MS = 60 * 1000
AVAILABLE = quote_pb2.Availability


def reason(raised: pytest.ExceptionInfo[Fault]) -> str:
    return raised.value.reason


# The price


async def test_a_quote_decides_every_figure(market: Market):
    await market.put_delivery(post())
    await market.put_tax(TaxRate(country="DE", rate_ppm=190_000, included=True, on_delivery=True))
    offer = await market.seller.create_offer()
    quote = await market.quote(offer_id=offer.offer_id, quantity=2)
    totals = quote.totals
    assert (totals.items, totals.delivery, totals.total) == (eur(2400), eur(500), eur(2900))
    assert (totals.tax, totals.tax_included) == (eur(463), True)
    assert [line.totals for line in quote.lines] == [totals]


async def test_the_price_of_an_offer_wins_over_its_items(market: Market):
    offer = await market.seller.create_offer(price=eur(900))
    quote = await market.quote(offer_id=offer.offer_id)
    assert quote.totals.total == eur(900)
    assert quote.lines[0].unit_price == eur(900)


async def test_bare_lines_cost_what_the_items_cost(market: Market):
    await market.seller.create_offer(price=eur(900))
    quote = await market.quote_lines(("mug", 2))
    assert quote.totals.total == eur(2400)
    assert quote.offer_id == ""
    assert not quote.HasField("ends_in")


async def test_the_same_sku_in_two_lines_stays_two_lines(market: Market):
    quote = await market.quote_lines(("mug", 1), ("mug", 2))
    assert [line.quantity for line in quote.lines] == [1, 2]
    assert quote.totals.total == eur(3600)


async def test_a_total_of_nothing_needs_no_minimum(market: Market):
    offer = await market.seller.create_offer(price=eur(0))
    assert (await market.quote(offer_id=offer.offer_id)).quote_token


async def test_a_total_that_the_provider_cannot_charge_is_no_quote(market: Market):
    offer = await market.seller.create_offer(price=eur(49))
    with pytest.raises(Fault) as raised:
        await market.quote(offer_id=offer.offer_id)
    assert reason(raised) == "BELOW_MINIMUM"


async def test_a_choice_that_the_provider_cannot_charge_is_left_out(market: Market):
    offer = await market.seller.create_offer(price=eur(30), quantities=[1, 2])
    quote = await market.quote(offer_id=offer.offer_id, quantity=2)
    assert [choice.quantity for choice in quote.choices] == [2]


# The token


async def test_the_token_holds_all_that_the_tap_needs(market: Market):
    await market.put_delivery(post())
    offer = await market.seller.create_offer(quota=100, cap_per_buyer=2, flash=True)
    attribution = Attribution(video_id="v7", creator_id="c3", experiment_arm="b")
    quoted = await market.quoted(
        offer_id=offer.offer_id,
        quantity=2,
        attribution=attribution,
        surface=quote_pb2.SURFACE_IOS,
        action_return_url="https://app.example/back",
    )
    quote, claims = quoted.quote, claims_in(quoted.quote.quote_token)
    assert claims == quoted.claims
    assert (claims.audience, claims.merchant_id, claims.buyer_id) == (PLATFORM, SHOP, BUYER)
    assert (claims.offer_id, claims.epoch, claims.flash) == (offer.offer_id, offer.epoch, True)
    assert (claims.currency, claims.totals.total_minor) == ("EUR", quote.totals.total.amount_minor)
    [line] = claims.lines
    assert (line.sku, line.quantity, line.unit_price_minor) == ("mug", 2, 1200)
    assert line.totals == claims.totals
    assert (claims.delivery_option_id, claims.delivery.price) == ("post", eur(500))
    assert (claims.address_id, claims.address) == ("adr_home", quote.address)
    assert claims.payment_method_id == "pmt_visa"
    assert claims.payment_method == quote.payment_method
    assert (claims.provider_reference, claims.provider_customer) == ("pm_of_pmt_visa", "cus_1")
    assert (claims.attribution, claims.surface) == (attribution, quote_pb2.SURFACE_IOS)
    assert claims.action_return_url == "https://app.example/back"
    assert claims.tap_key == quote.tap_key
    assert claims.issued_ms == market.clock.now_ms()
    assert claims.offer_ends_ms == timestamp_ms(offer.ends_at)
    assert list(claims.limits) == [
        Hold(kind="quota", id=offer.offer_id, quantity=2, limit=100),
        Hold(kind="cap", id=f"{offer.offer_id}:{BUYER}", quantity=2, limit=2),
    ]


async def test_a_tap_key_names_its_merchant(market: Market):
    quote = await market.quote_lines(("mug", 1))
    assert ids.tag_of(quote.tap_key, "tap") == TAG


async def test_two_quotes_are_two_purchases(market: Market):
    first, second = [await market.quote_lines(("mug", 1)) for _ in range(2)]
    assert first.tap_key != second.tap_key


async def test_a_token_holds_its_price_for_ten_minutes(market: Market):
    quote = await market.quote_lines(("mug", 1))
    expires_ms = market.clock.now_ms() + 10 * MINUTE_MS
    assert timestamp_ms(quote.expires_at) == expires_ms
    assert claims_in(quote.quote_token).expires_ms == expires_ms


async def test_a_token_ends_with_its_offer(market: Market):
    ends_ms = market.clock.now_ms() + MINUTE_MS
    offer = await market.seller.create_offer(ends_at=timestamp(ends_ms))
    quote = await market.quote(offer_id=offer.offer_id)
    assert timestamp_ms(quote.expires_at) == ends_ms
    assert quote.ends_in.ToMilliseconds() == MINUTE_MS


async def test_the_return_url_of_the_merchant_stands_in(market: Market):
    await market.seller.open_shop(action_return_url="https://mugs.example/back")
    quote = await market.quote_lines(("mug", 1))
    assert claims_in(quote.quote_token).action_return_url == "https://mugs.example/back"


async def test_too_much_for_one_token_is_a_fault_of_the_lines(market: Market):
    skus = [f"{number:02}{'x' * 62}" for number in range(20)]
    await market.seller.put_items(*[item(sku, price=eur(10**11)) for sku in skus])
    with pytest.raises(Fault) as raised:
        await market.quote_lines(*[(sku, 99) for sku in skus])
    assert field_of(raised) == "lines"


# Who buys


async def test_a_platform_names_the_buyer(market: Market):
    quote = await market.quote_lines(("mug", 1), call=CALL, buyer_id=BUYER)
    assert claims_in(quote.quote_token).buyer_id == BUYER


async def test_a_buyer_cannot_quote_for_another(market: Market):
    with pytest.raises(Fault) as raised:
        await market.quote_lines(("mug", 1), buyer_id="u_1")
    assert reason(raised) == "BUYER_MISMATCH"


async def test_without_a_buyer_there_is_a_price_and_no_token(market: Market):
    await market.put_delivery(post())
    offer = await market.seller.create_offer()
    quote = await market.quote(CALL, offer_id=offer.offer_id)
    assert list(quote.blockers) == [quote_pb2.BLOCKER_SIGN_IN]
    assert (quote.quote_token, quote.tap_key, quote.HasField("expires_at")) == ("", "", False)
    assert (quote.totals.total, quote.stock.available) == (eur(1200), 10)
    assert quote.ends_in.ToMilliseconds() == HOUR_MS
    assert codes(quote.messages) == ["WITHOUT_DELIVERY_AND_TAX"]
    assert market.addresses.asked == []


async def test_a_buyer_without_an_address_is_told_so(market: Market):
    del market.addresses.known[""]
    await market.put_delivery(post())
    await market.put_tax(TaxRate(country="DE", rate_ppm=190_000))
    quote = await market.quote_lines(("mug", 1))
    assert list(quote.blockers) == [quote_pb2.BLOCKER_ADDRESS]
    assert quote.totals.total == eur(1200)
    assert codes(quote.messages) == ["WITHOUT_DELIVERY_AND_TAX"]
    assert quote.quote_token == ""


async def test_a_buyer_without_a_payment_method_sees_the_whole_price(market: Market):
    market.wallet.known.clear()
    await market.put_delivery(post())
    quote = await market.quote_lines(("mug", 1))
    assert list(quote.blockers) == [quote_pb2.BLOCKER_PAYMENT_METHOD]
    assert quote.totals.total == eur(1700)
    assert quote.quote_token == ""


async def test_a_new_buyer_is_told_everything_that_is_missing(market: Market):
    quote = await market.quote_lines(("mug", 1), call=buyer_call("u_new"))
    assert list(quote.blockers) == [
        quote_pb2.BLOCKER_ADDRESS,
        quote_pb2.BLOCKER_PAYMENT_METHOD,
    ]


@pytest.mark.parametrize("named", ["address_id", "payment_method_id"])
async def test_a_named_id_that_is_not_the_buyers_is_not_found(market: Market, named: str):
    with pytest.raises(Fault) as raised:
        await market.quote_lines(("mug", 1), **{named: "adr_of_somebody_else"})
    assert reason(raised) == "NOT_FOUND"


async def test_a_named_address_is_where_it_goes(market: Market):
    market.addresses.known["adr_paris"] = place("adr_paris", "FR")
    await market.put_delivery(post(), post("abroad", 1500, countries=["FR"]))
    quote = await market.quote_lines(
        ("mug", 1), address_id="adr_paris", delivery_option_id="abroad"
    )
    assert (quote.address.address_id, quote.totals.delivery) == ("adr_paris", eur(1500))


async def test_a_neighbour_that_is_down_is_not_taken_for_an_empty_one(market: Market):
    market.addresses.broken = True
    with pytest.raises(grpc.aio.AioRpcError):
        await market.quote_lines(("mug", 1))


# Delivery


async def test_an_address_that_nothing_reaches_is_a_blocker(market: Market):
    await market.put_delivery(post(countries=["FR"]))
    quote = await market.quote_lines(("mug", 1))
    assert list(quote.blockers) == [quote_pb2.BLOCKER_NOT_DELIVERABLE]
    assert quote.quote_token == ""


async def test_the_options_that_reach_are_shown(market: Market):
    await market.put_delivery(post("abroad", countries=["FR"]), post(), post("fast", 900))
    quote = await market.quote_lines(("mug", 1))
    shown = [option.delivery_option_id for option in quote.delivery_options]
    assert (shown, quote.delivery_option_id) == (["post", "fast"], "post")


async def test_a_wished_option_that_does_not_reach_gives_way_and_says_so(market: Market):
    await market.put_delivery(post(), post("abroad", countries=["FR"]))
    quote = await market.quote_lines(("mug", 1), delivery_option_id="abroad")
    assert quote.delivery_option_id == "post"
    assert codes(quote.messages) == ["DELIVERY_OPTION_NOT_APPLIED"]


async def test_a_quantity_that_is_too_heavy_is_no_choice(market: Market):
    await market.seller.put_items(item(weight_grams=400))
    await market.put_delivery(post(max_weight_grams=1000))
    offer = await market.seller.create_offer(quantities=[1, 2, 3])
    quote = await market.quote(offer_id=offer.offer_id)
    assert [choice.quantity for choice in quote.choices] == [1, 2]


# Choices


async def with_sizes(market: Market, *sizes: str, **offer: object) -> str:
    items = [item(f"shirt-{size}", attributes={"size": size}) for size in sizes]
    await market.seller.put_items(*items)
    for number, one in enumerate(items):
        await market.seller.set_stock(number, one.sku)
    created = await market.seller.create_offer(skus=[one.sku for one in items], **offer)
    return created.offer_id


async def test_each_choice_can_be_bought_in_one_tap(market: Market):
    offer_id = await with_sizes(market, "S", "M", quantities=[1, 2])
    quote = await market.quote(offer_id=offer_id)
    shown = [(choice.attributes["size"], choice.quantity) for choice in quote.choices]
    assert shown == [("S", 1), ("S", 2), ("M", 1), ("M", 2)]
    for choice in quote.choices:
        claims = claims_in(choice.quote_token)
        assert (claims.lines[0].sku, claims.lines[0].quantity) == (choice.sku, choice.quantity)
        assert claims.totals.total_minor == choice.totals.total.amount_minor
        assert claims.tap_key == choice.tap_key
    assert len({choice.tap_key for choice in quote.choices}) == 4


async def test_the_selected_choice_is_the_quotes_own_purchase(market: Market):
    offer_id = await with_sizes(market, "S", "M")
    quote = await market.quote(offer_id=offer_id, sku="shirt-M")
    assert quote.lines[0].sku == "shirt-M"
    assert quote.choices[1].tap_key == quote.tap_key
    assert quote.choices[1].quote_token == quote.quote_token


async def test_each_choice_shows_its_own_stock(market: Market):
    offer_id = await with_sizes(market, "S", "M", "L")
    quote = await market.quote(offer_id=offer_id)
    assert [choice.stock.available for choice in quote.choices] == [0, 1, 2]


async def test_the_first_variant_and_quantity_are_the_default(market: Market):
    offer_id = await with_sizes(market, "S", "M", quantities=[3, 1])
    quote = await market.quote(offer_id=offer_id)
    assert (quote.lines[0].sku, quote.lines[0].quantity) == ("shirt-S", 3)


async def test_there_are_at_most_24_choices_every_variant_among_them(market: Market):
    sizes = [f"{number:02}" for number in range(20)]
    offer_id = await with_sizes(market, *sizes, quantities=[1, 2, 3])
    quote = await market.quote(offer_id=offer_id, sku="shirt-19", quantity=3)
    assert len(quote.choices) == 24
    assert {choice.attributes["size"] for choice in quote.choices} == set(sizes)
    assert quote.tap_key in {choice.tap_key for choice in quote.choices}


async def test_a_variant_of_another_offer_is_refused(market: Market):
    offer_id = await with_sizes(market, "S")
    with pytest.raises(Fault) as raised:
        await market.quote(offer_id=offer_id, sku="mug")
    assert field_of(raised) == "sku"


async def test_with_blockers_no_choice_has_a_token(market: Market):
    market.wallet.known.clear()
    offer_id = await with_sizes(market, "S", "M")
    quote = await market.quote(offer_id=offer_id)
    assert [(choice.quote_token, choice.tap_key) for choice in quote.choices] == [("", "")] * 2


# Stock and the offer's life


async def test_the_stock_shown_is_the_least_of_stock_and_quota(market: Market):
    offer = await market.seller.create_offer(quota=5)
    await market.seller.hold("quota", offer.offer_id, held=1, committed=1)
    quote = await market.quote(offer_id=offer.offer_id)
    assert quote.stock == AVAILABLE(available=3, held=1)


async def test_the_stock_of_lines_is_that_of_the_scarcest_item(market: Market):
    await market.seller.put_items(item("cap"))
    await market.seller.set_stock(3, "cap")
    assert (await market.quote_lines(("mug", 1), ("cap", 1))).stock.available == 3


async def test_lines_of_one_sku_are_summed_before_the_stock_is_judged(market: Market):
    enough = await market.quote_lines(("mug", 5), ("mug", 5))
    short = await market.quote_lines(("mug", 5), ("mug", 6))
    assert codes(enough.messages) == []
    assert codes(short.messages) == ["NOT_ENOUGH_STOCK"] * 2
    assert short.messages[1].field_path == "lines.lines[1].quantity"


async def test_what_is_sold_out_still_has_a_token_because_units_come_back(market: Market):
    await market.seller.hold("stock", "mug", held=10)
    quote = await market.quote_lines(("mug", 1))
    assert quote.stock == AVAILABLE(available=0, held=10)
    assert quote.quote_token


@pytest.mark.parametrize("how", ["ended", "past"])
async def test_an_offer_that_is_over_shows_its_price_and_sells_nothing(market: Market, how: str):
    offer = await market.seller.create_offer()
    if how == "ended":
        await market.seller.offers.end_offer(EndOfferRequest(offer_id=offer.offer_id), CALL)
    else:
        market.clock.advance(HOUR_MS)
    quoted = await market.quoted(offer_id=offer.offer_id)
    quote = quoted.quote
    assert (quoted.claims, quote.quote_token, quote.tap_key) == (None, "", "")
    assert (quote.stock, quote.choices[0].stock) == (AVAILABLE(), AVAILABLE())
    assert quote.ends_in.ToMilliseconds() == 0
    assert quote.totals.total == eur(1200)
    assert codes(quote.messages) == ["OFFER_ENDED"]
    assert quote.choices[0].quote_token == ""


async def test_an_offer_that_has_not_started_tells_when(market: Market):
    now_ms = market.clock.now_ms()
    offer = await market.seller.create_offer(starts_at=timestamp(now_ms + MINUTE_MS))
    quote = await market.quote(offer_id=offer.offer_id)
    assert (quote.quote_token, quote.stock) == ("", AVAILABLE())
    [message] = quote.messages
    assert message.code == "OFFER_NOT_STARTED"
    assert offer.starts_at.ToJsonString() in message.text


async def test_a_suspended_merchant_sells_nothing(market: Market):
    await market.seller.open_shop(suspended=True)
    with pytest.raises(Fault) as raised:
        await market.quote_lines(("mug", 1))
    assert reason(raised) == "MERCHANT_NOT_READY"


# What is not there


@pytest.mark.parametrize("offer_id", ["off_1", "mug", f"off_{TAG}{'a' * 22}", f"off_{'0' * 30}"])
async def test_an_offer_that_is_none_is_not_found(market: Market, offer_id: str):
    with pytest.raises(Fault) as raised:
        await market.quote(offer_id=offer_id)
    assert reason(raised) == "NOT_FOUND"


async def test_an_offer_of_another_platform_looks_like_none(market: Market):
    offer = await market.seller.create_offer()
    with pytest.raises(Fault) as raised:
        await market.quote(buyer_call(platform="other"), offer_id=offer.offer_id)
    assert reason(raised) == "NOT_FOUND"


async def test_an_offer_of_a_merchant_beyond_the_token_looks_like_none(market: Market):
    offer = await market.seller.create_offer()
    with pytest.raises(Fault) as raised:
        await market.quote(call_of(PLATFORM, "hats"), offer_id=offer.offer_id)
    assert reason(raised) == "NOT_FOUND"


async def test_an_unknown_merchant_is_not_found(market: Market):
    with pytest.raises(Fault) as raised:
        await market.quoted(lines=basket(("mug", 1), merchant_id="hats"))
    assert reason(raised) == "NOT_FOUND"


async def test_a_line_of_no_item_is_refused(market: Market):
    with pytest.raises(Fault) as raised:
        await market.quote_lines(("mug", 1), ("hat", 1))
    assert field_of(raised) == "lines.lines[1].sku"


async def test_carts_come_later(market: Market):
    with pytest.raises(Fault) as raised:
        await market.quoted(cart_id="cart_1")
    assert reason(raised) == "NOT_IMPLEMENTED"


# Discount codes


async def test_a_code_is_found_without_regard_to_case(market: Market):
    await market.put_code(code="Ten", percentage_ppm=100_000)
    quote = await market.quote_lines(("mug", 1), discount_codes=["tEN"])
    assert quote.totals.discount == eur(120)
    assert list(claims_in(quote.quote_token).discount_codes) == ["TEN"]


async def test_a_code_given_twice_counts_once(market: Market):
    await market.put_code(code="TEN", percentage_ppm=100_000)
    quote = await market.quote_lines(("mug", 1), discount_codes=["TEN", "ten"])
    assert (quote.totals.discount, codes(quote.messages)) == (eur(120), [])


async def test_a_code_that_does_not_apply_is_a_message_and_no_claim(market: Market):
    await market.put_code(code="TEN", percentage_ppm=100_000)
    quote = await market.quote_lines(("mug", 1), discount_codes=["TEN", "bogus"])
    [message] = quote.messages
    assert (message.code, message.field_path) == ("DISCOUNT_CODE_NOT_APPLIED", "discount_codes[1]")
    assert list(claims_in(quote.quote_token).discount_codes) == ["TEN"]


async def test_the_limits_of_a_code_are_signed_for_the_tap(market: Market):
    await market.put_code(code="TEN", percentage_ppm=100_000, max_uses=50, max_uses_per_buyer=1)
    quote = await market.quote_lines(("mug", 1), discount_codes=["TEN"])
    assert list(claims_in(quote.quote_token).limits) == [
        Hold(kind="code", id="TEN", quantity=1, limit=50),
        Hold(kind="code_buyer", id=f"TEN:{BUYER}", quantity=1, limit=1),
    ]


@pytest.mark.parametrize("counter", [("code", "TEN"), ("code_buyer", f"TEN:{BUYER}")])
async def test_a_code_that_is_used_up_takes_nothing_off(market: Market, counter: tuple[str, str]):
    await market.put_code(code="TEN", percentage_ppm=100_000, max_uses=2, max_uses_per_buyer=2)
    await market.first_hold(*counter, held=1, committed=1)
    quote = await market.quote_lines(("mug", 1), discount_codes=["TEN"])
    assert quote.messages[0].text == "The code takes nothing off: it is used up."


# What travels with the card


async def test_the_journey_and_attribution_come_back(market: Market):
    journey, attribution = Journey(journey_id="j1", steps=2), Attribution(card_id="c")
    quote = await market.quote_lines(("mug", 1), journey=journey, attribution=attribution)
    assert (quote.journey, quote.attribution) == (journey, attribution)


async def test_a_quote_tells_the_time_and_that_it_is_a_test(market: Market):
    quote = await market.quote_lines(("mug", 1))
    assert timestamp_ms(quote.server_time) == market.clock.now_ms()
    assert not quote.livemode
