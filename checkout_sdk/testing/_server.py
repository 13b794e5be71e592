"""A real gRPC server on a loopback port, in this process, in front of the fake's handlers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]  # has no stubs

from checkout_sdk._rpcs import PACKAGE, Rpc
from checkout_sdk.testing._refusal import Refusal

AnyRpc = Rpc[Any, Any]
Handler = Callable[[Any], Message]
# What a stream shows now, and whether nothing can follow. None: nothing new.
Look = Callable[[Any], tuple[Message | None, bool]]

POLL_S = 0.02  # how soon a stream sees a change
THREADS = 32  # an open stream holds one


class FakeServer:
    """Runs handlers one at a time, as one database would. A call that is in neither `handlers` nor
    `looks` is answered UNIMPLEMENTED."""

    def __init__(self, handlers: Mapping[AnyRpc, Handler], looks: Mapping[AnyRpc, Look]) -> None:
        self.lock = threading.RLock()
        self._server = grpc.server(ThreadPoolExecutor(THREADS, thread_name_prefix="fake-checkout"))
        unary = grpc.unary_unary_rpc_method_handler
        stream = grpc.unary_stream_rpc_method_handler
        for rpc, handler in handlers.items():
            self._add(rpc, unary(self._unary(handler), *_codec(rpc)))
        for rpc, look in looks.items():
            self._add(rpc, stream(self._stream(look), *_codec(rpc)))
        port = self._server.add_insecure_port("127.0.0.1:0")
        self.target = f"127.0.0.1:{port}"
        self._server.start()

    def stop(self) -> None:
        self._server.stop(grace=None).wait()

    def _add(self, rpc: AnyRpc, handler: grpc.RpcMethodHandler[Any, Any]) -> None:
        service, _, method = rpc.name.partition("/")
        routes = grpc.method_handlers_generic_handler(f"{PACKAGE}.{service}", {method: handler})
        self._server.add_generic_rpc_handlers((routes,))

    def _unary(self, handler: Handler) -> Callable[[Any, grpc.ServicerContext], Message]:
        def answer(request: Any, context: grpc.ServicerContext) -> Message:
            try:
                with self.lock:
                    return handler(request)
            except Refusal as refusal:
                _abort(context, refusal)

        return answer

    def _stream(self, look: Look) -> Callable[[Any, grpc.ServicerContext], Iterator[Message]]:
        def answer(request: Any, context: grpc.ServicerContext) -> Iterator[Message]:
            shown: Message | None = None
            while context.is_active():
                try:
                    with self.lock:
                        message, is_last = look(request)
                except Refusal as refusal:
                    _abort(context, refusal)
                if message is not None and message != shown:
                    shown = message
                    yield message
                if is_last:
                    return
                time.sleep(POLL_S)

        return answer


def _codec(rpc: AnyRpc) -> tuple[Callable[[bytes], Any], Callable[[Any], bytes]]:
    return rpc.request.FromString, rpc.response.SerializeToString


def _abort(context: grpc.ServicerContext, refusal: Refusal) -> NoReturn:
    code = grpc.StatusCode[refusal.code]
    detail = any_pb2.Any()
    detail.Pack(error_details_pb2.ErrorInfo(reason=refusal.reason, domain="checkout.onetap.dev"))
    status = status_pb2.Status(code=code.value[0], message=refusal.text, details=[detail])
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(code, refusal.text)
