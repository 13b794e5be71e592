"""The first tap. `checkout-server dev` prints what to export."""

import os

from checkout_sdk import Checkout, Placed

with Checkout.from_env() as checkout:
    buyer = checkout.for_buyer(os.environ["CHECKOUT_DEMO_BUYER"])
    quote = buyer.quote(offer_id=os.environ["CHECKOUT_DEMO_OFFER"])
    print(f"{quote.lines[0].title}: {quote.total}, delivered")
    outcome = buyer.place_order(quote)
    print(outcome.order.order_id if isinstance(outcome, Placed) else outcome)
