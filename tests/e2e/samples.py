"""One request of every kind, as the rules want it, with every part set that may be set beside the
others: a rule about a part that is not there would have no counterexample."""

from __future__ import annotations

from collections.abc import Mapping

from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from checkout_sdk._pb import (
    address_pb2,
    attempt_pb2,
    item_pb2,
    merchant_pb2,
    offer_pb2,
    order_pb2,
    quote_pb2,
    wallet_pb2,
)
from checkout_sdk._pb.money_pb2 import Money
from checkout_server import ids

# Well formed, and of nothing.
TAG = ids.tag("nobody", "nothing")
OFFER, ATTEMPT, ORDER, ADDRESS, METHOD = (
    f"{prefix}_{TAG}{'0' * ids.RANDOM_LENGTH}" for prefix in ("off", "att", "ord", "adr", "pmt")
)
PRICE = Money(amount_minor=1_500, currency="USD")
SOON = Timestamp(seconds=4_000_000_000)
HOME = address_pb2.PostalAddress(
    name="Ann Lee",
    country="US",
    region="CA",
    city="San Francisco",
    postal_code="94103",
    lines=["1 Market St"],
    phone="+14155550123",
)
SHOWN = quote_pb2.Attribution(video_id="v", creator_id="c", card_id="k", experiment_arm="a")
JOURNEY = quote_pb2.Journey(journey_id="j", steps=1, elapsed=Duration(seconds=3))
LINES = quote_pb2.LineSource(merchant_id="mugs", lines=[quote_pb2.Line(sku="mug", quantity=1)])
OFFERED = offer_pb2.Offer(
    merchant_id="mugs",
    title="A mug",
    skus=["mug"],
    price=PRICE,
    quota=10,
    cap_per_buyer=2,
    quantities=[1, 2],
    starts_at=Timestamp(seconds=1),
    ends_at=SOON,
    video_id="v",
    creator_id="c",
    create_time=SOON,
    update_time=SOON,
)
NAMED = offer_pb2.Offer()
NAMED.MergeFrom(OFFERED)
NAMED.offer_id = OFFER
QUOTE = quote_pb2.CreateQuoteRequest(
    buyer_id="ann",
    lines=LINES,
    discount_codes=["TEN"],
    attribution=SHOWN,
    surface=quote_pb2.SURFACE_WEB,
    action_return_url="https://example.com/back",
    journey=JOURNEY,
)

SAMPLES: Mapping[type[Message], Message] = {
    type(sample): sample
    for sample in (
        address_pb2.SaveAddressRequest(request_id="r", buyer_id="ann", address=HOME),
        address_pb2.ListAddressesRequest(buyer_id="ann", page_size=10),
        address_pb2.SetDefaultAddressRequest(buyer_id="ann", address_id=ADDRESS),
        address_pb2.DeleteAddressRequest(buyer_id="ann", address_id=ADDRESS),
        attempt_pb2.PlaceOrderRequest(
            idempotency_key="the-tap-of-ann",
            buyer_id="ann",
            lines=LINES,
            expected_total=PRICE,
            discount_codes=["TEN"],
            journey=JOURNEY,
            consents=[attempt_pb2.Consent(name="terms", version="1")],
            risk=attempt_pb2.Risk(device_id="d", ip_address="::1", user_agent="u"),
            accepts_outcomes=["placed"],
            new_address=attempt_pb2.NewAddress(address=HOME),
            new_payment=attempt_pb2.NewPayment(provider_token="pm_card_visa"),
            contact=attempt_pb2.Contact(email="ann@example.com"),
            attribution=SHOWN,
            surface=quote_pb2.SURFACE_WEB,
            action_return_url="https://example.com/back",
            metadata={"a": "b"},
        ),
        attempt_pb2.GetAttemptRequest(attempt_id=ATTEMPT, buyer_id="ann"),
        attempt_pb2.WatchAttemptRequest(attempt_id=ATTEMPT),
        attempt_pb2.CompleteActionRequest(attempt_id=ATTEMPT),
        attempt_pb2.CancelAttemptRequest(attempt_id=ATTEMPT),
        item_pb2.PutItemsRequest(
            merchant_id="mugs",
            items=[
                item_pb2.Item(
                    sku="mug",
                    title="A mug",
                    price=PRICE,
                    image_url="https://example.com/mug.png",
                    attributes={"size": "M"},
                    update_time=SOON,
                )
            ],
        ),
        item_pb2.GetItemRequest(merchant_id="mugs", sku="mug"),
        item_pb2.ListItemsRequest(merchant_id="mugs", page_size=10),
        item_pb2.SetStockRequest(merchant_id="mugs", sku="mug", on_hand=10),
        item_pb2.AdjustStockRequest(request_id="r", merchant_id="mugs", sku="mug", delta=1),
        merchant_pb2.PutMerchantRequest(
            merchant=merchant_pb2.Merchant(
                merchant_id="mugs",
                display_name="Mugs",
                country="US",
                currency="USD",
                action_return_url="https://example.com/back",
                cancellable_for=Duration(seconds=60),
                update_time=SOON,
            )
        ),
        merchant_pb2.PutDeliveryOptionsRequest(
            merchant_id="mugs",
            delivery_options=[
                merchant_pb2.DeliveryOption(
                    delivery_option_id="post", name="Post", price=PRICE, countries=["US"]
                )
            ],
        ),
        merchant_pb2.PutTaxTableRequest(
            merchant_id="mugs", rates=[merchant_pb2.TaxRate(country="US", rate_ppm=72_500)]
        ),
        merchant_pb2.PutDiscountCodeRequest(
            merchant_id="mugs",
            discount_code=merchant_pb2.DiscountCode(
                code="TEN", amount=PRICE, minimum_items=PRICE, starts_at=SOON, ends_at=SOON
            ),
        ),
        offer_pb2.CreateOfferRequest(request_id="r", offer=OFFERED),
        offer_pb2.UpdateOfferRequest(offer=NAMED, update_mask=FieldMask(paths=["title"])),
        offer_pb2.EndOfferRequest(offer_id=OFFER),
        offer_pb2.GetOfferRequest(offer_id=OFFER),
        offer_pb2.ListOffersRequest(merchant_id="mugs"),
        order_pb2.GetOrderRequest(order_id=ORDER),
        order_pb2.ListOrdersRequest(buyer_id="ann"),
        order_pb2.WatchOrderRequest(order_id=ORDER),
        order_pb2.CancelOrderRequest(order_id=ORDER, reason="changed my mind"),
        QUOTE,
        quote_pb2.BatchCreateQuotesRequest(requests=[QUOTE]),
        quote_pb2.WatchOffersRequest(offer_ids=[OFFER]),
        wallet_pb2.SavePaymentMethodRequest(
            request_id="r", buyer_id="ann", provider_reference="pm_card_visa"
        ),
        wallet_pb2.ListPaymentMethodsRequest(buyer_id="ann"),
        wallet_pb2.SetDefaultPaymentMethodRequest(buyer_id="ann", payment_method_id=METHOD),
        wallet_pb2.DeletePaymentMethodRequest(buyer_id="ann", payment_method_id=METHOD),
    )
}
