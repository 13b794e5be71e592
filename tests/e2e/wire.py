"""Calls as bytes: any method by its path, with any token, and all of what comes back."""

from __future__ import annotations

from dataclasses import dataclass

import grpc
from google.rpc import error_details_pb2, status_pb2
from grpc import StatusCode
from grpc.aio import AioRpcError

from checkout_server import contract, wiring
from checkout_server.contract import Rpc
from checkout_server.faults import TABLE

PATIENCE_S = 30.0
REQUEST_ID = "of-the-test"
RPCS = [rpc for rpc in contract.rpcs({}) if rpc.name.startswith(f"{wiring.PUBLIC}.")]
# The others come with a later release, and so do their rules.
SERVED = [rpc for rpc in RPCS if rpc.request_type in wiring.RULES]
RPC_OF = {rpc.request_type: rpc for rpc in SERVED}
TEXTS = frozenset(text for _, text in TABLE.values())


@dataclass(frozen=True, slots=True)
class Answer:
    code: StatusCode
    data: bytes = b""
    text: str = ""
    # google.rpc.Status as it travelled; empty where gRPC itself refused.
    details: bytes = b""

    @property
    def reason(self) -> str:
        return self._unpacked(error_details_pb2.ErrorInfo()).reason

    @property
    def fields(self) -> list[str]:
        """Those that are not valid."""
        bad = self._unpacked(error_details_pb2.BadRequest())
        return [violation.field for violation in bad.field_violations]

    @property
    def is_told_by_us(self) -> bool:
        """OK, or one of the fixed texts with its details: nothing of any exception."""
        if self.code is StatusCode.OK:
            return True
        return self.text in TEXTS and TABLE[self.reason] == (self.code, self.text)

    def _unpacked(self, kind):
        for detail in status_pb2.Status.FromString(self.details).details:
            if detail.Unpack(kind):
                break
        return kind


class Wire:
    def __init__(self, channel: grpc.aio.Channel, token: str) -> None:
        self._channel = channel
        self._metadata = (("authorization", f"Bearer {token}"), ("x-request-id", REQUEST_ID))

    async def ask(self, rpc: Rpc, data: bytes, *more: tuple[str, str]) -> Answer:
        """The answer; a stream's first."""
        metadata = self._metadata + more
        try:
            if not rpc.streams:
                unary = self._channel.unary_unary(f"/{rpc.name}")
                return Answer(
                    StatusCode.OK, await unary(data, metadata=metadata, timeout=PATIENCE_S)
                )
            stream = self._channel.unary_stream(f"/{rpc.name}")(
                data, metadata=metadata, timeout=PATIENCE_S
            )
            first = await stream.read()
            stream.cancel()
            return Answer(StatusCode.OK, first)
        except AioRpcError as error:
            trailing = dict(error.trailing_metadata() or ())
            details = trailing.get("grpc-status-details-bin", b"")
            return Answer(error.code(), text=error.details() or "", details=details)
