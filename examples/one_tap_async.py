"""The first tap, async. `checkout-server dev` prints what to export."""

import asyncio
import os

from checkout_sdk import AsyncCheckout, Placed


async def main() -> None:
    async with AsyncCheckout.from_env() as checkout:
        buyer = checkout.for_buyer(os.environ["CHECKOUT_DEMO_BUYER"])
        quote = await buyer.quote(offer_id=os.environ["CHECKOUT_DEMO_OFFER"])
        print(f"{quote.lines[0].title}: {quote.total}, delivered")
        outcome = await buyer.place_order(quote)
        print(outcome.order.order_id if isinstance(outcome, Placed) else outcome)


asyncio.run(main())
