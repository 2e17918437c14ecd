"""Adjusting charged stays that were corrected: the difference moves once, and not while an attempt lives."""

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from parkflow.adjustment import store
from parkflow.adjustment.rules import Plan, StayCharge, plan
from parkflow.adjustment.store import Made
from parkflow.charge import service as charges
from parkflow.charge.service import NewCharge
from parkflow.db.conn import Conn
from parkflow.jobs.failpoint import failpoint
from parkflow.kit.ids import derived_id
from parkflow.ledger import service as ledger
from parkflow.parking import charged
from parkflow.parking.charged import CorrectedStay
from parkflow.refund import service as refunds
from parkflow.settings import Settings

# Each takes some statements of its own; corrections are few.
STAYS_PER_PASS_MAX: Final = 200
_log = logging.getLogger("parkflow.adjustment")


async def adjust(conn: Conn, *, owner: str, buckets: Sequence[int], settings: Settings, now: datetime) -> int:
    """Let the money follow stays that were corrected since they were charged; how many are done. Raises NoOpenDay.

    What a stay's charges come to is read from its adjustments, so one that is made again finds nothing to do.
    """
    stays = await charged.to_adjust(conn, owner=owner, buckets=buckets, limit=STAYS_PER_PASS_MAX)
    if not stays:
        return 0
    # The day comes first: a close that waits for us must not hold what we are about to wait for.
    await ledger.hold_open_days(conn, (stay.operator_id for stay in stays))
    return sum([await _adjust(conn, stay, settings=settings, now=now) for stay in stays])


async def _adjust(conn: Conn, stay: CorrectedStay, *, settings: Settings, now: datetime) -> bool:
    # Whoever has the first charge's lock may adjust the stay; a claim to try one of its charges waits, or is seen.
    first_minor = await charges.lock(conn, [stay.stay_id])
    made = await store.adjustments(conn, stay)
    others = [one.charge_id for one in made if one.charge_id is not None]
    await charges.lock(conn, others)
    from_minor = made[-1].to_minor if made else first_minor
    planned = plan(
        from_minor=from_minor, to_minor=stay.fee_minor, charges=await _charges(conn, [stay.stay_id, *others], settings)
    )
    if planned is None:
        return False
    failpoint("adjust.planned")
    # Whoever corrects the stay again waits for us from here on, or we leave it to the next pass.
    if not await charged.note_adjusted(conn, stay):
        return False
    if planned.from_minor != planned.to_minor:
        number = made[-1].number + 1 if made else 1
        await _move(conn, stay, planned, number, settings=settings, now=now)
    failpoint("adjust.moved")
    return True


async def _charges(conn: Conn, charge_ids: Sequence[int], settings: Settings) -> list[StayCharge]:
    found = await charges.of_ids(conn, charge_ids)
    tried = await charges.being_tried(conn, charge_ids)
    left = {one.charge_id: await refunds.left_minor(conn, one.charge_id, settings=settings) for one in found}
    return [
        StayCharge(one.charge_id, one.net_minor, one.state, one.charge_id in tried, left[one.charge_id])
        for one in sorted(found, key=lambda one: charge_ids.index(one.charge_id))
    ]


async def _move(
    conn: Conn, stay: CorrectedStay, planned: Plan, number: int, *, settings: Settings, now: datetime
) -> None:
    for charge in planned.waive:
        await charges.waive(conn, charge_id=charge.charge_id, now=now, occurred_at=stay.occurred_at)
    failpoint("adjust.waived")
    charge_id = None
    if planned.raise_minor:
        charge_id = derived_id(stay.bucket, b"adjustment", stay.stay_id.to_bytes(8, "big"), number.to_bytes(4, "big"))
        delay = settings.deduct_delay_seconds
        await charges.raise_charges(
            conn, [_charge(stay, charge_id, planned.raise_minor)], now=now, deduct_delay_seconds=delay
        )
    failpoint("adjust.raised")
    for paid_id, amount_minor in planned.refunds:
        await refunds.request_correction(conn, charge_id=paid_id, amount_minor=amount_minor, settings=settings, now=now)
    failpoint("adjust.refunded")
    await store.insert(conn, stay, planned, Made(number, planned.to_minor, charge_id), now)
    if planned.short_minor:
        _log.error("stay %d: %d could not be given back, it was before", stay.stay_id, planned.short_minor)


def _charge(stay: CorrectedStay, charge_id: int, amount_minor: int) -> NewCharge:
    return NewCharge(
        bucket=stay.bucket,
        charge_id=charge_id,
        kind="adjustment",
        card_id=stay.card_id,
        operator_id=stay.operator_id,
        lot_id=stay.lot_id,
        gross_minor=amount_minor,
        discount_minor=0,
        currency=stay.currency,
        occurred_at=stay.occurred_at,
        tariff_sha256=stay.tariff_sha256,
    )
