"""Which version prices a stay (PTL/1, S19): that of the entry, or of the exit where that one counts back."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from parkflow.tariff.rules import Assignment, VersionAt, version_for, versions_for

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(day: int | None) -> datetime | None:
    return None if day is None else START + timedelta(days=day)


def version(
    name: str, day: int, rule: str = "entry", valid: tuple[int | None, int | None] = (None, None)
) -> Assignment:
    return Assignment(1, START + timedelta(days=day), name.encode(), VersionAt(rule), at(valid[0]), at(valid[1]))


ENTRY_ENTRY = [version("a", 0), version("b", 10)]
ENTRY_EXIT = [version("a", 0), version("b", 10, "exit")]
EXIT_ENTRY = [version("a", 0, "exit"), version("b", 10)]
EXPIRING = [version("a", 0), version("b", 10, valid=(12, 20))]


@pytest.mark.parametrize(
    ("assignments", "entry_day", "exit_day", "expected"),
    [
        ([], 0, 1, None),
        (ENTRY_ENTRY, -1, 5, None),
        (ENTRY_ENTRY, 0, 5, "a"),
        (ENTRY_ENTRY, 9, 11, "a"),
        (ENTRY_ENTRY, 10, 11, "b"),
        (ENTRY_EXIT, 9, 10, "b"),
        (ENTRY_EXIT, -1, 10, "b"),
        (ENTRY_EXIT, 8, 9, "a"),
        # The later version does not count back, and the earlier one is what the entry found.
        (EXIT_ENTRY, 9, 11, "a"),
        (EXPIRING, 11, 12, "a"),
        (EXPIRING, 12, 30, "b"),
        (EXPIRING, 20, 21, "a"),
    ],
)
def test_the_version_of_a_stay(
    assignments: list[Assignment], entry_day: int, exit_day: int, expected: str | None
) -> None:
    chosen = version_for(
        assignments, entry_at=START + timedelta(days=entry_day), exit_at=START + timedelta(days=exit_day)
    )
    assert chosen == (None if expected is None else expected.encode())


@pytest.mark.parametrize("assignments", [[], ENTRY_ENTRY, ENTRY_EXIT, EXIT_ENTRY, EXPIRING])
def test_the_versions_of_all_exits_of_a_time_are_found(assignments: list[Assignment]) -> None:
    days = [START + timedelta(days=day) for day in range(-2, 24)]
    for entry_at, exit_from, exit_to in itertools.combinations(days, 3):
        exits = [at for at in days if exit_from <= at <= exit_to]
        chosen = {version_for(assignments, entry_at=entry_at, exit_at=exit_at) for exit_at in exits}
        found = versions_for(assignments, entry_at=entry_at, exit_from=exit_from, exit_to=exit_to)
        assert found == chosen - {None}
