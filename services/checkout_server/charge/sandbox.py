"""The sandbox gateway: a provider to develop, demonstrate and crash against, without a network.

It keeps Stripe's rules about keys, because they are what makes a retry safe or not:

- A key belongs to one account, one operation and one set of parameters. With others it is KEY_USED,
  and nothing happens.
- The answer of a request that did something is stored for 24 h and given again (`replayed`); after
  that the key is as good as new and **charges again**. A request that was turned away (409, 429, a
  fault before the work, parameters that cannot be right) leaves the key unused.
- While a request is at work, another one with its key is BUSY.
- What comes of a charge, and the ids, are a function of key and parameters: the same after any
  crash. The work is done when the request arrives; latency and lost answers come after it.

A stored fault (pm_sandbox_error_500_stored) is the worst one there is: the charge went through, and
the key says 500 whoever asks. POSTing it again ends as STUCK; a tombstone under it is KEY_USED, for
the key was used; nobody was told the intent's id. Only the book knows, as only Stripe's dashboard
would, and a person has to look.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import NamedTuple

from checkout_server._pb import charge_pb2
from checkout_server._pb.charge_pb2 import (
    AuthorizeRequest,
    AuthorizeResponse,
    CaptureRequest,
    CaptureResponse,
    Charge,
    RefundRequest,
    RefundResponse,
    RetrieveRequest,
    RetrieveResponse,
    VoidRequest,
    VoidResponse,
)
from checkout_server.charge import provider_params, sandbox_intents, sandbox_methods
from checkout_server.charge.gateway import STUCK_AFTER_REPLAYS, Answer, unknown
from checkout_server.charge.sandbox_book import Book, Line, UsedKey
from checkout_server.charge.sandbox_methods import Hiccup
from checkout_server.database.clock import ServiceClock
from checkout_server.faults import Fault

# Stripe prunes keys once they are at least this old.
KEY_LIFE_MS = 24 * 3600 * 1000


class Post(NamedTuple):
    """A request that may move money. Its key stands for its operation and its fingerprint."""

    operation: str
    account: str
    key: str
    fingerprint: bytes
    intent_id: str = ""
    attempt_id: str = ""


class Sandbox:
    def __init__(
        self,
        path: str,
        clock: ServiceClock,
        *,
        latency_ms: float | Callable[[], float] = 0.0,
        timeout_ms: float = 0.0,
    ) -> None:
        """`latency_ms` is the network's, for each request anew when it is a function. `timeout_ms`
        is how long the caller of a lost answer has waited for it."""
        self.book = Book(path)
        self._clock = clock
        self._latency_ms = latency_ms
        self._timeout_ms = timeout_ms

    async def authorize(self, request: AuthorizeRequest, /) -> AuthorizeResponse:
        post = Post(
            "tombstone" if request.tombstone else "authorize",
            request.account,
            request.key,
            provider_params.fingerprint(provider_params.render(request)),
            attempt_id=request.attempt_id,
        )
        method = sandbox_methods.find(request.provider_reference)
        charging = None if request.tombstone else method
        answer = await self._post(
            post,
            AuthorizeResponse,
            lambda now_ms: sandbox_intents.create(self.book, request, method, now_ms),
            delay_ms=charging.delay_ms if charging else 0,
        )
        first = answer.charge.provider_intent and not answer.charge.replayed
        if first and charging and charging.hiccup is Hiccup.TIMEOUT_AFTER:
            answer = AuthorizeResponse(charge=unknown(Hiccup.TIMEOUT_AFTER))
        if answer.charge.reason in (Hiccup.TIMEOUT_BEFORE, Hiccup.TIMEOUT_AFTER):
            await _sleep_ms(self._timeout_ms)
        return answer

    async def capture(self, request: CaptureRequest, /) -> CaptureResponse:
        return await self._post(
            _about_intent("capture", request),
            CaptureResponse,
            lambda now_ms: sandbox_intents.capture(self.book, request, now_ms),
        )

    async def void(self, request: VoidRequest, /) -> VoidResponse:
        return await self._post(
            _about_intent("void", request),
            VoidResponse,
            lambda now_ms: sandbox_intents.void(self.book, request, now_ms),
        )

    async def refund(self, request: RefundRequest, /) -> RefundResponse:
        return await self._post(
            _about_intent("refund", request),
            RefundResponse,
            lambda now_ms: sandbox_intents.refund(self.book, request, now_ms),
        )

    async def retrieve(self, request: RetrieveRequest, /) -> RetrieveResponse:
        now_ms, intent_id = self._clock.now_ms(), request.provider_intent
        with self.book.transaction():
            intent = sandbox_intents.find(self.book, request.account, intent_id, now_ms)
            charge = sandbox_intents.charge_of(intent)
            self._write_down(Post("retrieve", request.account, "", b"", intent_id), charge, now_ms)
        await _sleep_ms(self._network_ms())
        return RetrieveResponse(charge=charge)

    async def _post(
        self,
        post: Post,
        answer_type: type[Answer],
        act: Callable[[int], tuple[Answer, bool]],
        *,
        delay_ms: int = 0,
    ) -> Answer:
        """`act`, once for a key. It says what to answer, and whether it did anything."""
        now_ms, wait_ms = self._clock.now_ms(), self._network_ms()
        done = False
        try:
            with self.book.transaction():
                used = self.book.used_key(post.account, post.key)
                if used is not None and now_ms - used.used_ms < KEY_LIFE_MS:
                    answer = self._again(post, used, answer_type, now_ms)
                else:
                    answer, done = act(now_ms)
                if done:
                    wait_ms += delay_ms
                    self._remember(post, answer, now_ms, busy_ms=math.ceil(wait_ms))
                self._write_down(post, answer.charge, now_ms)
        except Fault as fault:
            with self.book.transaction():
                self._write_down(post, Charge(reason=fault.reason), now_ms)
            raise
        await _sleep_ms(wait_ms)
        if done and wait_ms > 0:
            self.book.free(post.account, post.key)
        return answer

    def _again(self, post: Post, used: UsedKey, answer_type: type[Answer], now_ms: int) -> Answer:
        if now_ms < used.busy_until_ms:
            return answer_type(charge=sandbox_intents.turned_away(Hiccup.HTTP_409))
        if (used.operation, used.fingerprint) != (post.operation, post.fingerprint):
            return answer_type(charge=Charge(status=charge_pb2.CHARGE_STATUS_KEY_USED))
        answer = answer_type.FromString(used.answer)
        answer.charge.replayed = True
        if answer.charge.status == charge_pb2.CHARGE_STATUS_UNKNOWN:
            used = used._replace(replays=used.replays + 1)
            self.book.remember(used)
            if used.replays >= STUCK_AFTER_REPLAYS:
                answer.charge.status = charge_pb2.CHARGE_STATUS_STUCK
        return answer

    def _remember(self, post: Post, answer: Answer, now_ms: int, *, busy_ms: int) -> None:
        self.book.remember(
            UsedKey(
                account=post.account,
                key=post.key,
                operation=post.operation,
                fingerprint=post.fingerprint,
                answer=answer.SerializeToString(),
                used_ms=now_ms,
                busy_until_ms=now_ms + busy_ms,
                replays=0,
            )
        )

    def _write_down(self, post: Post, charge: Charge, now_ms: int) -> None:
        intent_id, attempt_id = post.intent_id or charge.provider_intent, post.attempt_id
        if not attempt_id:
            intent = self.book.intent(intent_id)
            attempt_id = intent.attempt_id if intent else ""
        status = charge_pb2.ChargeStatus.Name(charge.status).removeprefix("CHARGE_STATUS_")
        result = charge.reason or status.lower()
        if charge.replayed:
            result = f"{result}, replayed"
        operation, account, key = post.operation, post.account, post.key
        self.book.write(Line(now_ms, operation, account, key, intent_id, attempt_id, result))

    def _network_ms(self) -> float:
        return self._latency_ms() if callable(self._latency_ms) else self._latency_ms


def _about_intent(operation: str, request: CaptureRequest | VoidRequest | RefundRequest) -> Post:
    params: dict[str, str | int] = {"payment_intent": request.provider_intent}
    if not isinstance(request, VoidRequest):
        params["amount"] = request.amount.amount_minor
        params["currency"] = request.amount.currency
    fingerprint = provider_params.fingerprint(params)
    return Post(operation, request.account, request.key, fingerprint, request.provider_intent)


async def _sleep_ms(length_ms: float) -> None:
    if length_ms > 0:
        await asyncio.sleep(length_ms / 1000)
