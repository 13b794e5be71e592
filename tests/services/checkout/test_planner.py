"""What a group does to a merchant's rows, without a database."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkout_sdk._pb import attempt_pb2
from checkout_server.checkout.attempt import EDGES, State, Units
from checkout_server.checkout.planner import (
    Answer,
    Counter,
    Fenced,
    Intent,
    IntentOpen,
    KeyTaken,
    OfferMoved,
    OfferState,
    Seen,
    Short,
    Unit,
    Writes,
    Written,
    counters_needed,
    plan,
)
from tests.services.checkout.rows import MUG, NOW_MS, OPEN_OFFER, advance, attempt, reserve

OPEN = Units("open", "ann", 1, 3)


def mugs(on_hand: int, held: int = 0, committed: int = 0) -> Seen:
    return Seen(counters={MUG.counter: Counter(on_hand, held, committed)})


def decided(seen: Seen, *units: Unit) -> tuple[list[Answer], Writes]:
    return plan(units, seen, NOW_MS)


def test_three_taps_on_the_last_unit_in_one_group_sell_it_once():
    answers, writes = decided(mugs(1), reserve("att_1"), reserve("att_2"), reserve("att_3"))
    assert [type(answer) for answer in answers] == [Written, Short, Short]
    assert answers[1] == Short("stock", "mug", available=0, held=1)
    assert writes.counters[MUG.counter].held_change == 1
    assert [row.attempt_id for row in writes.inserted] == ["att_1"]


@given(
    on_hand=st.integers(0, 12),
    wanted=st.lists(st.integers(1, 5), max_size=12),
)
def test_no_group_takes_more_than_there_is_nor_leaves_what_it_could_sell(on_hand, wanted):
    units = [
        reserve(f"att_{number}", Units("stock", "mug", quantity))
        for number, quantity in enumerate(wanted)
    ]
    answers, writes = decided(mugs(on_hand), *units)
    left = on_hand
    for quantity, answer in zip(wanted, answers, strict=True):
        assert isinstance(answer, Written) == (quantity <= left)
        left -= quantity if isinstance(answer, Written) else 0
    counter = writes.counters.get(MUG.counter)
    assert (counter.held_change if counter else 0) == on_hand - left


def test_a_unit_released_in_the_group_can_be_taken_in_it():
    row = attempt("att_1")
    seen = mugs(1, held=1)
    seen.attempts["att_1"] = row
    answers, writes = decided(seen, advance(row, State.DECLINED), reserve("att_2"))
    assert [type(answer) for answer in answers] == [Written, Written]
    assert MUG.counter not in writes.counters  # one came, one went


def test_all_lines_are_taken_or_none():
    tee = Units("stock", "tee", 1)
    seen = mugs(5)
    seen.counters[tee.counter] = Counter(0, 0, 0)
    answers, writes = decided(seen, reserve("att_1", MUG, tee))
    assert answers == [Short("stock", "tee", available=0, held=0)]
    assert not writes.counters
    assert not writes.inserted
    assert not writes.intents


def test_the_stock_is_missed_before_a_limit():
    cap = Units("cap", "off_1:ann", 2, 1)
    answers, _ = decided(mugs(1), reserve("att_1", cap, Units("stock", "mug", 2)))
    assert answers == [Short("stock", "mug", available=1, held=0)]


def test_a_limit_counts_what_is_held_and_what_is_placed():
    cap = Units("cap", "off_1:ann", 2, 5)
    for held, committed, left in ((0, 3, 2), (3, 0, 2), (2, 2, 1), (0, 6, 0)):
        seen = mugs(99)
        seen.counters[cap.counter] = Counter(None, held, committed)
        [answer], _ = decided(seen, reserve("att_1", MUG, cap))
        if left >= 2:
            assert isinstance(answer, Written)
        else:
            assert answer == Short("cap", "off_1:ann", available=left, held=held)


def test_a_counter_that_is_not_there_yet_is_made_once_for_the_group():
    units = [
        reserve(f"att_{number}", MUG, OPEN, intent=str(number).encode()) for number in range(4)
    ]
    answers, writes = decided(mugs(9), *units)
    assert [type(answer) for answer in answers] == [Written, Written, Written, Short]
    assert answers[3] == Short("open", "ann", available=0, held=3)
    made = writes.counters[OPEN.counter]
    assert (made.exists, made.held_change) == (False, 3)


def test_an_item_without_a_counter_is_sold_out():
    answers, _ = decided(Seen(), reserve())
    assert answers == [Short("stock", "mug", available=0, held=0)]


def test_a_key_repeated_in_the_group_is_taken():
    first, second = attempt("att_1"), attempt("att_2")
    second = replace(second, buyer_id=first.buyer_id, idempotency_key=first.idempotency_key)
    answers, writes = decided(mugs(9), reserve(row=first), reserve("att_2", row=second))
    assert answers == [Written(first), KeyTaken(first)]
    assert writes.inserted == [first]


def test_the_same_key_of_another_buyer_is_another_key():
    first = attempt("att_1", idempotency_key="k")
    second = attempt("att_2", idempotency_key="k")
    answers, _ = decided(mugs(9), reserve(row=first), reserve("att_2", row=second))
    assert answers == [Written(first), Written(second)]


def test_a_tap_given_again_finds_what_it_wrote():
    """Its commit's acknowledgement was lost; meanwhile it may even have gone on."""
    first = attempt("att_1")
    later = replace(first, version=4, state=State.UNKNOWN)
    seen = mugs(0)
    seen.keys[first.buyer_id, first.idempotency_key] = later
    answers, writes = decided(seen, reserve(row=first))
    assert answers == [Written(later)]
    assert writes == Writes()


def test_an_intent_repeated_in_the_group_joins_the_first():
    first, second = attempt("att_1", buyer_id="ann"), attempt("att_2", buyer_id="ann")
    answers, writes = decided(
        mugs(9),
        reserve(row=first, intent=b"wish"),
        reserve("att_2", row=second, intent=b"wish"),
    )
    assert answers == [Written(first), IntentOpen("att_1")]
    assert writes.intents == {("ann", b"wish"): Intent("att_1", "", 0)}


def placed_before(blocked_until_ms: int) -> Seen:
    seen = mugs(9)
    seen.intents["ann", b"wish"] = Intent("att_0", "ord_0", blocked_until_ms)
    return seen


def test_a_wish_fulfilled_a_moment_ago_is_a_duplicate_that_holds_nothing():
    tap = reserve(row=attempt("att_1", buyer_id="ann"), intent=b"wish")
    [answer], writes = decided(placed_before(NOW_MS + 1), tap)
    assert isinstance(answer, Written)
    assert (answer.row.state, answer.row.hold_state) == (State.CANCELLED, "released")
    told = attempt_pb2.Attempt.FromString(answer.row.outcome or b"")
    assert told.rejected.existing_order_id == "ord_0"
    assert not writes.counters
    assert not writes.intents
    [(_, event)] = writes.events
    assert (event.kind, event.body) == ("attempt.cancelled", answer.row.outcome)


def test_a_block_ends_and_a_repeat_on_purpose_ends_it():
    row = attempt("att_1", buyer_id="ann")
    past = placed_before(NOW_MS)
    assert decided(past, reserve(row=row, intent=b"wish"))[0] == [Written(row)]
    meant = reserve(row=row, intent=b"wish", repeat_of="ord_0")
    assert decided(placed_before(NOW_MS + 1), meant)[0] == [Written(row)]
    mistaken = reserve(row=row, intent=b"wish", repeat_of="ord_1")
    [answer], _ = decided(placed_before(NOW_MS + 1), mistaken)
    assert answer != Written(row)


@pytest.mark.parametrize(
    "offer",
    [
        None,
        replace(OPEN_OFFER, state="ENDED"),
        replace(OPEN_OFFER, epoch=2),
        replace(OPEN_OFFER, starts_ms=NOW_MS + 1),
        replace(OPEN_OFFER, ends_ms=NOW_MS),
    ],
)
def test_an_offer_that_is_not_what_it_was_takes_no_tap(offer: OfferState | None):
    tap = reserve(offer_id="off_1", epoch=1)
    seen = mugs(9)
    if offer:
        seen.offers["off_1"] = offer
    assert decided(seen, tap)[0] == [OfferMoved()]
    seen.offers["off_1"] = OPEN_OFFER
    assert decided(seen, tap)[0] == [Written(tap.row)]


def placing(seen: Seen, **fields):
    row = attempt("att_1")
    seen.attempts["att_1"] = row
    return row, advance(row, State.PLACED, MUG, OPEN, **fields)


def test_an_order_takes_over_the_holds_and_blocks_the_wish():
    seen = mugs(9, held=1)
    seen.counters[OPEN.counter] = Counter(None, 1, 0)
    row, unit = placing(seen, intent_blocked_until_ms=NOW_MS + 60)
    seen.intents[row.buyer_id, b"att_1"] = Intent("att_1", "", 0)
    answers, writes = decided(seen, unit)
    assert answers == [Written(unit.row)]
    mug, open_attempts = writes.counters[MUG.counter], writes.counters[OPEN.counter]
    assert (mug.held_change, mug.committed_change) == (-1, 1)
    assert (open_attempts.held_change, open_attempts.committed_change) == (-1, 0)
    assert writes.orders == [unit.order]
    blocked = Intent("att_1", "order of att_1", NOW_MS + 60)
    assert writes.intents == {(row.buyer_id, b"att_1"): blocked}


def test_a_bad_end_clears_its_own_wish_and_nobody_elses():
    row = attempt("att_1")
    for owner, cleared in (("att_1", True), ("att_2", False)):
        seen = mugs(9, held=1)
        seen.attempts["att_1"] = row
        seen.intents[row.buyer_id, b"att_1"] = Intent(owner, "", 0)
        _, writes = decided(seen, advance(row, State.DECLINED))
        assert writes.intents == ({(row.buyer_id, b"att_1"): None} if cleared else {})
        assert writes.counters[MUG.counter].held_change == -1


def test_a_step_that_does_not_end_moves_no_counter():
    row = attempt("att_1")
    seen = Seen(attempts={"att_1": row})
    answers, writes = decided(seen, advance(row, State.UNKNOWN))
    assert [type(answer) for answer in answers] == [Written]
    assert not writes.counters
    assert not writes.intents
    assert counters_needed([advance(row, State.UNKNOWN)]) == []


def test_a_step_on_an_older_version_or_anothers_row_is_fenced():
    row = attempt("att_1")
    for now in (
        replace(row, version=2),
        replace(row, worker="wrk_2"),
        replace(row, worker_epoch=2),
        None,
    ):
        seen = Seen(attempts={"att_1": now} if now else {})
        answers, writes = decided(seen, advance(row, State.UNKNOWN))
        assert answers == [Fenced(now)]
        assert writes == Writes()


def test_of_two_steps_on_one_row_in_a_group_the_second_is_fenced():
    row = attempt("att_1")
    first, second = advance(row, State.UNKNOWN), advance(row, State.ACTION_REQUIRED)
    answers, writes = decided(Seen(attempts={"att_1": row}), first, second)
    assert answers == [Written(first.row), Fenced(first.row)]
    assert writes.updated == [(row, first.row)]


def test_a_step_given_again_finds_what_it_wrote():
    row = attempt("att_1")
    unit = advance(row, State.DECLINED)
    seen = mugs(9)
    seen.attempts["att_1"] = unit.row
    answers, writes = decided(seen, unit)
    assert answers == [Written(unit.row)]
    assert writes == Writes()


def test_no_edge_but_those_of_the_protocol_is_ever_written():
    for before in State:
        for after in State:
            row = attempt("att_1", state=before)
            seen = mugs(9, held=1)
            seen.attempts["att_1"] = row
            again = before is after and not before.is_final
            if after in EDGES.get(before, ()) or again:
                assert decided(seen, advance(row, after))[0] != []
            else:
                with pytest.raises(AssertionError, match="may not become"):
                    decided(seen, advance(row, after))


def test_a_version_that_is_skipped_stops_the_step():
    row = attempt("att_1")
    unit = advance(row, State.UNKNOWN)
    skipping = replace(unit, row=replace(unit.row, version=3))
    with pytest.raises(AssertionError, match="may not become"):
        decided(Seen(attempts={"att_1": row}), skipping)


def test_an_order_without_placed_or_placed_without_an_order_stops_the_step():
    row = attempt("att_1")
    orderless = replace(advance(row, State.PLACED), order=None)
    ordered = replace(advance(row, State.DECLINED), order=advance(row, State.PLACED).order)
    for unit in (orderless, ordered):
        seen = mugs(9, held=1)
        seen.attempts["att_1"] = row
        with pytest.raises(AssertionError, match="comes with PLACED"):
            decided(seen, unit)


def test_counters_are_locked_in_one_order_whoever_needs_them():
    a, b, c = Units("stock", "a", 1), Units("stock", "b", 1), Units("cap", "z", 1, 1)
    row = attempt("att_2")
    forth = [reserve("att_1", b, c), advance(row, State.DECLINED, a)]
    assert counters_needed(forth) == counters_needed(forth[::-1])
    assert counters_needed(forth) == [("cap", "z"), ("stock", "a"), ("stock", "b")]
