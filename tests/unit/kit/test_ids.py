"""Rules of ids: bucket on top, strict text form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parkflow.kit.ids import (
    BUCKETS,
    ID_LIMIT,
    MalformedId,
    bucket_of,
    derived_bucket,
    derived_id,
    from_text,
    new_bucket,
    new_id,
    to_text,
)

IDS = st.integers(min_value=0, max_value=ID_LIMIT - 1)


@given(st.integers(min_value=0, max_value=BUCKETS - 1))
def test_a_new_id_is_in_its_bucket(bucket: int) -> None:
    ident = new_id(bucket)
    assert bucket_of(ident) == bucket
    assert 0 <= ident < 1 << 63


def test_a_new_bucket_is_in_range() -> None:
    assert all(0 <= new_bucket() < BUCKETS for _ in range(2000))


@given(IDS)
def test_text_and_id_are_the_same_thing(ident: int) -> None:
    text = to_text("card", ident)
    assert len(text) == len("card_") + 13
    assert from_text("card", text) == ident


@given(IDS, IDS)
def test_text_sorts_like_the_number(one: int, other: int) -> None:
    assert (to_text("x", one) < to_text("x", other)) == (one < other)


@given(st.text(max_size=30))
def test_only_what_to_text_writes_is_read(text: str) -> None:
    try:
        ident = from_text("card", text)
    except MalformedId:
        return
    assert to_text("card", ident) == text


@pytest.mark.parametrize(
    "text",
    ["", "card", "card_", "chg_0123456789abc", "card_0123456789ABC", "card_0123456789abi", "card_8000000000000",
     "card_0123456789ab", "card_0123456789abcd", "0123456789abc", "card_card_01234567"],
)  # fmt: skip
def test_any_other_spelling_is_refused(text: str) -> None:
    with pytest.raises(MalformedId):
        from_text("card", text)


def test_known_text() -> None:
    assert to_text("chg", 0) == "chg_0000000000000"
    assert to_text("chg", ID_LIMIT - 1) == "chg_7zzzzzzzzzzzz"


def test_a_derived_id_depends_on_every_part_and_its_borders() -> None:
    one = derived_id(7, b"ab", b"c")
    assert one == derived_id(7, b"ab", b"c")
    assert bucket_of(one) == 7
    assert one != derived_id(7, b"a", b"bc")
    assert one != derived_id(7, b"abc")


def test_derived_buckets_spread() -> None:
    buckets = {derived_bucket(str(number).encode()) for number in range(5000)}
    assert len(buckets) > 1000
    assert min(buckets) >= 0
    assert max(buckets) < BUCKETS
