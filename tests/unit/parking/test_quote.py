"""A quote is the price that the stay gets if it ends then, and what it says of later exits is true of them too."""

import json
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest

from parkflow.core import Tariff
from parkflow.parking import pricing
from parkflow.parking.pricing import Rated
from parkflow.parking.quote import Grounds, NoPriceThen, NoTariffInForce, Quote, answer, quote_id
from parkflow.parking.state import StayState
from parkflow.parking.store import ClosedStay, PricedStay, StayToQuote
from parkflow.tariff.rules import Assignment, VersionAt, version_for

LIBRARY = Path(__file__).parents[3] / "parkflow" / "tariff" / "library"
# Oyster prices journeys by their zones, which a stay does not have.
NAMES = sorted(path.stem for path in LIBRARY.glob("*.yaml") if path.stem != "uk-london-oyster-2005")
NOON = datetime(2026, 6, 3, 12, tzinfo=UTC)
AGES = timedelta(days=3_650)
HERE, THERE = 1, 2
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


@cache
def ready(name: str) -> Tariff:
    return Tariff.load((LIBRARY / f"{name}.yaml").read_text(encoding="utf-8"))


def hourly(price: int, *, of_tariff: str = "", of_plan: str = "") -> Tariff:
    return Tariff.load(
        f"{{ptl: 1, id: t, currency: USD, minor_exponent: 2, timezone: America/New_York, {of_tariff} plans: [{{id: p,"
        f" {of_plan} cycle: stay, edge: split, bands: [{{id: all, ladder: [{{unit: 60, price: {price}}}]}}]}}]}}"
    )


def assigned(tariff: Tariff, since: datetime) -> Assignment:
    return Assignment(HERE, since, bytes.fromhex(tariff.sha256), VersionAt(tariff.version_at), None, None)


def grounds(
    *versions: tuple[Tariff, datetime], entry_at: datetime, at: datetime, vehicle_class: str = "car"
) -> Grounds:
    stay = StayToQuote(0, 500, 9, 3, HERE, vehicle_class, entry_at, StayState.OPEN)
    tariffs = {bytes.fromhex(tariff.sha256): tariff for tariff, _ in versions}
    assignments = [assigned(*version) for version in versions]
    return Grounds(stay, at, assignments, tariffs, [], pricing.fresh_history((0, 9)))


def closed(ident: int, lot_id: int, entry_at: datetime, exit_at: datetime, vehicle_class: str = "car") -> ClosedStay:
    return ClosedStay(0, ident, 9, 3, lot_id, vehicle_class, entry_at, exit_at)


def past(seed: int, tariff: Tariff, vehicle_class: str, *, first: int, around: datetime) -> list[Rated]:
    """Stays of the card in the days around an instant, in order of exit, then id."""
    chance = random.Random(seed)
    stays = []
    for ident in range(first, first + chance.randrange(2, 8)):
        entry_at = around + timedelta(seconds=chance.randrange(-2 * 86_400, 43_200))
        leaving = entry_at + timedelta(seconds=chance.randrange(60, 20_000))
        stays.append(closed(ident, chance.choice([HERE, THERE]), entry_at, leaving, vehicle_class))
    stays.sort(key=lambda stay: (stay.exit_at, stay.stay_id))
    return [Rated(stay, bytes.fromhex(tariff.sha256), tariff) for stay in stays]


def priced(found: Grounds, exit_at: datetime) -> PricedStay | None:
    """What the pipeline makes of the stay when it ends then, after the others that wait."""
    stay = found.stay
    sha256 = version_for(found.assignments, entry_at=stay.entry_at, exit_at=exit_at)
    assert sha256 is not None
    ended = closed(stay.stay_id, stay.lot_id, stay.entry_at, exit_at, stay.vehicle_class)
    waiting = [*found.earlier, Rated(ended, sha256, found.tariffs[sha256])]
    waiting.sort(key=lambda one: (one.stay.exit_at, one.stay.stay_id))
    settled = pricing.settle(found.history, waiting)
    return next((one for one in settled.priced if one.stay_id == stay.stay_id), None)


def fee_minor(found: Grounds, exit_at: datetime) -> int:
    one = priced(found, exit_at)
    assert one is not None
    return one.fee_minor


def said_of_later_exits(found: Grounds, quoted: Quote, chance: random.Random) -> None:
    now_minor = quoted.record["fee_minor"]
    last = quoted.rises_at - SECOND if quoted.rises_at else found.at + DAY
    within_s = int((last - found.at).total_seconds())
    before = [found.at + timedelta(seconds=chance.randint(0, within_s)) for _ in range(5)]
    assert [at for at in [*before, last] if fee_minor(found, at) > now_minor] == []
    if quoted.rises_at:
        assert quoted.rises_at > found.at
        assert fee_minor(found, quoted.rises_at) == quoted.rises_to_minor
        assert quoted.rises_to_minor is not None
        assert quoted.rises_to_minor > now_minor
    assert quoted.free_until == (max(found.at, last) if now_minor == 0 and quoted.rises_at else None)


@pytest.mark.parametrize("name", NAMES)
def test_a_quote_is_the_price_that_the_stay_then_gets(name: str) -> None:
    tariff, vehicle_class = ready(name), "nev" if name.endswith("nev") else "car"
    chance = random.Random(name)
    fees = set()
    for seed in range(6):
        entry_at = NOON + timedelta(milliseconds=chance.randrange(5 * 86_400_000))
        at = entry_at + timedelta(milliseconds=chance.choice([1_000, 600_000, 7_200_000, 200_000_000, 0]))
        plain = grounds((tariff, NOON - AGES), entry_at=entry_at, at=at, vehicle_class=vehicle_class)
        settled = pricing.settle(plain.history, past(seed, tariff, vehicle_class, first=100, around=at - DAY))
        waiting = past(seed + 1_000, tariff, vehicle_class, first=498, around=at)
        waiting = [one for one in waiting if one.stay.stay_id != plain.stay.stay_id and tariff.needs_history]
        found = Grounds(plain.stay, at, plain.assignments, plain.tariffs, waiting, settled.history)
        quoted, live = answer(found), priced(found, at)
        assert live is not None
        record = json.loads(live.fee_lines)
        assert quoted.record == record
        assert quoted.quote_id == quote_id(live.stay_id, record)
        fees.add(live.fee_minor)
        said_of_later_exits(found, quoted, chance)
        # Nothing was used up by asking.
        assert answer(found) == quoted
    assert fees != {0}


def test_an_earlier_stay_that_waits_for_its_price_counts_before_and_a_later_one_after() -> None:
    tariff = hourly(180, of_plan='caps: [{max: 400, over: {daily: "00:00"}, scope: account, pool: city}],')
    found = grounds((tariff, NOON - AGES), entry_at=NOON, at=NOON + timedelta(minutes=90))

    def with_other(exit_at: datetime) -> Sequence[Rated]:
        other = closed(7, THERE, exit_at - timedelta(minutes=30), exit_at)
        return [Rated(other, bytes.fromhex(tariff.sha256), tariff)]

    fees = [
        answer(Grounds(found.stay, found.at, found.assignments, found.tariffs, others, found.history))
        for others in ([], with_other(found.at - SECOND), with_other(found.at + SECOND))
    ]
    assert [one.record["fee_minor"] for one in fees] == [360, 220, 360]
    # The one that ends a second later leaves 220 of the day's 400 as well: only the next day makes it dearer.
    midnight = datetime(2026, 6, 4, 4, tzinfo=UTC)
    rises = [NOON + timedelta(hours=2), midnight, midnight]
    assert [(one.rises_at, one.rises_to_minor) for one in fees] == [(at + SECOND, 400) for at in rises]


def test_a_version_that_counts_back_makes_the_fee_rise_when_it_comes_into_force() -> None:
    change = NOON + timedelta(minutes=90, seconds=17)
    versions = (hourly(180), NOON - AGES), (hourly(200, of_tariff="version_at: exit,"), change)
    quoted = answer(grounds(*versions, entry_at=NOON, at=NOON + timedelta(minutes=70)))
    assert (quoted.record["fee_minor"], quoted.rises_at, quoted.rises_to_minor) == (360, change, 400)
    assert quoted.record["tariff_sha256"] == versions[0][0].sha256


def test_leaving_costs_nothing_until_the_last_second_of_the_grace() -> None:
    tariff = hourly(180, of_plan="grace: {minutes: 30},")
    entry_at = NOON + timedelta(milliseconds=700)

    def quoted(after: timedelta) -> tuple[int, datetime | None, datetime | None]:
        one = answer(grounds((tariff, NOON - AGES), entry_at=entry_at, at=entry_at + after))
        return one.record["fee_minor"], one.free_until, one.rises_at

    ends = NOON + timedelta(minutes=30)
    assert quoted(timedelta()) == (0, ends, ends + SECOND)
    # A begun second counts from its start, so the whole last one is free.
    assert quoted(timedelta(minutes=30, milliseconds=200)) == (0, ends + timedelta(milliseconds=900), ends + SECOND)
    assert quoted(timedelta(minutes=30, milliseconds=300)) == (180, None, NOON + timedelta(hours=1, seconds=1))


def test_beyond_the_last_second_with_a_price_nothing_is_said() -> None:
    tariff = hourly(180, of_plan="if: {minutes: {lt: 60}},")
    quoted = answer(grounds((tariff, NOON - AGES), entry_at=NOON, at=NOON + timedelta(minutes=5)))
    assert (quoted.record["fee_minor"], quoted.rises_at, quoted.rises_to_minor) == (180, None, None)
    with pytest.raises(NoPriceThen) as refused:
        answer(grounds((tariff, NOON - AGES), entry_at=NOON, at=NOON + timedelta(minutes=60)))
    assert refused.value.message.count("\n") == 0
    with pytest.raises(NoTariffInForce):
        answer(grounds((tariff, NOON + SECOND), entry_at=NOON, at=NOON + DAY))


def test_an_id_changes_with_each_part_that_it_is_made_of() -> None:
    record = {"tariff_sha256": "ab", "tzdata_version": "2026a", "exit_s": 1_800_000_000, "fee_minor": 180}
    others: list[dict[str, object]]
    others = [{"tariff_sha256": "ac"}, {"tzdata_version": "2026b"}, {"exit_s": 1_800_000_001}, {"fee_minor": 181}]
    idents = [quote_id(5, record), quote_id(6, record), *(quote_id(5, {**record, **other}) for other in others)]
    assert len(set(idents)) == len(idents)
    assert quote_id(5, {**record, "lines": []}) == idents[0]
