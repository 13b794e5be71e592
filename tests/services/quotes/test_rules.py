from __future__ import annotations

import pytest

from checkout_sdk._pb.quote_pb2 import BatchCreateQuotesRequest, CreateQuoteRequest, Journey
from checkout_server import validation
from checkout_server.faults import Fault
from checkout_server.protobuf_time import duration
from checkout_server.quotes.rules import RULES
from tests.services.quotes.support import basket

FULL = CreateQuoteRequest(
    buyer_id="u_42",
    lines=basket(*[("mug", 99)] * 20),
    quantity=99,
    discount_codes=["A", "B", "C"],
    surface="SURFACE_WEB",
    action_return_url="http://localhost:8080/back",
    journey=Journey(journey_id="j", steps=100, elapsed=duration(1000)),
)


def test_a_full_request_passes():
    validation.check(FULL, RULES)


@pytest.mark.parametrize("rule", RULES[CreateQuoteRequest])
def test_each_rule_is_told_by_the_field_that_breaks_it(rule: validation.Rule):
    for path, broken in rule.broken(FULL):
        with pytest.raises(Fault) as raised:
            validation.check(broken, RULES)
        assert path in [violation.field for violation in raised.value.violations]


@pytest.mark.parametrize("many", [0, 21])
def test_a_batch_holds_1_to_20_requests(many: int):
    with pytest.raises(Fault) as raised:
        validation.check(BatchCreateQuotesRequest(requests=[FULL] * many), RULES)
    assert [violation.field for violation in raised.value.violations] == ["requests"]


def test_a_batch_leaves_its_requests_to_be_checked_one_by_one():
    validation.check(BatchCreateQuotesRequest(requests=[CreateQuoteRequest()]), RULES)
