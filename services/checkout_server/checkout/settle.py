"""What an attempt asks the provider next, and what an answer makes of it. Pure: no clock, no call,
no row.

PROTOCOL.md section 6. The rules that keep money right:

- An intent whose id is known is retrieved, never created again; a create that was answered from the
  provider's store is followed by a retrieve, because what is stored may have moved on.
- No answer is not a no. UNKNOWN keeps the holds and asks again.
- Absence is made, not observed: past the forward window a key is spent on a create that cannot
  charge.
- Once a client secret has left us the buyer's browser can still finish the payment, so a bad end is
  written only after the provider confirmed the cancel; "already succeeded" goes forward.
- What was charged must be what T1 wrote: amount, currency and account, or it is given back.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from checkout_server._pb import charge_pb2, stored_pb2
from checkout_server.checkout.attempt import State
from checkout_server.protobuf_time import duration_ms

STATUS = charge_pb2.ChargeStatus

# A key is pruned by the provider after 24 h and would charge again: an hour of margin.
KEY_LIFE_MS = 23 * 3600 * 1000
# 0.2 s, then three times as long each time, up to 5 min: the second try is still within the tap's
# 800 ms, the tenth is past the forward window, so that absence is made before a person is asked.
MOST_TRIES = 10
FIRST_BACKOFF_MS = 200
BACKOFF_FACTOR = 3
LONGEST_BACKOFF_MS = 5 * 60_000
# A provider that has it and has not decided, a bank that has the buyer: looked at after 5, 10, 20 s
# (and so on), because a webhook usually comes first.
FIRST_POLL_MS = 5_000
PROCESSING = "processing"


class Ask(Enum):
    CREATE = auto()
    RETRIEVE = auto()
    VOID = auto()
    REFUND = auto()
    TOMBSTONE = auto()
    # The original create again after a tombstone was refused: the key was used, so this is a pure
    # replay.
    REPLAY = auto()


@dataclass(frozen=True, slots=True)
class Question:
    """One call to the provider. `end` is what a confirmed cancel or refund makes of the attempt."""

    ask: Ask
    intent: str = ""
    end: State = State.EXPIRED
    # The key was found used after the forward window: whatever it took is given back.
    late: bool = False
    # What a refund gives back: all that the provider says it took, whatever was asked for.
    amount_minor: int = 0
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state to write; the same state means another try, after the backoff, or after `wait_ms`
    where the provider named a longer wait. `compensate`: what was taken is to be given back."""

    state: State
    reason: str = ""
    compensate: bool = False
    wait_ms: int = 0


@dataclass(frozen=True, slots=True)
class Situation:
    """What the rules look at, besides the provider's answer."""

    state: State
    record: stored_pb2.AttemptRecord
    now_ms: int
    forward_window_ms: int

    @property
    def late(self) -> bool:
        return self.now_ms > self.record.create_ms + self.forward_window_ms

    @property
    def action_over(self) -> bool:
        return self.record.action_shown and self.now_ms >= self.record.action_expires_ms


def first_question(now: Situation) -> Question | Verdict:
    record = now.record
    if not record.HasField("authorize"):
        return Verdict(State.PLACED)
    if record.provider_intent:
        return _about_known(now)
    if not now.late:
        return Question(Ask.CREATE)
    if now.now_ms > record.create_ms + KEY_LIFE_MS:
        return Verdict(State.PARKED, "key_too_old")
    return Question(Ask.TOMBSTONE)


def _about_known(now: Situation) -> Question:
    intent = now.record.provider_intent
    if now.record.compensate:
        return Question(Ask.RETRIEVE, intent, State.COMPENSATED)
    if now.record.cancel_requested and now.state is State.ACTION_REQUIRED:
        return Question(Ask.VOID, intent, State.CANCELLED)
    if now.action_over:
        return Question(Ask.VOID, intent, State.EXPIRED)
    # Cancelled already, though the answer got lost on its way: only a failed challenge does that
    # while the buyer still has time.
    end = State.DECLINED if now.record.action_shown else State.EXPIRED
    return Question(Ask.RETRIEVE, intent, end)


def next_step(now: Situation, question: Question, charge: charge_pb2.Charge) -> Question | Verdict:
    """What the answer to `question` means: another question, or what to write."""
    if question.ask in (Ask.CREATE, Ask.REPLAY) and charge.replayed and charge.provider_intent:
        return Question(Ask.RETRIEVE, charge.provider_intent, question.end, late=question.late)
    match charge.status:
        case STATUS.CHARGE_STATUS_CAPTURED | STATUS.CHARGE_STATUS_AUTHORIZED:
            return _money_there(now, question, charge)
        case STATUS.CHARGE_STATUS_REFUNDED:
            return Verdict(State.COMPENSATED, charge.reason)
        case STATUS.CHARGE_STATUS_DECLINED:
            if now.record.action_shown and question.ask is not Ask.VOID:
                return Question(Ask.VOID, charge.provider_intent, State.DECLINED)
            return Verdict(State.DECLINED, charge.reason)
        case STATUS.CHARGE_STATUS_CANCELLED:
            return Verdict(question.end, charge.reason)
        case STATUS.CHARGE_STATUS_ABSENT:
            return Question(Ask.VOID, charge.provider_intent, State.EXPIRED)
        case STATUS.CHARGE_STATUS_ACTION_REQUIRED:
            return _bank_wants_buyer(now, question, charge)
        case STATUS.CHARGE_STATUS_KEY_USED:
            return _key_used(question)
        case STATUS.CHARGE_STATUS_STUCK:
            return Verdict(State.PARKED, "stored_fault")
        case STATUS.CHARGE_STATUS_PROCESSING:
            return Verdict(State.UNKNOWN, PROCESSING, compensate=question.late)
        case _:
            return _no_answer(now, question, charge)


def _money_there(
    now: Situation, question: Question, charge: charge_pb2.Charge
) -> Question | Verdict:
    wrong = mismatch(now.record.authorize, charge)
    if not (wrong or question.late or now.record.compensate):
        return Verdict(State.PLACED)
    if not now.record.compensate:
        # Written down first, so that a crash does not forget why the money goes back.
        return Verdict(State.UNKNOWN, wrong or "charged_late", compensate=True)
    if question.ask in (Ask.VOID, Ask.REFUND):
        return Verdict(State.UNKNOWN, "compensation_pending")
    if charge.status == STATUS.CHARGE_STATUS_AUTHORIZED:
        return Question(Ask.VOID, charge.provider_intent, State.COMPENSATED)
    taken = charge.amount
    return Question(
        Ask.REFUND,
        charge.provider_intent,
        State.COMPENSATED,
        amount_minor=taken.amount_minor,
        currency=taken.currency,
    )


def _bank_wants_buyer(
    now: Situation, question: Question, charge: charge_pb2.Charge
) -> Question | Verdict:
    if question.ask is Ask.VOID:
        return Verdict(State.UNKNOWN, "cancel_pending")
    late = question.late or now.late
    if now.record.compensate or (late and not now.record.action_shown):
        end = State.COMPENSATED if now.record.compensate else State.EXPIRED
        return Question(Ask.VOID, charge.provider_intent, end)
    return Verdict(State.ACTION_REQUIRED)


def _no_answer(now: Situation, question: Question, charge: charge_pb2.Charge) -> Verdict:
    """Nothing new is known. A buyer at the bank stays there: that is still the best thing they can
    do."""
    waits = now.state is State.ACTION_REQUIRED and not now.action_over
    return Verdict(
        State.ACTION_REQUIRED if waits else State.UNKNOWN,
        charge.reason,
        compensate=question.late,
        wait_ms=duration_ms(charge.retry_after),
    )


def _key_used(question: Question) -> Question | Verdict:
    if question.ask is Ask.TOMBSTONE:
        return Question(Ask.REPLAY, late=True)
    # A create of ours with other parameters under its own key: a bug of ours, and money may be
    # there.
    return Verdict(State.PARKED, "key_conflict")


def mismatch(asked: charge_pb2.AuthorizeRequest, charge: charge_pb2.Charge) -> str:
    """Why a success is not the one T1 asked for; empty when it is."""
    if charge.amount.amount_minor != asked.amount.amount_minor:
        return "amount_mismatch"
    if charge.amount.currency != asked.amount.currency:
        return "currency_mismatch"
    return "" if charge.account == asked.account else "account_mismatch"


def give_up(verdict: Verdict, state: State, tries: int) -> Verdict:
    """After so many tries without an answer a person is asked instead. The holds stay."""
    again = verdict.state is state is State.UNKNOWN and not verdict.compensate
    return Verdict(State.PARKED, verdict.reason) if again and tries >= MOST_TRIES else verdict


def backoff_ms(tries: int, reason: str = "") -> int:
    """How long to wait after so many tries that told nothing."""
    if reason == PROCESSING:
        return min(FIRST_POLL_MS << min(tries, 16), LONGEST_BACKOFF_MS)
    longer = int(BACKOFF_FACTOR ** min(tries, 16))
    return min(FIRST_BACKOFF_MS * longer, LONGEST_BACKOFF_MS)
