"""Milliseconds of service time inside, Timestamp and Duration at the edge."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp


def timestamp(at_ms: int) -> Timestamp:
    return Timestamp(seconds=at_ms // 1000, nanos=at_ms % 1000 * 1_000_000)


def duration(length_ms: int) -> Duration:
    return Duration(seconds=length_ms // 1000, nanos=length_ms % 1000 * 1_000_000)


def timestamp_ms(at: Timestamp) -> int:
    return at.seconds * 1000 + at.nanos // 1_000_000


def duration_ms(length: Duration) -> int:
    return length.seconds * 1000 + length.nanos // 1_000_000
