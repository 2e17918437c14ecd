"""Tariff versions: published once, never changed, assigned to lots from an instant on."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from parkflow import core
from parkflow.db.conn import Conn
from parkflow.kit.errors import NotFound, ParkflowError
from parkflow.lot import service as lot_service
from parkflow.operator import service as operator_service
from parkflow.tariff import store
from parkflow.tariff.rules import Assignment, VersionAt, version_for
from parkflow.tariff.store import NewVersion, TariffVersion, TimetableLine
from parkflow.tariff.templates import ready_texts

__all__ = ["TariffVersion", "TimetableLine"]

# A parsed tariff is a few kilobytes; a city has tens of them, each with a few versions in use.
_PARSED_MAX: Final = 512
# Two texts of one tariff published at once both want the next number; the second takes the one after.
_PUBLISH_TRIES: Final = 5


class TariffInvalid(ParkflowError):
    """The text is not a tariff in PTL/1."""

    code = "tariff_invalid"
    status = 422


class TariffDoesNotFit(ParkflowError):
    """A tariff's currency must be its operator's, and its time zone the lot's."""

    code = "tariff_does_not_fit"
    status = 409


class TariffInThePast(ParkflowError):
    """A tariff cannot replace another in the past: fees of that time may be charged already."""

    code = "tariff_in_the_past"
    status = 409


class TariffAlreadyAssigned(ParkflowError):
    """The lot has another tariff from exactly this instant; choose a later one."""

    code = "tariff_already_assigned"
    status = 409


class TariffNotValidThen(ParkflowError):
    """A version is assigned from an instant at which it is valid by its own text."""

    code = "tariff_not_valid_then"
    status = 409


class AssignmentInForce(ParkflowError):
    """A tariff that is or was in force stays assigned: fees were charged by it. Assign another from later on."""

    code = "assignment_in_force"
    status = 409


class TariffBusy(ParkflowError):
    """Other versions of this tariff are being published right now; try again."""

    code = "tariff_busy"
    status = 409


async def publish(conn: Conn, *, operator_id: int, source: str, now: datetime) -> TariffVersion:
    """The version made of the PTL/1 text `source`; the same text again gives the same version.

    A text that starts from a ready tariff is kept written out: a later release may bring that one with other prices.
    Raises TariffInvalid, naming the place in the text, and TariffDoesNotFit when the currency is not the operator's.
    """
    parsed, kept = _checked(source)
    operator = await operator_service.get(conn, operator_id)
    if parsed.currency != operator.currency:
        raise TariffDoesNotFit(
            f"the tariff is in {parsed.currency}, but the operator's currency is {operator.currency}"
        )
    sha256 = bytes.fromhex(parsed.sha256)
    new = NewVersion(
        parsed.id,
        sha256,
        kept,
        parsed.currency,
        parsed.timezone,
        VersionAt(parsed.version_at),
        _instant(parsed.valid_from_s),
        _instant(parsed.valid_to_s),
    )
    for _ in range(_PUBLISH_TRIES):
        await store.insert_version(conn, operator_id, new, now)
        if (found := await store.version(conn, operator_id, sha256)) is not None:
            return found
    raise TariffBusy


def checked(source: str) -> core.Tariff:
    """The tariff of a PTL/1 text that may become a version. Raises TariffInvalid, naming the place in the text."""
    return _checked(source)[0]


async def versions(conn: Conn, *, operator_id: int) -> list[TariffVersion]:
    """All versions of the operator's tariffs, each tariff's newest first."""
    return await store.versions(conn, operator_id)


async def get(conn: Conn, *, operator_id: int, sha256: bytes) -> TariffVersion:
    """Raises NotFound, also for a text that only another operator has published."""
    found = await store.version(conn, operator_id, sha256)
    if found is None:
        raise NotFound("the operator has published no tariff of this sha256")
    return found


async def assign(
    conn: Conn, *, operator_id: int, lot_id: int, sha256: bytes, valid_from: datetime, now: datetime
) -> None:
    """Stays that begin (or end, by its `version_at`) from `valid_from` on are priced by this version.

    The same again changes nothing. A lot's first tariff may begin in the past, later ones may not. Raises NotFound,
    TariffDoesNotFit, TariffNotValidThen, TariffInThePast, TariffAlreadyAssigned.
    """
    lot = await lot_service.get(conn, operator_id=operator_id, lot_id=lot_id)
    version = await get(conn, operator_id=operator_id, sha256=sha256)
    if version.time_zone != lot.time_zone:
        raise TariffDoesNotFit(f"the tariff's time zone is {version.time_zone}, but the lot's is {lot.time_zone}")
    _require_valid(version, valid_from)
    await store.lock_lot(conn, lot_id)
    first_from, _ = await store.assigned(conn, lot_id, valid_from)
    if first_from is not None and first_from < valid_from < now:
        raise TariffInThePast
    await store.assign(conn, lot_id=lot_id, valid_from=valid_from, operator_id=operator_id, sha256=sha256)
    if (await store.assigned(conn, lot_id, valid_from))[1] != sha256:
        raise TariffAlreadyAssigned


async def cancel(conn: Conn, *, operator_id: int, lot_id: int, valid_from: datetime, now: datetime) -> bytes:
    """Take back an assignment that has not begun; the hash that it assigned. Raises NotFound, AssignmentInForce."""
    await lot_service.get(conn, operator_id=operator_id, lot_id=lot_id)
    await store.lock_lot(conn, lot_id)
    taken_back = await store.cancel(conn, lot_id=lot_id, valid_from=valid_from, now=now)
    if taken_back is not None:
        return taken_back
    if (await store.assigned(conn, lot_id, valid_from))[1] is not None:
        raise AssignmentInForce
    raise NotFound("the lot has no tariff assigned from exactly this instant")


async def timetable(conn: Conn, *, operator_id: int, lot_id: int) -> list[TimetableLine]:
    """From when on the lot has which version, past and future, in order. Raises NotFound."""
    await lot_service.get(conn, operator_id=operator_id, lot_id=lot_id)
    return await store.timetable(conn, lot_id)


async def in_force(
    conn: Conn, lot_ids: Sequence[int], entries: Sequence[datetime], exits: Sequence[datetime]
) -> list[bytes | None]:
    """For each stay, by its lot and ends, the hash of the version that prices it, or None."""
    by_lot = await store.assignments(conn, sorted(set(lot_ids)))
    return [
        version_for(by_lot.get(lot_id, ()), entry_at=entry_at, exit_at=exit_at)
        for lot_id, entry_at, exit_at in zip(lot_ids, entries, exits, strict=True)
    ]


async def assignments(conn: Conn, lot_id: int) -> Sequence[Assignment]:
    """All that were ever assigned to the lot, in order of their beginning: what `version_for` chooses from."""
    return (await store.assignments(conn, [lot_id])).get(lot_id, [])


async def parsed(conn: Conn, hashes: Sequence[bytes]) -> Mapping[bytes, core.Tariff]:
    """The tariffs of the hashes, ready to price."""
    return {sha256: _parsed(source) for sha256, source in (await store.sources(conn, hashes)).items()}


def _require_valid(version: TariffVersion, at: datetime) -> None:
    if version.valid_from is not None and at < version.valid_from:
        raise TariffNotValidThen(f"this version is valid from {version.valid_from.isoformat()}; assign it from then on")
    if version.valid_to is not None and at >= version.valid_to:
        raise TariffNotValidThen(
            f"this version is valid until {version.valid_to.isoformat()}; publish one that is longer"
        )


def _instant(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _checked(source: str) -> tuple[core.Tariff, str]:
    """The tariff, and the text that gives it without templates."""
    try:
        tariff = core.Tariff.load(source, ready_texts())
    except core.TariffError as error:
        raise TariffInvalid(" ".join(str(error).split())) from error
    try:
        _parsed(source)
    except core.TariffError:
        return tariff, tariff.canonical_json
    return tariff, source


@lru_cache(maxsize=_PARSED_MAX)
def _parsed(source: str) -> core.Tariff:
    return core.Tariff.load(source)
