"""Where saved payment methods are kept; the body is a PaymentMethodRecord."""

from __future__ import annotations

from checkout_server.database import Tx
from checkout_server.saved_list import Owner, Saved, SavedList, saved_of

METHODS = SavedList("payment_method", "payment_method_id", "provider_reference")
BY_REFERENCE = f"{METHODS.entries} AND provider_reference = :provider_reference"


async def by_reference(tx: Tx, owner: Owner, provider_reference: str) -> Saved | None:
    """What this buyer has saved by that reference, looked for in the buyer's turn: of two saves at
    once, the second finds the first."""
    await METHODS.turn(tx, owner)
    rows = await tx.fetch(BY_REFERENCE, **owner.columns, provider_reference=provider_reference)
    return saved_of(rows[0]) if rows else None
