"""The real day and the trouble chosen from it."""

from pathlib import Path

import pytest

from gate_sim import town
from gate_sim.scenario import REPLAY_AFTER_MS, choose_trouble


def test_the_demo_day_is_the_day_of_the_source() -> None:
    stays = town.demo_day()
    assert (len(stays), len(town.lots_of(stays)), sum(stay.charged_minor for stay in stays)) == (407, 14, 100_200)
    assert len(town.passages_of(stays)) == 814


def test_a_bay_without_a_vehicle_is_a_driver_of_its_own() -> None:
    bays = [stay for stay in town.demo_day() if stay.driver.startswith("bay-")]
    assert len(bays) == len({stay.driver for stay in bays}) == 100


def test_a_later_day_has_the_same_local_times() -> None:
    stays = town.demo_day()
    shifted = town.later(stays, 3)
    assert {stay.entry_at.date().isoformat() for stay in shifted} == {"2017-10-23"}
    assert [stay.exit_at.time() for stay in shifted] == [stay.exit_at.time() for stay in stays]


@pytest.mark.parametrize("count", [4, 10, 40, 407])
def test_any_part_of_the_day_has_all_the_trouble(count: int) -> None:
    stays = town.demo_day()[:count]
    trouble = choose_trouble(stays)
    assert trouble == choose_trouble(stays)
    assert trouble.late_gate != trouble.offline_gate
    assert trouble.screenshot.lot != trouble.screenshot.taken.lot
    assert trouble.screenshot.at_ms == trouble.screenshot.taken.at_ms + REPLAY_AFTER_MS
    lot, direction = trouble.offline_gate
    hidden = [
        passage
        for passage in town.passages_of(stays)
        if (passage.lot, passage.direction) == (lot, direction)
        and trouble.offline_from_ms <= passage.at_ms < trouble.offline_from_ms + 7_200_000
    ]
    assert hidden


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        ("stay_id,lot_id\n", "no column vehicle_ref"),
        ("stay_id,lot_id,vehicle_ref,entry_at,exit_at,charged_cents\n", "holds no stays"),
        (
            "stay_id,lot_id,vehicle_ref,entry_at,exit_at,charged_cents\n"
            "1,L,v,2017-10-20T08:00:00,2017-10-20T09:00:00,5\n",
            "line 2: entry_at and exit_at need an offset",
        ),
        (
            "stay_id,lot_id,vehicle_ref,entry_at,exit_at,charged_cents\n"
            "1,L,v,2017-10-20T10:00:00-04:00,2017-10-20T09:00:00-04:00,5\n",
            "exit_at is not after entry_at",
        ),
        ("stay_id,lot_id,vehicle_ref,entry_at,exit_at,charged_cents\n1,L,v,noon,one,5\n", "line 2"),
    ],
)
def test_a_wrong_table_is_refused_with_its_line(tmp_path: Path, content: str, wanted: str) -> None:
    path = tmp_path / "stays.csv"
    path.write_text(content)
    with pytest.raises(town.TableInvalid, match=wanted):
        town.read_stays(path)


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(town.TableInvalid, match=r"nothing\.csv"):
        town.read_stays(tmp_path / "nothing.csv")
