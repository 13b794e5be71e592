"""Each kind of rule: what it lets pass, and that it finds every message it makes wrong itself."""

from __future__ import annotations

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from checkout_sdk._pb.address_pb2 import PostalAddress, SaveAddressRequest
from checkout_sdk._pb.attempt_pb2 import Consent, GetAttemptRequest, PlaceOrderRequest
from checkout_sdk._pb.item_pb2 import Item
from checkout_sdk._pb.merchant_pb2 import CAPTURE_MODE_MANUAL, Merchant
from checkout_sdk._pb.money_pb2 import Money
from checkout_sdk._pb.offer_pb2 import ListOffersRequest, Offer, UpdateOfferRequest
from checkout_sdk._pb.quote_pb2 import CreateQuoteRequest, Line, LineSource
from checkout_server import ids, validation
from checkout_server.contract import DESCRIPTORS
from checkout_server.faults import Fault
from checkout_server.validation import (
    at_most_one,
    buyer,
    currency,
    duration,
    each,
    each_integer,
    each_text,
    exactly_one,
    id_of,
    integer,
    known_enum,
    map_of,
    mask,
    money,
    nested,
    one_of_fields,
    page,
    request_id,
    required,
    text,
    timestamp,
    url,
)

OFFER = ids.new_id("off", ids.tag("acme", "m-1"))
LINE = (text("sku", minimum=1, maximum=64, pattern="[A-Z0-9-]+"), integer("quantity", 1, 99))
WHOLE_ADDRESS = PostalAddress(name="A", country="US", lines=["1 Main St"])
LATER = {"seconds": 1_800_000_000}

# A rule of each kind, with a message it lets pass.
KINDS = {
    "text": (text("title", minimum=1, maximum=5), Item(title="ab")),
    "text of a form": (text("sku", maximum=5, pattern="[a-z]+", describe="x"), Item(sku="ab")),
    "integer": (integer("weight_grams", 0, 1_000), Item(weight_grams=1_000)),
    "required": (required("price"), Item(price=Money())),
    "money": (money("price", minimum=1), Item(price=Money(amount_minor=1, currency="JPY"))),
    "nested": (
        nested("address", (text("name", minimum=1, maximum=9),)),
        SaveAddressRequest(address=WHOLE_ADDRESS),
    ),
    "each": (
        nested("lines", (each("lines", LINE, at_least=1, at_most=20),)),
        CreateQuoteRequest(lines=LineSource(lines=[Line(sku="A-1", quantity=1)])),
    ),
    "each text": (each_text("lines", maximum=9, at_least=1, at_most=3), WHOLE_ADDRESS),
    "each integer": (each_integer("quantities", 1, 99, at_most=10), Offer(quantities=[1, 99])),
    "map": (
        map_of("attributes", at_most=2, key_max=4, value_max=4),
        Item(attributes={"size": "M"}),
    ),
    "enum": (known_enum("capture_mode"), Merchant()),
    "required enum": (
        known_enum("capture_mode", required=True),
        Merchant(capture_mode=CAPTURE_MODE_MANUAL),
    ),
    "currency": (currency("currency"), Merchant(currency="EUR")),
    "url": (url("action_return_url"), Merchant(action_return_url="http://127.0.0.1:8/back?a=b")),
    "https url": (
        url("image_url", https_only=True, required=True),
        Item(image_url="https://x.dev/"),
    ),
    "id": (id_of("offer_id", "off"), Offer(offer_id=OFFER)),
    "optional id": (id_of("offer_id", "off", required=False), Offer()),
    "request id": (request_id(), SaveAddressRequest(request_id="r-1")),
    "buyer": (buyer(), SaveAddressRequest()),
    "timestamp": (timestamp("ends_at", required=True), Offer(ends_at=LATER)),
    "duration": (
        duration("cancellable_for", 0, 1_000),
        Merchant(cancellable_for={"nanos": 10**9 - 1}),
    ),
    "oneof": (exactly_one("source"), CreateQuoteRequest(cart_id="c")),
    "one of fields": (
        one_of_fields("attempt_id", "idempotency_key"),
        GetAttemptRequest(attempt_id="a"),
    ),
    "at most one": (at_most_one("address_id", "new_address"), PlaceOrderRequest()),
    "mask": (
        mask("update_mask", "title", "price"),
        UpdateOfferRequest(update_mask=FieldMask(paths=["price"])),
    ),
}
every_kind = pytest.mark.parametrize(("rule", "valid"), KINDS.values(), ids=KINDS.keys())


def fields(rule, message):
    return [violation.field for violation in rule.violations(message, "")]


@every_kind
def test_a_rule_lets_a_valid_message_pass(rule, valid):
    assert not fields(rule, valid)


@every_kind
def test_a_rule_finds_each_message_it_breaks(rule, valid):
    before = valid.SerializeToString(deterministic=True)
    broken = list(rule.broken(valid))
    assert broken
    assert [path for path, message in broken if path not in fields(rule, message)] == []
    assert valid.SerializeToString(deterministic=True) == before


@pytest.mark.parametrize(
    "rule",
    [KINDS[kind][0] for kind in ("money", "nested", "duration")],
    ids=["money", "nested", "duration"],
)
def test_a_part_that_is_not_set_is_not_judged(rule):
    unset = {"price": Item(), "address": SaveAddressRequest(), "cancellable_for": Merchant()}
    assert not fields(rule, unset[rule.field])


def test_a_path_leads_to_the_field_at_fault():
    lines = [Line(sku="A", quantity=1), Line(sku="A", quantity=0)]
    request = CreateQuoteRequest(lines=LineSource(lines=lines))
    rule, _ = KINDS["each"]
    assert fields(rule, request) == ["lines.lines[1].quantity"]


@pytest.mark.parametrize(
    "address",
    [
        "https://shop.example",
        "https://shop.example/back?a=b#c",
        "http://localhost:8000/",
        "http://[::1]/",
    ],
)
def test_an_address_that_a_browser_may_be_sent_to_passes(address):
    assert not fields(url("action_return_url"), Merchant(action_return_url=address))


@pytest.mark.parametrize(
    "address",
    [
        "http://shop.example/",
        "http://127.0.0.1.shop.example/",
        "https://user@shop.example/",
        "https:///nowhere",
        "https://shop.example:port/",
        "https://shop example/",
        "data:text/html,x",
        "//shop.example/",
    ],
)
def test_an_address_that_may_lead_elsewhere_is_refused(address):
    assert fields(url("action_return_url"), Merchant(action_return_url=address))


@pytest.mark.parametrize("code", ["USD", "JPY", "KWD", "CNY", "CHF"])
def test_tender_of_today_is_a_currency(code):
    assert not fields(currency("currency"), Merchant(currency=code))


@pytest.mark.parametrize("character", ["\0", "\n", "\x1b", "\x7f", "\x9b"])
def test_a_control_character_is_found_wherever_it_is(character):
    bad = f"a{character}b"
    request = PlaceOrderRequest(
        buyer_id=bad,
        discount_codes=["fine", bad],
        consents=[Consent(name="fine"), Consent(name=bad)],
        metadata={bad: "fine"},
    )
    request.new_address.address.lines.append(bad)
    with pytest.raises(Fault) as caught:
        validation.check(request, {PlaceOrderRequest: ()})
    assert {violation.field for violation in caught.value.violations} == {
        "buyer_id",
        "discount_codes[1]",
        "consents[1].name",
        "metadata",
        "new_address.address.lines[0]",
    }


@pytest.mark.parametrize("name", ["Zoë Müller", "田中 太郎", "محمد", "O'Brien 🎁", "a\u00a0b"])
def test_names_of_people_are_not_control_characters(name):
    validation.check(SaveAddressRequest(buyer_id=name), {SaveAddressRequest: ()})


def test_a_request_that_is_wrong_all_over_is_told_the_first_few():
    request = PlaceOrderRequest(discount_codes=["\0"] * 1_000)
    with pytest.raises(Fault) as caught:
        validation.check(request, {PlaceOrderRequest: ()})
    assert len(caught.value.violations) == validation.MOST_VIOLATIONS


def test_a_page_is_a_size_and_a_token():
    broken = dict(page().broken(ListOffersRequest()))
    assert broken.keys() == {"page_size", "page_token"}


def test_all_maps_of_requests_are_from_text_to_text():
    seen = set()
    maps = [
        field.message_type
        for service in DESCRIPTORS.values()
        for method in service.methods
        for field in _all_fields(method.input_type, seen)
        if field.message_type and field.message_type.GetOptions().map_entry
    ]
    assert maps
    for entry in maps:
        assert {field.type for field in entry.fields} == {entry.fields[0].TYPE_STRING}


def _all_fields(message, seen):
    if message.full_name in seen:
        return
    seen.add(message.full_name)
    for field in message.fields:
        yield field
        if field.message_type:
            yield from _all_fields(field.message_type, seen)
