"""Fingerprint and intent: equal when they mean the same, and else different."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkout_sdk._pb import attempt_pb2
from checkout_sdk._pb.money_pb2 import Money
from checkout_server._pb import stored_pb2
from checkout_server.checkout import intent

TEXTS = st.text(max_size=6)
# Letters that could be taken for the frame around them.
SKUS = st.text("ab0123456789:*@,", min_size=1, max_size=5)
LINES = st.lists(st.tuples(SKUS, st.integers(1, 12)), min_size=1, max_size=4)


def claims(**fields: Any) -> stored_pb2.QuoteClaims:
    plain = {
        "buyer_id": "ann",
        "offer_id": "off_1",
        "lines": [stored_pb2.ClaimedLine(sku="mug", quantity=1, unit_price_minor=1_500)],
        "totals": stored_pb2.ClaimedTotals(total_minor=2_000),
        "currency": "USD",
        "address_id": "adr_1",
        "payment_method_id": "pmt_1",
        "delivery_option_id": "std",
        "discount_codes": ["TEN"],
    }
    return stored_pb2.QuoteClaims(**plain | fields)


def lined(lines: list[tuple[str, int]], **fields: Any) -> stored_pb2.QuoteClaims:
    return claims(
        lines=[stored_pb2.ClaimedLine(sku=sku, quantity=quantity) for sku, quantity in lines],
        **fields,
    )


def wish(lines: list[tuple[str, int]]) -> dict[str, int]:
    """How much of what."""
    return {sku: sum(many for one, many in lines if one == sku) for sku, _ in lines}


@given(LINES, LINES)
def test_an_intent_is_the_same_when_as_much_of_the_same_is_wanted(one, other):
    same = intent.intent_of(lined(one)) == intent.intent_of(lined(other))
    assert same == (wish(one) == wish(other))


@given(LINES, st.randoms())
def test_an_intent_does_not_depend_on_the_order_of_lines(lines, random):
    turned = random.sample(lines, len(lines))
    assert intent.intent_of(lined(turned)) == intent.intent_of(lined(lines))


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_the_intent_of_one_offer_or_cart_is_not_anothers(offer, cart, other_offer, other_cart):
    one = intent.intent_of(claims(offer_id=offer, cart_id=cart))
    other = intent.intent_of(claims(offer_id=other_offer, cart_id=other_cart))
    assert (one == other) == ((offer, cart) == (other_offer, other_cart))


def test_prices_payment_and_codes_make_no_other_intent():
    same = claims(
        totals=stored_pb2.ClaimedTotals(total_minor=1),
        address_id="adr_2",
        payment_method_id="pmt_2",
        discount_codes=[],
        delivery_option_id="express",
        tap_key="another",
    )
    assert intent.intent_of(same) == intent.intent_of(claims())


def of_claims(**fields: Any) -> bytes:
    return intent.fingerprint_of_claims(claims(**fields), "pmt_1")


@given(LINES, LINES, st.lists(TEXTS, max_size=3), st.lists(TEXTS, max_size=3))
def test_a_fingerprint_is_the_same_for_the_same_lines_and_codes(one, other, codes, other_codes):
    first = intent.fingerprint_of_claims(lined(one, discount_codes=codes), "pmt_1")
    second = intent.fingerprint_of_claims(lined(other, discount_codes=other_codes), "pmt_1")
    assert (first == second) == ((one, codes) == (other, other_codes))


@given(st.tuples(*[TEXTS] * 5), st.tuples(*[TEXTS] * 5))
def test_no_two_lists_of_fields_read_the_same(one, other):
    names = ("buyer_id", "offer_id", "address_id", "delivery_option_id", "currency")
    first, second = (of_claims(**dict(zip(names, each, strict=True))) for each in (one, other))
    assert (first == second) == (one == other)


@pytest.mark.parametrize(
    "other",
    [
        {"buyer_id": "bob"},
        {"offer_id": "off_2"},
        {"cart_id": "crt_1"},
        {"lines": [stored_pb2.ClaimedLine(sku="mug", quantity=2, unit_price_minor=1_500)]},
        {"lines": [stored_pb2.ClaimedLine(sku="mug", quantity=1, unit_price_minor=1_501)]},
        {"totals": stored_pb2.ClaimedTotals(total_minor=2_001)},
        {"currency": "EUR"},
        {"address_id": "adr_2"},
        {"delivery_option_id": "express"},
        {"discount_codes": []},
    ],
)
def test_what_a_buyer_agrees_to_is_in_the_fingerprint(other: dict[str, Any]):
    assert of_claims(**other) != of_claims()


def test_the_card_that_pays_is_in_the_fingerprint():
    assert intent.fingerprint_of_claims(claims(), "pmt_2") != of_claims()


def test_what_only_travels_along_is_not_in_the_fingerprint():
    assert (
        of_claims(
            tap_key="tap_2",
            issued_ms=1,
            expires_ms=2,
            epoch=3,
            attribution={"video_id": "v"},
            surface="SURFACE_IOS",
            action_return_url="https://app.example/",
        )
        == of_claims()
    )


def of_request(**fields: Any) -> bytes:
    plain = {
        "offer_id": "off_1",
        "sku": "mug",
        "quantity": 1,
        "expected_total": Money(amount_minor=2_000, currency="USD"),
        "address_id": "adr_1",
        "payment_method_id": "pmt_1",
        "delivery_option_id": "std",
        "discount_codes": ["TEN"],
    }
    request = attempt_pb2.PlaceOrderRequest(**plain | fields)
    return intent.fingerprint_of_request(request, "ann")


@pytest.mark.parametrize(
    "other",
    [
        {"offer_id": "off_2"},
        {"sku": "tee"},
        {"quantity": 2},
        {"expected_total": Money(amount_minor=2_001, currency="USD")},
        {"expected_total": Money(amount_minor=2_000, currency="EUR")},
        {"address_id": ""},
        {"payment_method_id": "pmt_2"},
        {"delivery_option_id": ""},
        {"discount_codes": ["TEN", "FIVE"]},
    ],
)
def test_what_a_tap_without_a_token_asks_for_is_in_its_fingerprint(other: dict[str, Any]):
    assert of_request(**other) != of_request()


def test_what_travels_along_with_a_tap_without_a_token_is_not():
    along = {
        "idempotency_key": "k",
        "position_ms": 3,
        "client_reference": "r",
        "metadata": {"a": "b"},
        "risk": {"device_id": "d"},
        "consents": [{"name": "terms"}],
        "journey": {"steps": 2},
        "attribution": {"video_id": "v"},
    }
    assert of_request(**along) == of_request()


def test_with_and_without_a_token_are_two_requests():
    assert of_request() != of_claims()
