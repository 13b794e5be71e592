"""Where saved addresses are kept; the body is an AddressRecord."""

from __future__ import annotations

from checkout_server.saved_list import SavedList

ADDRESSES = SavedList("address", "address_id")
