"""The code an app team writes. It must pass mypy --strict, and dropping a `case` must not."""

from __future__ import annotations

from typing import Any, assert_never

from checkout_sdk import (
    Accepted,
    ActionRequired,
    AsyncCheckout,
    Checkout,
    Money,
    NextStep,
    OfferChanged,
    Outcome,
    OutcomeUnknown,
    Placed,
    Rejected,
    Throttled,
    Unrecognized,
)

checkout = AsyncCheckout.from_env()


async def card(user: str, offer_id: str) -> dict[str, Any]:
    quote = await checkout.for_buyer(user).quote(offer_id=offer_id, video_id="v7", creator_id="c3")
    return quote.to_json()


async def tap(user: str, token: str, tap_key: str, seen: Money) -> dict[str, Any]:
    try:
        outcome = await checkout.for_buyer(user).place_order(
            token, expected_total=seen, idempotency_key=tap_key
        )
    except OutcomeUnknown as lost:  # it may have happened: the same key asks, never a new one
        return {"state": "checking", "tap_key": lost.idempotency_key}
    return view(outcome)


async def after(user: str, tap_key: str) -> dict[str, Any]:
    outcome = await checkout.for_buyer(user).ask(idempotency_key=tap_key)
    return view(outcome) if outcome else {"state": "not_seen"}


def view(outcome: Outcome) -> dict[str, Any]:
    match outcome:
        case Placed(order=order):
            return {"state": "placed", "order": order.order_id}
        case Accepted(ask_again_after=wait):  # never say "paid"
            return {"state": "confirming", "poll_s": wait.total_seconds()}
        case ActionRequired(challenge=challenge):
            return {"state": "challenge", "challenge": challenge}
        case OfferChanged(quote=quote, changes=changes):
            return {"state": "changed", "changes": changes, **quote.to_json()}
        case Rejected(next_step=NextStep.SHOW_EXISTING_ORDER, existing_order_id=order_id):
            return {"state": "placed", "order": order_id}
        case Rejected(code=code, next_step=step):
            return {"state": "rejected", "code": code, "next": step.name}
        case Throttled(retry_after=wait):  # the same key again, after the wait
            return {"state": "busy", "retry_s": wait.total_seconds()}
        case Unrecognized():  # ask again, never buy again
            return {"state": "checking"}
        case _:
            assert_never(outcome)


def script() -> Outcome:
    with Checkout.from_env() as sync:
        buyer = sync.for_buyer("buyer_demo")
        quote = buyer.quote(offer_id="off_demo_mug")
        return buyer.place_order(quote.quote_token, expected_total=quote.total)
