"""Whether what the buyer saw still holds when the tap arrives, and what it comes to if it does not.

PROTOCOL.md section 1: an unexpired token is a price lock. One that ran out a moment ago, or was
overtaken by a change of the offer, is quoted again inside the call; what came out no worse goes on
at the lower total. Anything worse is the buyer's to see first.
"""

from __future__ import annotations

from checkout_sdk._pb import attempt_pb2, quote_pb2
from checkout_server._pb import stored_pb2
from checkout_server.call import Call
from checkout_server.checkout import outcome
from checkout_server.checkout.reserve import Deal
from checkout_server.checkout.verify import Tapped
from checkout_server.faults import Fault
from checkout_server.quotes.answer import Quoted
from checkout_server.quotes.service import Quotes

# A viewer who paused the video is back within this; later the whole card is stale.
REFRESHED_FOR_MS = 15 * 60_000

NOT_DELIVERABLE = quote_pb2.Blocker.BLOCKER_NOT_DELIVERABLE
REFRESHED = (
    "The quote had run out or the offer had changed; it was made again, no dearer than before."
)


class Dealer:
    def __init__(self, quotes: Quotes) -> None:
        self._quotes = quotes

    async def deal(
        self, tapped: Tapped, request: attempt_pb2.PlaceOrderRequest, call: Call, now_ms: int
    ) -> Deal | attempt_pb2.Attempt:
        """The deal that stands now, or the answer that says why there is none."""
        claims = tapped.claims
        if claims is None:
            return await self._untokened(tapped, request, call)
        if now_ms < claims.expires_ms:
            return Deal(claims)
        if now_ms < claims.expires_ms + REFRESHED_FOR_MS:
            return await self.refresh(tapped, claims, call)
        quoted = await self._quotes.refresh(claims, call)
        expired = attempt_pb2.Change(field="expired", was="", now="")
        return outcome.changed(tapped.buyer_id, quoted.quote, [expired])

    async def refresh(
        self, tapped: Tapped, claims: stored_pb2.QuoteClaims, call: Call
    ) -> Deal | attempt_pb2.Attempt:
        """Quotes again what `claims` were for, after they ran out or the offer's epoch moved."""
        quoted = await self._quotes.refresh(claims, call)
        if quoted.claims is None:
            return _unavailable(tapped.buyer_id, quoted)
        changes = worse(claims, quoted.claims)
        if changes:
            return outcome.changed(tapped.buyer_id, quoted.quote, changes)
        return Deal(quoted.claims, (outcome.message("QUOTE_REFRESHED", REFRESHED),))

    async def _untokened(
        self, tapped: Tapped, request: attempt_pb2.PlaceOrderRequest, call: Call
    ) -> Deal | attempt_pb2.Attempt:
        quoted = await self._quotes.quote(_as_quote_request(request), call)
        if quoted.claims is None:
            return _unavailable(tapped.buyer_id, quoted)
        seen, total = request.expected_total, quoted.claims.totals.total_minor
        if seen.currency == quoted.claims.currency and total <= seen.amount_minor:
            return Deal(quoted.claims)
        change = attempt_pb2.Change(
            field="total",
            was=f"{seen.amount_minor} {seen.currency}",
            now=f"{total} {quoted.claims.currency}",
        )
        return outcome.changed(tapped.buyer_id, quoted.quote, [change])


def worse(was: stored_pb2.QuoteClaims, now: stored_pb2.QuoteClaims) -> list[attempt_pb2.Change]:
    """What a buyer who agreed to `was` would have to agree to again. Empty: go on at the new
    total."""
    changes = [
        _change(field, old, new)
        for field, old, new in (
            ("lines", _lines(was), _lines(now)),
            ("address", was.address_id, now.address_id),
            ("delivery", was.delivery_option_id, now.delivery_option_id),
        )
        if old != new
    ]
    if now.currency != was.currency or now.totals.total_minor > was.totals.total_minor:
        old, new = was.totals.total_minor, now.totals.total_minor
        changes.append(_change("total", f"{old} {was.currency}", f"{new} {now.currency}"))
    return changes


def _unavailable(buyer_id: str, quoted: Quoted) -> attempt_pb2.Attempt:
    """No token can be made any more: nowhere to send it, nothing to pay with, or the offer is
    over."""
    blockers = list(quoted.quote.blockers)
    if NOT_DELIVERABLE in blockers:
        rejected = attempt_pb2.Rejected(
            code=outcome.REJECTED.REJECTED_CODE_NOT_DELIVERABLE,
            next_step=outcome.NEXT_STEP.NEXT_STEP_FIX_ADDRESS,
        )
        return outcome.refused(buyer_id, rejected)
    if blockers:
        names = [quote_pb2.Blocker.Name(blocker).removeprefix("BLOCKER_") for blocker in blockers]
        raise Fault("BLOCKED", metadata={"blockers": ",".join(names)})
    codes = {message.code for message in quoted.quote.messages}
    now = "not started" if "OFFER_NOT_STARTED" in codes else "ended"
    over = attempt_pb2.Change(field="availability", was="open", now=now)
    return outcome.changed(buyer_id, quoted.quote, [over])


def _as_quote_request(request: attempt_pb2.PlaceOrderRequest) -> quote_pb2.CreateQuoteRequest:
    """A tap without a token, as the quote it skipped: the fields have the same names in both."""
    asked = quote_pb2.CreateQuoteRequest(
        buyer_id=request.buyer_id,
        sku=request.sku,
        quantity=request.quantity,
        address_id=request.address_id,
        payment_method_id=request.payment_method_id,
        delivery_option_id=request.delivery_option_id,
        discount_codes=request.discount_codes,
        surface=request.surface,
        action_return_url=request.action_return_url,
    )
    if request.HasField("attribution"):
        asked.attribution.CopyFrom(request.attribution)
    if request.HasField("lines"):
        asked.lines.CopyFrom(request.lines)
    else:
        asked.offer_id = request.offer_id
    return asked


def _lines(claims: stored_pb2.QuoteClaims) -> str:
    return ", ".join(f"{line.quantity} x {line.sku}" for line in claims.lines)


def _change(field: str, was: str, now: str) -> attempt_pb2.Change:
    return attempt_pb2.Change(field=field, was=was, now=now)
