"""From facts to a quote: pure, so what a card shows can be made again from what was read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from checkout_sdk._pb.money_pb2 import Money, Totals
from checkout_sdk._pb.quote_pb2 import Blocker, Choice, Quote, QuoteLine
from checkout_server._pb.stored_pb2 import ClaimedTotals, QuoteClaims
from checkout_server.faults import Fault
from checkout_server.protobuf_time import duration, timestamp, timestamp_ms
from checkout_server.quotes import tax
from checkout_server.quotes.claims import claims_of, quoted_delivery
from checkout_server.quotes.facts import Facts
from checkout_server.quotes.messages import blockers, messages
from checkout_server.quotes.money import chargeable
from checkout_server.quotes.pricing import Conditions, Price, PricedItem, price
from checkout_server.quotes.selection import available, choices, selected
from checkout_server.quotes.token import SigningKeys, seal


@dataclass(frozen=True, slots=True)
class Quoted:
    quote: Quote
    # What the quote's token says; None when it has none.
    claims: QuoteClaims | None


@dataclass(frozen=True, slots=True)
class _Offered:
    """Some lines at their price, and what buys them in one tap, if anything does."""

    lines: Sequence[PricedItem]
    price: Price
    claims: QuoteClaims | None
    token: str

    @property
    def tap_key(self) -> str:
        return self.claims.tap_key if self.claims else ""


def quoted(facts: Facts, keys: SigningKeys, *, livemode: bool) -> Quoted:
    conditions = _conditions(facts)
    lines = selected(facts)
    chosen = price(lines, conditions)
    if facts.on_sale and not _can_be_charged(facts, chosen):
        raise Fault("BELOW_MINIMUM")
    blocked_by = blockers(facts, chosen)
    buyable = facts.on_sale and not blocked_by

    def offered(lines: Sequence[PricedItem], priced: Price) -> _Offered:
        if not buyable or facts.address is None or facts.payment is None:
            return _Offered(lines, priced, claims=None, token="")
        claims = claims_of(
            facts,
            lines,
            priced,
            address=facts.address,
            payment=facts.payment,
            livemode=livemode,
        )
        return _Offered(lines, priced, claims, seal(claims, keys))

    this = offered(lines, chosen)
    shown = []
    for other in choices(facts, lines):
        if [other] == lines:
            shown.append(_choice(facts, this))
            continue
        priced = price([other], conditions)
        if priced.deliverable and _can_be_charged(facts, priced):
            shown.append(_choice(facts, offered([other], priced)))
    return Quoted(_quote(facts, this, shown, blocked_by, livemode=livemode), this.claims)


def _conditions(facts: Facts) -> Conditions:
    place = facts.address
    rates = facts.terms.tax_rates if place else ()
    return Conditions(
        currency=facts.currency,
        country=place.country if place else None,
        options=facts.terms.delivery_options,
        delivery_option_id=facts.request.delivery_option_id,
        rates=tax.rates_at(rates, country=place.country, region=place.region) if place else {},
        codes=facts.codes,
        now_ms=facts.now_ms,
    )


def _can_be_charged(facts: Facts, priced: Price) -> bool:
    """As long as delivery or tax is missing nobody can say."""
    if facts.address is None or not priced.deliverable:
        return True
    return chargeable(priced.totals.total_minor, facts.currency)


def _quote(
    facts: Facts,
    this: _Offered,
    shown: Sequence[Choice],
    blocked_by: Sequence[Blocker.ValueType],
    *,
    livemode: bool,
) -> Quote:
    request, option = facts.request, this.price.option
    return Quote(
        quote_token=this.token,
        tap_key=this.tap_key,
        merchant_id=facts.terms.merchant.merchant_id,
        offer_id=facts.offer.offer_id if facts.offer else "",
        lines=_lines(facts, this),
        totals=_totals(this.price.totals, facts.currency),
        choices=shown,
        delivery_options=map(quoted_delivery, this.price.options),
        delivery_option_id=option.delivery_option_id if option else "",
        address=facts.address.address if facts.address else None,
        payment_method=facts.payment.payment_method if facts.payment else None,
        blockers=blocked_by,
        stock=available(facts, this.lines),
        ends_in=duration(_ends_in_ms(facts)) if facts.offer else None,
        expires_at=timestamp(this.claims.expires_ms) if this.claims else None,
        journey=request.journey if request.HasField("journey") else None,
        messages=messages(facts, this.lines, this.price),
        attribution=request.attribution if request.HasField("attribution") else None,
        server_time=timestamp(facts.now_ms),
        livemode=livemode,
    )


def _ends_in_ms(facts: Facts) -> int:
    if facts.ended or facts.offer is None:
        return 0
    return timestamp_ms(facts.offer.ends_at) - facts.now_ms


def _lines(facts: Facts, this: _Offered) -> list[QuoteLine]:
    return [
        QuoteLine(
            sku=line.item.sku,
            title=line.item.title,
            quantity=line.quantity,
            unit_price=Money(amount_minor=line.unit_price_minor, currency=facts.currency),
            totals=_totals(share, facts.currency),
        )
        for line, share in zip(this.lines, this.price.shares, strict=True)
    ]


def _choice(facts: Facts, offered: _Offered) -> Choice:
    [line] = offered.lines
    return Choice(
        sku=line.item.sku,
        attributes=line.item.attributes,
        quantity=line.quantity,
        totals=_totals(offered.price.totals, facts.currency),
        stock=available(facts, offered.lines),
        quote_token=offered.token,
        tap_key=offered.tap_key,
    )


def _totals(claimed: ClaimedTotals, currency: str) -> Totals:
    return Totals(
        items=Money(amount_minor=claimed.items_minor, currency=currency),
        discount=Money(amount_minor=claimed.discount_minor, currency=currency),
        delivery=Money(amount_minor=claimed.delivery_minor, currency=currency),
        tax=Money(amount_minor=claimed.tax_minor, currency=currency),
        total=Money(amount_minor=claimed.total_minor, currency=currency),
        tax_included=claimed.tax_included,
    )
