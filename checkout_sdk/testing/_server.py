"""A real gRPC server on a loopback port, in this process, in front of the fake's handlers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]

from checkout_sdk.testing._refusal import Refusal

Handler = Callable[[Any], Message]
Follower = Callable[[Any], Iterator[Message]]
# How soon a stream sees a change.
POLL_S = 0.02
# Streams hold a thread each while they are open.
THREADS = 32


class FakeServer:
    """Runs handlers one at a time, as one database would. `.target` is where it listens."""

    def __init__(self, services: Mapping[ServiceDescriptor, Mapping[str, Handler]], followers: Mapping[str, Callable[[Any, Callable[[], bool]], Iterator[Message]]]) -> None: ...
