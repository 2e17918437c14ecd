"""Rules of business days: every instant is in exactly one, also when clocks change."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parkflow.kit.business_date import business_date, business_window

ZONES = ["Asia/Shanghai", "America/New_York", "Europe/Dublin", "Pacific/Apia", "Australia/Lord_Howe", "Africa/Cairo"]
INSTANTS = st.datetimes(datetime(2005, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - made aware
TURNS = st.times().map(lambda turn: turn.replace(microsecond=0, tzinfo=None))


@given(INSTANTS, st.sampled_from(ZONES), TURNS)
def test_an_instant_lies_in_the_window_of_its_day(now: datetime, zone: str, day_turn: time) -> None:
    window = business_window(business_date(now, ZoneInfo(zone), day_turn), ZoneInfo(zone), day_turn)
    assert window.start <= now < window.end


@given(st.dates(date(2005, 1, 1), date(2035, 1, 1)), st.sampled_from(ZONES), TURNS)
def test_days_follow_each_other_without_gap(day: date, zone: str, day_turn: time) -> None:
    one = business_window(day, ZoneInfo(zone), day_turn)
    following = business_window(day + timedelta(days=1), ZoneInfo(zone), day_turn)
    assert one.end == following.start
    assert one.start <= one.end


@pytest.mark.parametrize(
    ("local", "day_turn", "day"),
    [("2017-10-20T03:59:59", "04:00", "2017-10-19"), ("2017-10-20T04:00:00", "04:00", "2017-10-20"),
     ("2017-10-20T00:00:00", "00:00", "2017-10-20"), ("2017-10-20T23:59:59", "00:00", "2017-10-20"),
     ("2017-11-05T01:30:00", "00:00", "2017-11-05"), ("2018-03-11T03:00:00", "02:30", "2018-03-10"),
     ("2018-03-11T03:30:00", "02:30", "2018-03-11")],
)  # fmt: skip
def test_the_day_turns_at_the_operators_local_time(local: str, day_turn: str, day: str) -> None:
    zone = ZoneInfo("America/New_York")
    now = datetime.fromisoformat(local).replace(tzinfo=zone).astimezone(UTC)
    assert business_date(now, zone, time.fromisoformat(day_turn)) == date.fromisoformat(day)


@pytest.mark.parametrize(("day", "hours"), [("2017-11-05", 25), ("2018-03-11", 23), ("2018-03-12", 24)])
def test_a_day_on_which_clocks_change_has_23_or_25_hours(day: str, hours: int) -> None:
    window = business_window(date.fromisoformat(day), ZoneInfo("America/New_York"), time(0))
    assert window.end - window.start == timedelta(hours=hours)
