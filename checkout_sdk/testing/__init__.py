"""For app teams' tests, and ours: a checkout service that needs no server.

    pytest_plugins = ["checkout_sdk.testing"]        # in conftest.py: the fixture `fake_checkout`

    def test_a_lost_answer_does_not_buy_twice(fake_checkout):
        fake_checkout.lose_next_answer(after_effect=True)
        ...
        assert fake_checkout.orders_of("u_42") == 1

Without pytest: `with FakeCheckout() as fake: Checkout(target=fake.target, token="test")`.
"""

from __future__ import annotations

from contextlib import suppress

from checkout_sdk.testing._fake import DEMO_OFFER, FakeCheckout

__all__ = ["DEMO_OFFER", "FakeCheckout"]

# The SDK does not depend on pytest: without it only the fixture is missing.
with suppress(ImportError):
    from checkout_sdk.testing._fixture import fake_checkout as fake_checkout
