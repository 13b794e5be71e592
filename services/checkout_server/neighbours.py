"""Address, wallet and charge: checkout knows them by their stubs only.

In one process they answer on a local channel; an all-in-one never dials itself. The channel runs
their handlers in tasks of their own, so that cancelling an RPC never reaches a provider call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from checkout_server._pb import charge_pb2_grpc, lookup_pb2_grpc
from checkout_server.address import rules as address_rules
from checkout_server.address.service import Addresses
from checkout_server.call import Caller
from checkout_server.charge import rules as charge_rules
from checkout_server.charge import sandbox_methods
from checkout_server.charge.sandbox import Sandbox
from checkout_server.charge.service import Charges
from checkout_server.contract import Services
from checkout_server.database import Database
from checkout_server.database.clock import ServiceClock
from checkout_server.faults import Fault
from checkout_server.handlers import Handlers
from checkout_server.local_channel import LocalChannel
from checkout_server.settings import Settings
from checkout_server.wallet import rules as wallet_rules
from checkout_server.wallet.describe import describe_by
from checkout_server.wallet.service import Wallet

PUBLIC = "onetap.checkout.v1"
INTERNAL = "onetap.internal.v1"
# In this process a neighbour's door is opened by being here; the scope is what counts.
OURSELVES = Caller(platform="", scopes=frozenset({"service"}))


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What checkout knows of the services beside it: their stubs, and what to close at the end."""

    addresses: lookup_pb2_grpc.AddressLookupServiceAsyncStub
    wallet: lookup_pb2_grpc.WalletLookupServiceAsyncStub
    charges: charge_pb2_grpc.ChargeServiceAsyncStub
    charge_service: Charges
    public: Services


def in_this_process(
    settings: Settings, clock: ServiceClock, address_db: Database, payment_db: Database
) -> Neighbours:
    """All three here, behind one local channel."""
    addresses = Addresses(address_db, clock)
    wallet = Wallet(payment_db, clock, describe_by(sandbox_methods.find))
    book = settings.sandbox_file or settings.data_folder / "sandbox.db"
    charges = Charges(Sandbox(str(book), clock), clock)
    inside = Handlers(
        {
            f"{INTERNAL}.AddressLookupService": {"LookupAddress": addresses.lookup_address},
            f"{INTERNAL}.WalletLookupService": {
                "LookupPaymentMethod": wallet.lookup_payment_method
            },
            f"{INTERNAL}.ChargeService": {
                "Authorize": charges.authorize,
                "Capture": charges.capture,
                "Void": charges.void,
                "Refund": charges.refund,
                "Retrieve": charges.retrieve,
            },
        },
        rules={**address_rules.RULES, **charge_rules.RULES, **wallet_rules.RULES},
        identify=_nobody,
    )
    channel = LocalChannel(inside, caller=OURSELVES)
    return Neighbours(
        # On an asyncio channel a stub is what its type calls the async stub, which exists for type
        # checkers only.
        addresses=cast(
            "lookup_pb2_grpc.AddressLookupServiceAsyncStub",
            lookup_pb2_grpc.AddressLookupServiceStub(channel),
        ),
        wallet=cast(
            "lookup_pb2_grpc.WalletLookupServiceAsyncStub",
            lookup_pb2_grpc.WalletLookupServiceStub(channel),
        ),
        charges=cast(
            "charge_pb2_grpc.ChargeServiceAsyncStub", charge_pb2_grpc.ChargeServiceStub(channel)
        ),
        charge_service=charges,
        public={
            f"{PUBLIC}.AddressService": {
                "SaveAddress": addresses.save_address,
                "ListAddresses": addresses.list_addresses,
                "SetDefaultAddress": addresses.set_default_address,
                "DeleteAddress": addresses.delete_address,
            },
            f"{PUBLIC}.WalletService": {
                "SavePaymentMethod": wallet.save_payment_method,
                "ListPaymentMethods": wallet.list_payment_methods,
                "SetDefaultPaymentMethod": wallet.set_default_payment_method,
                "DeletePaymentMethod": wallet.delete_payment_method,
            },
        },
    )


def _nobody(_token: str) -> Caller:
    raise Fault("UNAUTHENTICATED")
