"""All that a call decides without I/O: its deadline, what its metadata says, what may be tried
again and when.

One layer retries: this one (`grpc.enable_retries=0` on our channels). The server says whether it
helps: its pushback wins over our own pace, and a negative one ends the tries. The same message goes
out each time, so a key in it is made once.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeAlias, TypedDict

import grpc
from tenacity import RetryCallState, wait_random_exponential

from checkout_sdk import _faults
from checkout_sdk.errors import CheckoutError, ConfigurationError

DEFAULT_TIMEOUT_S = 8.0
DEFAULT_MAX_RETRIES = 3

# Full jitter: the first wait is between 0 and 100 ms, the last between 0 and 2 s.
JITTER = wait_random_exponential(multiplier=0.1, max=2.0)
# The server refuses what has less than 100 ms left, so a try with less is not worth sending.
LEAST_TRY_S = 0.1
# A try that hangs must leave time for another. A second is longer than the 0.8 s in which a tap is
# answered by default.
SHORTEST_SHARE_S = 1.0


class CallOptions(TypedDict, total=False):
    """What any call takes beside its own arguments."""

    timeout: float
    """Seconds for the whole call, all tries and waits together. Streams have none unless given."""
    max_retries: int
    """How often a failed try is repeated; 0 is once and no more."""


class RetryBudget:
    """What keeps a client from multiplying the load of a service that is down.

    There are ten tokens: a retry takes one, a success gives a tenth back, so that over time at most
    one call in ten is a retry. With none left one retry every 10 s is let through: a client with
    little traffic must recover too. Shared by all calls of a client.
    """

    # Counted in tenths of a token.
    FULL = 100
    RETRY = 10
    SUCCESS = 1
    FLOOR_S = 10.0

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tenths = self.FULL
        self._floor_used_at: float | None = None
        self._lock = threading.Lock()

    def take(self) -> bool:
        with self._lock:
            if self._tenths >= self.RETRY:
                self._tenths -= self.RETRY
                return True
            now = self._clock()
            if self._floor_used_at is not None and now - self._floor_used_at < self.FLOOR_S:
                return False
            self._floor_used_at = now
            return True

    def give_back(self) -> None:
        with self._lock:
            self._tenths = min(self.FULL, self._tenths + self.SUCCESS)


@dataclass(frozen=True, slots=True)
class Policy:
    """What a client does unless a call says otherwise."""

    timeout_s: float = DEFAULT_TIMEOUT_S
    max_retries: int = DEFAULT_MAX_RETRIES
    budget: RetryBudget = field(default_factory=RetryBudget)
    clock: Callable[[], float] = time.monotonic

    def with_options(self, options: CallOptions) -> Policy:
        timeout_s = options.get("timeout", self.timeout_s)
        max_retries = options.get("max_retries", self.max_retries)
        if not timeout_s > 0 or max_retries < 0:
            raise ConfigurationError("timeout must be above 0 seconds, max_retries at least 0")
        return replace(self, timeout_s=timeout_s, max_retries=max_retries)

    def tries(self, options: CallOptions) -> Tries:
        policy = self.with_options(options)
        return Tries(policy, self.clock() + policy.timeout_s)

    def tap_tries(self, options: CallOptions) -> Tries:
        """The tries of a tap: an eighth of the time, at most a second, is kept for asking what
        became of it."""
        policy = self.with_options(options)
        keep_s = min(1.0, policy.timeout_s / 8)
        return Tries(policy, self.clock() + policy.timeout_s, keep_s)

    def stream_tries(self, options: CallOptions) -> Tries:
        """The tries of a stream: without an end in time unless the caller gave one."""
        policy = self.with_options(options)
        timeout_s = options.get("timeout")
        return Tries(policy, None if timeout_s is None else self.clock() + timeout_s)


class Tries:
    """One call: tried, failed, tried again, within one deadline. Also the three questions that
    tenacity asks after a failure: `may_repeat`, `wait`, `stop`."""

    def __init__(self, policy: Policy, deadline: float | None, keep_s: float = 0.0) -> None:
        self.request_id = uuid.uuid4().hex
        self.unclear = False
        """Whether a failed try may have taken effect."""
        self._policy = policy
        self._deadline = deadline
        self._keep_s = keep_s
        self._failures = 0

    def time_left_s(self) -> float | None:
        return None if self._deadline is None else self._deadline - self._policy.clock()

    def timeout_s(self) -> float | None:
        """For the next try: an equal share of what is left, so that one that hangs is not all."""
        left = self._usable_s()
        if left is None:
            return None
        share = left / max(1, self._policy.max_retries + 1 - self._failures)
        return max(0.0, min(left, max(share, SHORTEST_SHARE_S)))

    def succeeded(self) -> None:
        """An answer, or a message of a stream: what fails from here on is a new trouble."""
        self._failures = 0
        self._policy.budget.give_back()

    def failed(self, error: grpc.RpcError) -> CheckoutError:
        self._failures += 1
        failure = _faults.error_of(error, self.request_id)
        self.unclear = self.unclear or _faults.leaves_open(failure)
        return failure

    def may_repeat(self, error: BaseException) -> bool:
        return isinstance(error, CheckoutError) and error.retryable

    def wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, CheckoutError) and error.retry_after_s is not None:
            return error.retry_after_s
        return float(JITTER(state))

    def stop(self, state: RetryCallState) -> bool:
        if self._failures > self._policy.max_retries:
            return True
        left = self._usable_s()
        if left is not None and left < state.upcoming_sleep + LEAST_TRY_S:
            return True
        return not self._policy.budget.take()  # the last question: a token taken is a retry made

    def time_to_ask_s(self) -> float | None:
        """The time there is to ask what became of the call; None: too little, or no token left."""
        left = self.time_left_s() or 0.0
        return left if left >= LEAST_TRY_S and self._policy.budget.take() else None

    def _usable_s(self) -> float | None:
        left = self.time_left_s()
        return None if left is None else left - self._keep_s


NO_TOKEN = (
    "no token. Set CHECKOUT_TOKEN or pass token=."
    " For a local server: checkout-server dev prints one"
)
BAD_TOKEN = (
    "the token has a line break or another character that gRPC metadata cannot carry."
    " Mend CHECKOUT_TOKEN or token="
)
Token: TypeAlias = str | Callable[[], str]
Metadata: TypeAlias = tuple[tuple[str, str | bytes], ...]


def checked_token(token: Token | None, *, own_channel: bool) -> Token | None:
    """A channel of the app's own may bring its credentials."""
    if not token and not own_channel:
        raise ConfigurationError(NO_TOKEN)
    if isinstance(token, str):
        _check_characters(token)
    return token


def _check_characters(token: str) -> None:
    if not (token.isascii() and token.isprintable()):
        raise ConfigurationError(BAD_TOKEN)


def metadata_of(token: str | None, request_id: str, trace: dict[str, str]) -> Metadata:
    if token:
        _check_characters(token)
    authorization = (("authorization", f"Bearer {token}"),) if token else ()
    return (("x-request-id", request_id), *trace.items(), *authorization)


def new_request_id() -> str:
    """For the calls that create: made once a call, so that a retry finds what the first try
    made."""
    return f"req_{uuid.uuid4().hex}"
