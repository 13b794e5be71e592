"""What keeps a buyer from buying in one tap, and what there is to say beside a price."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from checkout_sdk._pb import quote_pb2
from checkout_sdk._pb.quote_pb2 import Message
from checkout_server.quotes.facts import Facts
from checkout_server.quotes.pricing import Price, PricedItem
from checkout_server.quotes.selection import short_of

INFO, WARNING = Message.SEVERITY_INFO, Message.SEVERITY_WARNING


def blockers(facts: Facts, price: Price) -> list[quote_pb2.Blocker.ValueType]:
    if not facts.buyer_id:
        return [quote_pb2.BLOCKER_SIGN_IN]
    found = []
    if facts.address is None:
        found.append(quote_pb2.BLOCKER_ADDRESS)
    if facts.payment is None:
        found.append(quote_pb2.BLOCKER_PAYMENT_METHOD)
    if not price.deliverable:
        found.append(quote_pb2.BLOCKER_NOT_DELIVERABLE)
    return found


def messages(facts: Facts, lines: Sequence[PricedItem], price: Price) -> list[Message]:
    return [
        *_about_the_offer(facts),
        *_about_stock(facts, lines),
        *_about_delivery(facts, price),
        *_about_codes(facts, price),
    ]


def _about_the_offer(facts: Facts) -> Iterator[Message]:
    if facts.ended:
        yield Message(
            code="OFFER_ENDED", severity=WARNING, text="The offer takes no taps any more."
        )
    elif facts.not_started and facts.offer:
        starts_at = facts.offer.starts_at.ToJsonString()
        text = f"The offer takes taps from {starts_at} on; make a new quote then."
        yield Message(code="OFFER_NOT_STARTED", severity=INFO, text=text)


def _about_stock(facts: Facts, lines: Sequence[PricedItem]) -> Iterator[Message]:
    for position in short_of(facts, lines):
        yield Message(
            code="NOT_ENOUGH_STOCK",
            severity=WARNING,
            field_path="quantity" if facts.offer else f"lines.lines[{position}].quantity",
            text="There are fewer than that now.",
        )


def _about_delivery(facts: Facts, price: Price) -> Iterator[Message]:
    if facts.address is None:
        yield Message(
            code="WITHOUT_DELIVERY_AND_TAX",
            severity=INFO,
            field_path="address_id",
            text="Delivery and tax depend on the address and are not in the totals yet.",
        )
        return
    wished = facts.request.delivery_option_id
    if wished and price.option and price.option.delivery_option_id != wished:
        yield Message(
            code="DELIVERY_OPTION_NOT_APPLIED",
            severity=WARNING,
            field_path="delivery_option_id",
            text="It does not reach this address with this weight; the first that does was taken.",
        )


def _about_codes(facts: Facts, price: Price) -> Iterator[Message]:
    given = [code.upper() for code in facts.request.discount_codes]
    for code, why in price.discounts.refused:
        yield Message(
            code="DISCOUNT_CODE_NOT_APPLIED",
            severity=WARNING,
            field_path=f"discount_codes[{given.index(code)}]",
            text=f"The code takes nothing off: {why}.",
        )
