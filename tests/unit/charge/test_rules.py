"""Order numbers, retries and verdicts as pure rules."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parkflow.channel.port import FailReason, Outcome, Result
from parkflow.charge import rules
from parkflow.charge.rules import RetryTerms, Verdict
from parkflow.kit.ids import ID_LIMIT, MalformedId
from parkflow.kit.money import Minor

CITY = RetryTerms((1, 3, 7), time(9), ZoneInfo("America/New_York"), time(4))
NOON = datetime(2017, 10, 20, 16, tzinfo=UTC)


@given(charge_id=st.integers(0, ID_LIMIT - 1), number=st.integers(1, 9999))
def test_an_order_number_names_its_charge_and_suits_every_channel(charge_id: int, number: int) -> None:
    order_no = rules.order_number(charge_id, number)
    assert rules.charge_of_order(order_no) == charge_id
    assert 8 <= len(order_no) <= 32
    assert order_no.isascii()
    assert order_no.isalnum()


@pytest.mark.parametrize("order_no", ["", "order0001", "o" * 40, "zzzzzzzzzzzzz0001", "ilou567890123" + "0001"])
def test_a_number_that_we_never_made_is_no_order(order_no: str) -> None:
    with pytest.raises(MalformedId):
        rules.charge_of_order(order_no)


@pytest.mark.parametrize(
    ("declined_count", "local"),
    [(1, "2017-10-21 09:00"), (2, "2017-10-23 09:00"), (3, "2017-10-27 09:00"), (4, None)],
)
def test_retries_are_on_days_1_3_and_7_at_nine_local(declined_count: int, local: str | None) -> None:
    at = rules.next_attempt_at(
        CITY, reason=FailReason.INSUFFICIENT_FUNDS, declined_count=declined_count, due_at=NOON, now=NOON
    )
    assert (at and at.astimezone(CITY.time_zone).strftime("%Y-%m-%d %H:%M")) == local


def test_nine_local_stays_nine_when_clocks_change() -> None:
    due = datetime(2017, 11, 4, 16, tzinfo=UTC)
    at = rules.next_attempt_at(CITY, reason=None, declined_count=1, due_at=due, now=due)
    assert at == datetime(2017, 11, 5, 14, tzinfo=UTC)


def test_a_charge_of_the_small_hours_belongs_to_the_day_before() -> None:
    due = datetime(2017, 10, 21, 6, tzinfo=UTC)  # 02:00 in the city, before the day turns at 04:00
    at = rules.next_attempt_at(CITY, reason=None, declined_count=1, due_at=due, now=due)
    assert at == datetime(2017, 10, 21, 13, tzinfo=UTC)


@given(late_hours=st.integers(0, 24 * 40), declined_count=st.integers(1, 3))
def test_a_retry_is_never_in_the_past_and_always_at_nine(late_hours: int, declined_count: int) -> None:
    now = NOON + timedelta(hours=late_hours)
    at = rules.next_attempt_at(CITY, reason=None, declined_count=declined_count, due_at=NOON, now=now)
    assert at is not None
    assert at > now
    assert at.astimezone(CITY.time_zone).time() == time(9)


def test_what_our_configuration_broke_is_no_decline() -> None:
    for reason in (FailReason.MERCHANT, FailReason.PARAM, FailReason.LOT_NOT_LIVE):
        assert not rules.counts_as_decline(reason)
        at = rules.next_attempt_at(CITY, reason=reason, declined_count=9, due_at=NOON, now=NOON)
        assert at == NOON + timedelta(hours=1)
    assert rules.counts_as_decline(FailReason.AGREEMENT_GONE)


@pytest.mark.parametrize("outcome", Outcome)
@pytest.mark.parametrize("reason", [None, *FailReason])
def test_only_a_complete_success_pays_and_only_a_proof_declines(outcome: Outcome, reason: FailReason | None) -> None:
    bare = Result(outcome, "o", reason)
    full = Result(outcome, "o", reason, channel_no="c", amount_minor=Minor(500), currency="USD", paid_at=NOON)
    assert rules.judge(bare, amount_minor=500, currency="USD") is not Verdict.PAID
    assert (rules.judge(full, amount_minor=500, currency="USD") is Verdict.PAID) == (outcome is Outcome.SUCCEEDED)
    if outcome is Outcome.SUCCEEDED:
        assert rules.judge(full, amount_minor=501, currency="USD") is Verdict.LOST_SIGHT
        assert rules.judge(full, amount_minor=500, currency="CNY") is Verdict.LOST_SIGHT
    if outcome is not Outcome.FAILED:
        assert rules.judge(bare, amount_minor=500, currency="USD") is Verdict.LOST_SIGHT


def test_asking_again_follows_the_schedule_and_its_last_step_repeats() -> None:
    waits = [
        rules.next_query_at(Verdict.LOST_SIGHT, query_count=count, schedule_seconds=(5, 15, 3600), now=NOON) - NOON
        for count in range(5)
    ]
    assert [wait.total_seconds() for wait in waits] == [5, 15, 3600, 3600, 3600]
    never_sent = rules.next_query_at(Verdict.NOT_SENT, query_count=4, schedule_seconds=(5, 15, 3600), now=NOON)
    assert never_sent - NOON == timedelta(minutes=5)
