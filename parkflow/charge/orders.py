"""Recording attempts: who pays through what, the number and the exact bytes, committed before any of them leaves."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from parkflow.agreement.state import AgreementState
from parkflow.card import service as cards
from parkflow.channel import onboarding
from parkflow.channel.port import DeductRequest, FailReason, Outcome, Result
from parkflow.charge import rules, store
from parkflow.charge.store import Charge, Draft
from parkflow.db.conn import Conn
from parkflow.kit.errors import ParkflowError
from parkflow.kit.ids import to_text
from parkflow.kit.money import Minor
from parkflow.services import Services
from parkflow.settings import Settings

# Attempts that the API makes for a driver who waits; workers leave them alone for a while.
EDGE_OWNER: Final = "edge"
# Longer than any call to a channel lasts: whoever finds an attempt older than this may ask about it.
IN_FLIGHT_MAX: Final = timedelta(seconds=60)
_DAY: Final = timedelta(days=1)
_MONTH: Final = timedelta(days=30)
_SUBJECTS: Final = {"stay": "Parking", "deposit": "Card deposit", "adjustment": "Parking, corrected"}


class TooManyAttempts(ParkflowError):
    """This charge was declined too often lately; try again tomorrow."""

    code = "too_many_attempts"
    status = 429


@dataclass(frozen=True, slots=True)
class Recorded:
    """An attempt that is on record. `refusal` says why our own rules end it before any byte leaves."""

    draft: Draft
    refusal: FailReason | None

    @property
    def result(self) -> Result:
        """The answer that our own rules give."""
        return Result(Outcome.FAILED, self.draft.order_no, self.refusal, raw_code="own_rules")


async def record(
    services: Services, conn: Conn, charges: Sequence[Charge], *, purpose: str, owner: str, now: datetime
) -> list[Recorded]:
    """One attempt for each of the charges that nobody else is trying; commit before sending.

    A worker's claim is fenced by its leases; the edge's by the charge's own row alone.
    """
    drafts = await _draft(services, conn, charges, purpose=purpose)
    fence = None if owner == EDGE_OWNER else owner
    claimed = await store.claim_charges(conn, [one.draft.charge for one in drafts], fence=fence)
    recorded = [one for one in drafts if one.draft.charge.charge_id in claimed]
    await store.insert_attempts(
        conn, [one.draft for one in recorded], owner=owner, now=now, look_again_at=now + IN_FLIGHT_MAX
    )
    return recorded


async def mark_sent(conn: Conn, recorded: Sequence[Recorded], *, owner: str, now: datetime) -> list[Recorded]:
    """Those that may be sent now; commit before sending."""
    sent = await store.send_attempts(
        conn,
        [one.draft.order_no for one in recorded],
        [one.draft.charge.bucket for one in recorded],
        owner=owner,
        now=now,
        look_again_at=now + IN_FLIGHT_MAX,
    )
    return [one for one in recorded if one.draft.order_no in sent]


async def over_ceiling(conn: Conn, charges: Sequence[Charge], *, settings: Settings, now: datetime) -> set[int]:
    """Charges that were declined as often as a channel bears in a day or a month."""
    often = [charge.charge_id for charge in charges if charge.attempt_count >= settings.declines_per_24_hours_max]
    if not often:
        return set()
    counts = await store.count_recent_declines(conn, often, day_ago=now - _DAY, month_ago=now - _MONTH)
    return {
        charge_id
        for charge_id, (in_day, in_month) in counts.items()
        if in_day >= settings.declines_per_24_hours_max or in_month >= settings.declines_per_30_days_max
    }


async def _draft(services: Services, conn: Conn, charges: Sequence[Charge], *, purpose: str) -> list[Recorded]:
    payers = await cards.payers(conn, [(charge.bucket, charge.card_id) for charge in charges])
    lots = [(charge.lot_id, payers[charge.card_id].channel) for charge in charges if charge.lot_id is not None]
    deducting = await onboarding.deducting(conn, sorted(set(lots)))
    drafts = []
    for charge in charges:
        payer = payers[charge.card_id]
        if payer.channel not in services.channels:
            continue  # this process was started before the channel was registered; another one has it
        refusal = None
        if payer.ref is None or payer.state is not AgreementState.ACTIVE:
            refusal = FailReason.AGREEMENT_GONE
        elif charge.lot_id is not None and (charge.lot_id, payer.channel) not in deducting:
            refusal = FailReason.LOT_NOT_LIVE
        order_no = rules.order_number(charge.charge_id, charge.attempt_count + 1)
        request = services.channels[payer.channel].compose_deduct(
            DeductRequest(
                order_no=order_no,
                amount_minor=Minor(charge.net_minor),
                currency=charge.currency,
                subject=_SUBJECTS[charge.kind],
                lot_ref="" if charge.lot_id is None else to_text("lot", charge.lot_id),
                payer_ref=payer.ref or "",
                purpose=purpose,
            )
        )
        drafts.append(Recorded(Draft(charge, order_no, purpose, payer.channel, payer.ref or "", request), refusal))
    return drafts


def last_order(charge: Charge) -> str | None:
    """The number of the charge's latest attempt; None when it was never tried."""
    return rules.order_number(charge.charge_id, charge.attempt_count) if charge.attempt_count else None
