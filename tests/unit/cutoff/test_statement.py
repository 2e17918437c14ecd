"""The statement of a closed day: the same bytes from the same facts in any order, and none without a change."""

import json
import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

import pytest

from parkflow.cutoff.rules import BucketDigest, CodeTotal, LotTotal, canonical, end_of, is_over, statement

DAY = date(2017, 10, 20)


@dataclass(frozen=True)
class Facts:
    codes: tuple[CodeTotal, ...] = (
        CodeTotal("charge_raised", "USD", 2, 1_500),
        CodeTotal("charge_paid", "USD", 1, 900),
    )
    lots: tuple[LotTotal, ...] = (
        LotTotal("lot_b", "Market Street", 1, 900, 1, 900, 0, 0, 0, 0),
        LotTotal("lot_a", "Water Street", 1, 600, 0, 0, 0, 0, 1, 600),
    )
    digests: tuple[BucketDigest, ...] = (BucketDigest(3, 1, bytes(32)), BucketDigest(700, 2, bytes(range(32))))

    def bytes(self) -> bytes:
        return canonical(
            statement(
                operator_id="op_1", day=DAY, currency="USD", codes=self.codes, lots=self.lots, digests=self.digests
            )
        )


FACTS = Facts()


def test_the_order_in_which_facts_are_read_does_not_matter() -> None:
    for seed in range(20):
        shuffle = random.Random(seed)
        mixed = Facts(
            tuple(shuffle.sample(FACTS.codes, 2)),
            tuple(shuffle.sample(FACTS.lots, 2)),
            tuple(shuffle.sample(FACTS.digests, 2)),
        )
        assert mixed.bytes() == FACTS.bytes()


def test_bytes_survive_being_stored_as_json() -> None:
    assert canonical(json.loads(FACTS.bytes())) == FACTS.bytes()


@pytest.mark.parametrize(
    "other",
    [
        Facts(codes=FACTS.codes[:1]),
        Facts(lots=FACTS.lots[:1]),
        Facts(digests=(BucketDigest(3, 1, bytes(31) + b"\1"), FACTS.digests[1])),
        Facts(digests=(BucketDigest(4, 1, bytes(32)), FACTS.digests[1])),
    ],
)
def test_any_other_fact_gives_other_bytes(other: Facts) -> None:
    assert other.bytes() != FACTS.bytes()


def test_a_day_is_over_at_its_turn_in_the_operators_zone() -> None:
    turn = datetime(2017, 10, 21, 8, tzinfo=UTC)
    assert end_of(day=DAY, time_zone="America/New_York", day_turn=time(4)) == turn
    assert is_over(day=DAY, time_zone="America/New_York", day_turn=time(4), now=turn)
    before = turn.replace(hour=7, minute=59, second=59, microsecond=999_999)
    assert not is_over(day=DAY, time_zone="America/New_York", day_turn=time(4), now=before)
