"""Putting what is there already is no change: version and update time stay."""

from __future__ import annotations

from typing import TypeVar

from checkout_sdk._pb.item_pb2 import Item
from checkout_sdk._pb.merchant_pb2 import Merchant

V = TypeVar("V", Merchant, Item)


def next_version(before: V, wished: V) -> V:
    """`before` itself unless a field of the caller's differs; else `wished`, one version on."""
    after = type(wished)()
    after.CopyFrom(wished)
    after.version = before.version
    after.update_time.CopyFrom(before.update_time)
    if after == before:
        return before
    after.version += 1
    after.update_time.CopyFrom(wished.update_time)
    return after
