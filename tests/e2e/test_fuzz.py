"""Requests that nobody thought of: whatever is sent, the answer is one that a client can act on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from copy import deepcopy
from functools import partial

import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from grpc import StatusCode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from checkout_server.contract import Rpc
from tests.e2e.processes import ServerProcess
from tests.e2e.samples import SAMPLES
from tests.e2e.shop import PLATFORM, SELLER, SKU, shop_at
from tests.e2e.wire import RPC_OF, SERVED, Answer, Wire

UNARY = [rpc for rpc in SERVED if not rpc.streams]
...
