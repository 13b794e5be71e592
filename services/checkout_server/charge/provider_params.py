"""What goes to the provider for a create: a pure function of the request that T1 wrote.

The provider compares the parameters of a key byte for byte, and a retry may come from another
process, after a deploy. So a renderer, once a release has sent its output, never changes: a change
is a new version beside the old one, which stays for 24 h after its last use. T1 writes its
number into the row (checkout/reserve.py). Tests hold each one's bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

from checkout_sdk._pb import merchant_pb2
from checkout_server._pb.charge_pb2 import AuthorizeRequest

Params = Mapping[str, Any]

LATEST = 1
CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


def render(request: AuthorizeRequest) -> Params:
    return RENDERERS[request.params_version](request)


def fingerprint(params: Params) -> bytes:
    """The same for the same parameters, in whatever order they were given."""
    return sha256(CANONICAL.encode(params).encode()).digest()


def _version_1(request: AuthorizeRequest) -> Params:
    manual = request.capture_mode == merchant_pb2.CAPTURE_MODE_MANUAL
    params: dict[str, Any] = {
        "amount": request.amount.amount_minor,
        "currency": request.amount.currency.lower(),
        "capture_method": "manual" if manual else "automatic",
        "confirm": not request.tombstone,
        "payment_method": request.provider_reference,
        # Ours, for events and for people. Nothing of the buyer's: metadata is no place for that.
        "metadata": {"merchant": request.merchant_id, "attempt": request.attempt_id},
    }
    if request.provider_customer:
        params["customer"] = request.provider_customer
    # Only a confirm takes one.
    if request.return_url and not request.tombstone:
        params["return_url"] = request.return_url
    return params


RENDERERS: Mapping[int, Callable[[AuthorizeRequest], Params]] = {1: _version_1}
