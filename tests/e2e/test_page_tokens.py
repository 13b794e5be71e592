"""A page token is no secret: one that is made up is refused, and breaks nothing."""

from __future__ import annotations

from base64 import urlsafe_b64encode

import pytest
from google.protobuf.message import Message
from grpc import StatusCode

from checkout_sdk._pb.address_pb2 import ListAddressesRequest
from checkout_sdk._pb.item_pb2 import ListItemsRequest
from checkout_sdk._pb.offer_pb2 import ListOffersRequest
from checkout_sdk._pb.order_pb2 import ListOrdersRequest
from checkout_server import ids
from checkout_server.paging import _check
from tests.e2e.shop import PLATFORM, SELLER
from tests.e2e.wire import RPC_OF, Wire

TAG = ids.tag(PLATFORM, SELLER)
LISTS = [
    (ListOrdersRequest(buyer_id="ann"), "\0".join(("orders", PLATFORM, "", "ann"))),
    (ListOffersRequest(merchant_id=SELLER), f"offers {TAG}"),
    (ListItemsRequest(merchant_id=SELLER), f"items {TAG}"),
    (ListAddressesRequest(buyer_id="ann"), "\0".join(("address", PLATFORM, "ann"))),
]
POSITIONS = (b"x", b"x\0y", b"\xff\0y", b"99999999999999999999999\0y", b"1\0b\0c", b"")


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize(
    ("request_", "listing"), LISTS, ids=[type(one).__name__ for one, _ in LISTS]
)
async def test_a_made_up_position_breaks_nothing(
    wire: Wire, request_: Message, listing: str, position: bytes
):
    forged = urlsafe_b64encode(_check(listing, position) + position).rstrip(b"=").decode()
    request = type(request_)(page_token=forged)
    request.MergeFrom(request_)
    answer = await wire.ask(RPC_OF[type(request_)], request.SerializeToString())
    assert answer.is_told_by_us
    assert answer.code in (StatusCode.OK, StatusCode.INVALID_ARGUMENT)
