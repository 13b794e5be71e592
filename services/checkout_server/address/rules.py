"""What requests of the address room must look like. What an address needs in its country is in
normalise.py."""

from __future__ import annotations

from checkout_sdk._pb.address_pb2 import (
    DeleteAddressRequest,
    ListAddressesRequest,
    SaveAddressRequest,
    SetDefaultAddressRequest,
)
from checkout_server._pb.lookup_pb2 import LookupAddressRequest
from checkout_server.validation import (
    Rules,
    buyer,
    each_text,
    id_of,
    nested,
    page,
    request_id,
    required,
    text,
)

COUNTRY = "must be an ISO 3166-1 code of two capital letters, like US"
POSTAL_ADDRESS = (
    text("name", minimum=1, maximum=100),
    text("country", minimum=2, maximum=2, pattern="[A-Z]{2}", describe=COUNTRY),
    text("region", maximum=80),
    text("city", maximum=80),
    text("district", maximum=80),
    text("postal_code", maximum=20),
    each_text("lines", maximum=120, at_least=1, at_most=3),
    text("phone", maximum=32),
)

RULES: Rules = {
    SaveAddressRequest: (
        request_id(),
        buyer(),
        required("address"),
        nested("address", POSTAL_ADDRESS),
    ),
    ListAddressesRequest: (buyer(), page()),
    SetDefaultAddressRequest: (buyer(), id_of("address_id", "adr")),
    DeleteAddressRequest: (buyer(), id_of("address_id", "adr")),
    LookupAddressRequest: (
        text("platform_id", minimum=1, maximum=128),
        text("buyer_id", minimum=1, maximum=128),
        id_of("address_id", "adr", required=False),
    ),
}
