"""The town of a simulation: real stays of City of Charlottesville, its lots, its drivers and their passages."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from importlib import resources
from pathlib import Path

COLUMNS = ("stay_id", "lot_id", "vehicle_ref", "entry_at", "exit_at", "charged_cents")
DEMO_DAY = "charlottesville_2017-10-20.csv"


class TableInvalid(Exception):
    """A table of stays that cannot be used: file, line and what would be right, in one line."""


@dataclass(frozen=True, slots=True)
class RealStay:
    """One stay as it was in 2017: `charged_minor` was really paid then. Instants are aware."""

    stay: str
    lot: str
    driver: str
    entry_at: datetime
    exit_at: datetime
    charged_minor: int


@dataclass(frozen=True, slots=True)
class Passage:
    """One car at one lane at one moment (unix milliseconds)."""

    at_ms: int
    lot: str
    direction: str
    driver: str
    stay: str


def demo_day() -> list[RealStay]:
    """Friday 2017-10-20: 407 stays in 14 lots."""
    with resources.as_file(resources.files("gate_sim") / "data" / DEMO_DAY) as path:
        return read_stays(path)


def read_stays(path: Path) -> list[RealStay]:
    """The stays of a CSV table with the columns of COLUMNS, in order of entry. Raises TableInvalid."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file)
            missing = [column for column in COLUMNS if column not in (rows.fieldnames or ())]
            if missing:
                raise TableInvalid(f"{path}: no column {missing[0]}; wanted are {', '.join(COLUMNS)}")
            stays = [_stay(path, rows.line_num, row) for row in rows]
    except (OSError, UnicodeDecodeError) as error:
        raise TableInvalid(f"{path}: {error}") from error
    if not stays:
        raise TableInvalid(f"{path}: holds no stays")
    return sorted(stays, key=lambda stay: (stay.entry_at, stay.stay))


def lots_of(stays: Sequence[RealStay]) -> list[str]:
    """The references of the lots, sorted."""
    return sorted({stay.lot for stay in stays})


def drivers_of(stays: Sequence[RealStay]) -> list[str]:
    """The names of the drivers, sorted."""
    return sorted({stay.driver for stay in stays})


def passages_of(stays: Sequence[RealStay]) -> list[Passage]:
    """Both ends of every stay, in order of time."""
    return sorted(_passages(stays), key=lambda passage: (passage.at_ms, passage.stay, passage.direction))


def later(stays: Sequence[RealStay], days: int) -> list[RealStay]:
    """The same stays, by the same drivers, so many calendar days later (local clock times stay the same)."""
    shift = timedelta(days=days)
    return [
        replace(stay, stay=f"{stay.stay}+{days}", entry_at=stay.entry_at + shift, exit_at=stay.exit_at + shift)
        for stay in stays
    ]


def _passages(stays: Sequence[RealStay]) -> Iterator[Passage]:
    for stay in stays:
        yield Passage(_milliseconds(stay.entry_at), stay.lot, "entry", stay.driver, stay.stay)
        yield Passage(_milliseconds(stay.exit_at), stay.lot, "exit", stay.driver, stay.stay)


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp()) * 1000


def _stay(path: Path, line: int, row: dict[str, str]) -> RealStay:
    try:
        entry_at, exit_at = datetime.fromisoformat(row["entry_at"]), datetime.fromisoformat(row["exit_at"])
        charged_minor = int(row["charged_cents"])
        if entry_at.tzinfo is None or exit_at.tzinfo is None:
            raise ValueError("entry_at and exit_at need an offset, as in 2017-10-20T07:44:11-04:00")
        if exit_at <= entry_at:
            raise ValueError("exit_at is not after entry_at")
        if not row["lot_id"] or not row["stay_id"]:
            raise ValueError("stay_id and lot_id are needed")
    except (TypeError, ValueError) as error:
        raise TableInvalid(f"{path}, line {line}: {error}") from error
    # A payment at a single bay has no vehicle: its chain of payments counts as a driver of its own.
    driver = row["vehicle_ref"] or f"bay-{row['stay_id']}"
    return RealStay(row["stay_id"], row["lot_id"], driver, entry_at, exit_at, charged_minor)
