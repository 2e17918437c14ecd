"""Charges as other rooms see them: raised once, counted as arrears, waived, given back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from parkflow import core
from parkflow.charge import store
from parkflow.charge.state import ChargeState
from parkflow.charge.store import Charge, NewCharge
from parkflow.db.conn import Conn
from parkflow.kit.errors import ParkflowError
from parkflow.kit.ids import bucket_of
from parkflow.ledger import service as ledger
from parkflow.ledger.service import Posting
from parkflow.parking import charged

__all__ = ["ArrearsRow", "Charge", "NewCharge", "PaidOrder", "Surplus"]

# A surplus is refunded in the pass after it is found; what is older than this has its refund on record.
_SURPLUS_LOOK_BACK: Final = timedelta(days=30)
# So many charges hold their operators' open days for less than a second.
CHARGES_PER_PASS_MAX: Final = 5_000


class ChargeNotWaivable(ParkflowError):
    """Only a charge that is due or in arrears, and not being tried at this moment, can be waived."""

    code = "charge_not_waivable"
    status = 409


@dataclass(frozen=True, slots=True)
class ArrearsRow:
    """A charge that has just become arrears."""

    bucket: int
    charge_id: int
    card_id: int
    amount_minor: int


@dataclass(frozen=True, slots=True)
class PaidOrder:
    """The order that paid a charge, and how much of it can still be given back."""

    order_no: str
    channel: str
    amount_minor: int
    left_minor: int
    currency: str
    operator_id: int
    card_id: int


@dataclass(frozen=True, slots=True)
class Surplus:
    """A second success for a charge: its whole amount goes back."""

    bucket: int
    charge_id: int
    order_no: str
    channel: str
    amount_minor: int
    currency: str
    operator_id: int
    card_id: int


async def raise_charges(
    conn: Conn, charges: Sequence[NewCharge], *, now: datetime, deduct_delay_seconds: int = 0
) -> list[int]:
    """Make charges due `deduct_delay_seconds` from now; the ids of those that are new.

    A deposit waits for its driver to pay it; other money is owed from now on, and the ledger says so.
    Raises NoOpenDay.
    """
    if not charges:
        return []
    days = await ledger.hold_open_days(conn, (charge.operator_id for charge in charges))
    due_at = now + timedelta(seconds=deduct_delay_seconds)
    ordered = sorted(charges, key=lambda charge: charge.charge_id)
    inserted = await store.insert_charges(
        conn, ordered, days=[days[charge.operator_id] for charge in ordered], due_at=due_at, now=now
    )
    new = [charge for charge in ordered if charge.charge_id in inserted]
    await ledger.post(conn, [_raised(charge) for charge in new if charge.kind != "deposit"], now=now)
    return [charge.charge_id for charge in new]


async def raise_for_priced(
    conn: Conn, buckets: Sequence[int], *, now: datetime, deduct_delay_seconds: int, limit: int = CHARGES_PER_PASS_MAX
) -> int:
    """Charge the priced stays of these buckets that have no charge yet; how many stays that were. Raises NoOpenDay."""
    stays = await charged.to_charge(conn, buckets, limit=limit)
    await ledger.hold_open_days(conn, (stay.operator_id for stay in stays))
    # First the note, which fails for a stay that is being corrected: what is charged is what the stay costs.
    noted = await charged.note_charged(conn, stays, now=now)
    charges = [
        NewCharge(
            bucket=stay.bucket,
            charge_id=stay.stay_id,
            kind="stay",
            card_id=stay.card_id,
            operator_id=stay.operator_id,
            lot_id=stay.lot_id,
            gross_minor=stay.fee_minor,
            discount_minor=0,
            currency=stay.currency,
            occurred_at=stay.exit_at,
            tariff_sha256=stay.tariff_sha256,
        )
        for stay in stays
        if stay.stay_id in noted
    ]
    await raise_charges(conn, charges, now=now, deduct_delay_seconds=deduct_delay_seconds)
    return len(stays)


async def mark_arrears(conn: Conn, *, operator_id: int, now: datetime) -> list[ArrearsRow]:
    """What was asked for and declined becomes arrears; what is being tried now is not decided yet and stays."""
    rows = await store.mark_arrears(conn, operator_id)
    marked = [ArrearsRow(row["bucket"], row["charge_id"], row["card_id"], row["net_minor"]) for row in rows]
    return sorted(marked, key=lambda row: row.charge_id)


async def open_charges(conn: Conn, card_ids: Sequence[int]) -> list[Charge]:
    """What these cards still owe (due, attempting or in arrears), oldest first."""
    return await store.open_charges(conn, sorted(set(card_ids)))


async def states(conn: Conn, charge_ids: Sequence[int]) -> Mapping[int, ChargeState]:
    """The state of each charge that exists."""
    found = await store.charges(conn, sorted(set(charge_ids)))
    return {charge.charge_id: ChargeState(charge.state) for charge in found}


async def lock(conn: Conn, charge_ids: Sequence[int]) -> int:
    """Lock charges until the transaction ends, so that nobody begins to try them; their sum."""
    return sum([await store.lock_amount(conn, charge_id) for charge_id in sorted(charge_ids)])


async def of_ids(conn: Conn, charge_ids: Sequence[int]) -> list[Charge]:
    """These charges, oldest first."""
    return await store.charges(conn, sorted(set(charge_ids)))


async def being_tried(conn: Conn, charge_ids: Sequence[int]) -> set[int]:
    """Those of which an attempt may still succeed."""
    return {charge_id for charge_id in charge_ids if await store.has_live_attempt(conn, charge_id)}


async def waive(conn: Conn, *, charge_id: int, now: datetime, occurred_at: datetime | None = None) -> None:
    """The operator gives up its claim, for what happened at `occurred_at` (default: now).

    Raises ChargeNotWaivable, NoOpenDay.
    """
    found = await store.charges(conn, [charge_id])
    if not found:
        raise ChargeNotWaivable
    await ledger.hold_open_days(conn, [found[0].operator_id])
    row = await store.waive_charge(conn, charge_id)
    if row is None:
        raise ChargeNotWaivable
    if row["kind"] != "deposit":
        transfer = core.charge_waived(
            card_id=row["card_id"],
            operator_id=row["operator_id"],
            charge_id=charge_id,
            amount_minor=row["net_minor"],
        )
        posting = Posting(bucket_of(charge_id), row["operator_id"], row["currency"], transfer, occurred_at or now)
        await ledger.post(conn, [posting], now=now)


async def surplus(conn: Conn, buckets: Sequence[int], *, now: datetime) -> list[Surplus]:
    """Second successes of late; what refunds them records each once."""
    rows = await store.surplus_attempts(conn, buckets, now - _SURPLUS_LOOK_BACK)
    return [Surplus(**row) for row in rows]


async def paid_order(conn: Conn, charge_id: int) -> PaidOrder | None:
    """The order whose money a charge has; None when it has none."""
    row = await store.paid_attempt(conn, charge_id)
    if row is None:
        return None
    return PaidOrder(
        order_no=row["order_no"],
        channel=row["channel"],
        amount_minor=row["amount_minor"],
        left_minor=row["net_minor"] - row["refunded_minor"],
        currency=row["currency"],
        operator_id=row["operator_id"],
        card_id=row["card_id"],
    )


async def note_refunded(conn: Conn, amounts: Sequence[tuple[int, int]]) -> None:
    """Money of paid charges was given back: (charge_id, minor units) each."""
    if amounts:
        await store.refund_charges(conn, amounts)


def _raised(charge: NewCharge) -> Posting:
    transfer = core.charge_raised(
        card_id=charge.card_id,
        operator_id=charge.operator_id,
        charge_id=charge.charge_id,
        amount_minor=charge.gross_minor - charge.discount_minor,
    )
    return Posting(charge.bucket, charge.operator_id, charge.currency, transfer, charge.occurred_at)
