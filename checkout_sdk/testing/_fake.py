"""`FakeCheckout`: the fake as a test sees it."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from checkout_sdk import _rpcs
from checkout_sdk._pb import attempt_pb2, order_pb2, quote_pb2
from checkout_sdk.money import Money
from checkout_sdk.testing._offers import FakeOffer, Offers
from checkout_sdk.testing._people import People
from checkout_sdk.testing._refusal import Refusal
from checkout_sdk.testing._server import FakeServer
from checkout_sdk.testing._taps import Ending, OutcomeName, Taps

DEMO_OFFER = "off_demo_mug"


class FakeCheckout:
    """A checkout service for tests: in memory, in this process, behind a real gRPC port.

    Point a client at `target` (any token will do), or use the `fake_checkout` fixture, which also
    sets CHECKOUT_TARGET and CHECKOUT_TOKEN. It has the offer `off_demo_mug`; `add_offer` makes
    more. Every buyer has an address and a card that pays. What a charge comes to is decided by the
    payment method (saved under the sandbox's references, `pm_card_chargeDeclined` and the like) or
    by `next_outcome`.

    It is no second service: no tokens are checked, prices have no delivery, tax or discount, and
    carts, bare lines and the sellers' calls are not there. For those run `checkout-server dev`.
    """

    def __init__(self) -> None:
        self._people = People()
        self._offers = Offers(self._people)
        self._taps = Taps(self._offers)
        self._lost: list[bool] = []
        self.add_offer(DEMO_OFFER, title="Demo mug", price=Money(1250, "USD"), stock=100)
        self._server = self._serve()
        self.target = self._server.target
        """Where it listens: host:port."""

    def add_offer(
        self,
        offer_id: str,
        *,
        title: str = "Something",
        price: Money,
        stock: int = 100,
        merchant_id: str = "demo",
    ) -> None:
        """An offer of one item; replaces the one of that id."""
        self._offers.by_id[offer_id] = FakeOffer(offer_id, title, price, stock, merchant_id)

    def set_price(self, offer_id: str, price: Money) -> None:
        """A higher price than the quote's makes the next tap `OfferChanged`."""
        with self._server.lock:
            self._offers.find(offer_id).price = price

    def next_outcome(self, *names: OutcomeName) -> None:
        """What the next taps come to, one after the other; after them the payment method
        decides."""
        self._taps.scripted.extend(names)

    def lose_next_answer(self, *, after_effect: bool, times: int = 1) -> None:
        """The next taps are answered UNAVAILABLE, as when the network breaks: `after_effect` when
        the order was already placed, otherwise before anything was done."""
        self._lost.extend([after_effect] * times)

    def settle(self, ending: Ending = "placed") -> None:
        """Decides all open attempts, as the bank or the provider would."""
        with self._server.lock:
            for attempt in self._taps.attempts.values():
                self._taps.settle(attempt, ending)

    def orders_of(self, buyer_id: str) -> int:
        """How many orders the buyer has that were not cancelled."""
        with self._server.lock:
            return sum(
                order.buyer_id == buyer_id and order.state == order_pb2.ORDER_STATE_PLACED
                for order in self._taps.orders.values()
            )

    def close(self) -> None:
        self._server.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _serve(self) -> FakeServer:
        people, offers, taps = self._people, self._offers, self._taps
        return FakeServer(
            {
                _rpcs.CREATE_QUOTE: offers.create_quote,
                _rpcs.BATCH_CREATE_QUOTES: offers.batch_create_quotes,
                _rpcs.PLACE_ORDER: self._place_order,
                _rpcs.GET_ATTEMPT: taps.get_attempt,
                _rpcs.COMPLETE_ACTION: taps.complete_action,
                _rpcs.CANCEL_ATTEMPT: taps.cancel_attempt,
                _rpcs.GET_ORDER: taps.get_order,
                _rpcs.LIST_ORDERS: taps.list_orders,
                _rpcs.CANCEL_ORDER: taps.cancel_order,
                _rpcs.SAVE_ADDRESS: people.save_address,
                _rpcs.LIST_ADDRESSES: people.list_addresses,
                _rpcs.SET_DEFAULT_ADDRESS: people.set_default_address,
                _rpcs.DELETE_ADDRESS: people.delete_address,
                _rpcs.SAVE_PAYMENT_METHOD: people.save_payment_method,
                _rpcs.LIST_PAYMENT_METHODS: people.list_payment_methods,
                _rpcs.SET_DEFAULT_PAYMENT_METHOD: people.set_default_payment_method,
                _rpcs.DELETE_PAYMENT_METHOD: people.delete_payment_method,
            },
            {
                _rpcs.WATCH_ATTEMPT: self._watch_attempt,
                _rpcs.WATCH_OFFERS: self._watch_offers,
                _rpcs.WATCH_ORDER: self._watch_order,
            },
        )

    def _place_order(
        self, request: attempt_pb2.PlaceOrderRequest
    ) -> attempt_pb2.PlaceOrderResponse:
        after_effect = self._lost.pop(0) if self._lost else None
        if after_effect is None:
            return self._taps.place_order(request)
        if after_effect:
            self._taps.place_order(request)
        raise Refusal("UNAVAILABLE", "STORAGE_UNAVAILABLE", "The connection broke.")

    def _watch_attempt(
        self, request: attempt_pb2.WatchAttemptRequest
    ) -> tuple[attempt_pb2.WatchAttemptResponse | None, bool]:
        attempt = self._taps.find(request.attempt_id)
        is_new = attempt.shown.version > request.after_version
        shown = attempt_pb2.WatchAttemptResponse(attempt=attempt.shown) if is_new else None
        return shown, not attempt.is_open

    def _watch_order(
        self, request: order_pb2.WatchOrderRequest
    ) -> tuple[order_pb2.WatchOrderResponse | None, bool]:
        order = self._taps.order(request.order_id)
        is_new = order.version > request.after_version
        shown = order_pb2.WatchOrderResponse(order=order) if is_new else None
        return shown, order.state == order_pb2.ORDER_STATE_CANCELLED

    def _watch_offers(
        self, request: quote_pb2.WatchOffersRequest
    ) -> tuple[quote_pb2.WatchOffersResponse, bool]:
        statuses = [self._offers.status(offer_id) for offer_id in request.offer_ids]
        return quote_pb2.WatchOffersResponse(offers=statuses), False
