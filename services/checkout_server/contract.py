"""The RPCs of our protos, each with who may call it and the method that answers it here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from checkout_sdk._pb import (
    address_pb2,
    cart_pb2,
    checkout_pb2,
    event_pb2,
    funnel_pb2,
    item_pb2,
    merchant_pb2,
    offer_pb2,
    order_pb2,
    wallet_pb2,
)
from checkout_server import scopes
from checkout_server._pb import charge_pb2, lookup_pb2
from checkout_server.call import Call

# A method of a service: a coroutine function, or an async generator function where the RPC streams.
Method = Callable[[Any, Call], Any]
Services = Mapping[str, Mapping[str, Method]]

PROTOS = (
    address_pb2,
    cart_pb2,
    checkout_pb2,
    event_pb2,
    funnel_pb2,
    item_pb2,
    merchant_pb2,
    offer_pb2,
    order_pb2,
    wallet_pb2,
    charge_pb2,
    lookup_pb2,
)
DESCRIPTORS: Mapping[str, ServiceDescriptor] = {
    service.full_name: service
    for proto in PROTOS
    for service in proto.DESCRIPTOR.services_by_name.values()
}


@dataclass(frozen=True, slots=True)
class Rpc:
    # "onetap.checkout.v1.CheckoutService/PlaceOrder"
    name: str
    request_type: type[Message]
    streams: bool
    access: scopes.Access
    # None: in the contract, not in this process.
    method: Method | None


def rpcs(services: Services) -> Iterator[Rpc]:
    """Every RPC of the public contract, and those internal services that have methods here: whether
    our neighbours live in this process is nobody's business outside."""
    _refuse_unknown("service", services.keys() - DESCRIPTORS.keys())
    for name, service in DESCRIPTORS.items():
        methods = services.get(name, {})
        _refuse_unknown(f"RPC in {name}", methods.keys() - service.methods_by_name.keys())
        if methods or name.startswith(f"{scopes.PUBLIC}."):
            for rpc in service.methods:
                yield _rpc(rpc, f"{name}/{rpc.name}", methods.get(rpc.name))


def _rpc(descriptor: MethodDescriptor, name: str, method: Method | None) -> Rpc:
    return Rpc(
        name=name,
        request_type=GetMessageClass(descriptor.input_type),
        streams=descriptor.server_streaming,
        access=scopes.ACCESS[name],
        method=method,
    )


def _refuse_unknown(what: str, names: set[str]) -> None:
    if names:
        raise ValueError(f"no such {what}: {', '.join(sorted(names))}")
