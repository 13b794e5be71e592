"""A client that knows an address and a token, and nothing of ours: no stub, no proto."""

from __future__ import annotations

from typing import Any

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from tests.e2e.conftest import Served
from tests.e2e.shop import PLATFORM, shop_at

CHECKOUT = "onetap.checkout.v1.CheckoutService"


class GenericClient:
    """Everything it knows of the messages it has from the server, in a pool of its own."""

    def __init__(self, channel: grpc.Channel, token: str) -> None:
        self._channel = channel
        self._metadata = (("authorization", f"Bearer {token}"),)
        self._reflected = ProtoReflectionDescriptorDatabase(channel)
        self._pool = DescriptorPool(self._reflected)

    def services(self) -> list[str]:
        return list(self._reflected.get_services())

    def call(self, service: str, method: str, **fields: Any) -> Any:
        rpc = self._pool.FindServiceByName(service).methods_by_name[method]
        request = GetMessageClass(rpc.input_type)(**fields)
        unary = self._channel.unary_unary(
            f"/{service}/{method}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=GetMessageClass(rpc.output_type).FromString,
        )
        return unary(request, metadata=self._metadata, timeout=30)


async def test_a_generic_client_buys_with_what_the_server_tells_of_itself(served: Served):
    async with shop_at(served.server, served.offer_id) as shop:
        await shop.sign_up("generic")
    token = served.server.issuer.mint(PLATFORM, "buyer", buyer="generic")
    with grpc.insecure_channel(served.server.target) as channel:
        client = GenericClient(channel, token)
        assert CHECKOUT in client.services()
        quote = client.call(CHECKOUT, "CreateQuote", offer_id=served.offer_id).quote
        answer = client.call(CHECKOUT, "PlaceOrder", quote_token=quote.quote_token)
    assert answer.attempt.WhichOneof("outcome") == "placed"
    assert answer.attempt.placed.order.totals == quote.totals
