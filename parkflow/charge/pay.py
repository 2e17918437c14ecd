"""Paying while the driver waits: deposits and repayments, by the same attempts as any deduct."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from parkflow.charge import deduct, orders, query, store
from parkflow.charge.orders import EDGE_OWNER, Recorded, TooManyAttempts
from parkflow.charge.state import ChargeState
from parkflow.charge.store import Charge
from parkflow.db.conn import Conn
from parkflow.db.tx import in_tx
from parkflow.kit.errors import NotFound
from parkflow.kit.ids import bucket_of
from parkflow.services import Services

__all__ = ["PayResult", "PayState", "TooManyAttempts", "pay_now"]

_OPEN: Final = frozenset({ChargeState.DUE, ChargeState.ARREARS})
_SETTLED: Final = frozenset({ChargeState.PAID, ChargeState.PART_REFUNDED, ChargeState.REFUNDED, ChargeState.WAIVED})


class PayState(StrEnum):
    """Where a charge stands after the driver has paid, or tried to."""

    PAID = "paid"
    DECLINED = "declined"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class PayResult:
    """One charge and what became of it; a waived one needs no money and counts as paid."""

    charge_id: int
    amount_minor: int
    currency: str
    state: PayState


async def pay_now(
    services: Services, *, bucket: int, charge_ids: Sequence[int], purpose: str, now: datetime
) -> list[PayResult]:
    """Try to take the money of these charges now, each at most once; `purpose` is deposit or repay.

    A charge that is being tried by somebody else is asked about instead. Raises NotFound, TooManyAttempts.
    """
    assert all(bucket_of(charge_id) == bucket for charge_id in charge_ids), "one payer's charges are in one bucket"
    wanted = sorted(set(charge_ids))

    async def claim(conn: Conn) -> list[Recorded]:
        found = await store.charges(conn, wanted)
        if len(found) != len(wanted):
            raise NotFound("there is no such charge")
        open_ones = [charge for charge in found if charge.state in _OPEN]
        if await orders.over_ceiling(conn, open_ones, settings=services.settings, now=now):
            raise TooManyAttempts
        return await orders.record(services, conn, open_ones, purpose=purpose, owner=EDGE_OWNER, now=now)

    recorded = await in_tx(services.pool, claim)
    if recorded:
        await deduct.send(services, recorded, owner=EDGE_OWNER, now=now)
    # Whoever lives now was lost on the way, or belongs to somebody else: the driver waits, so ask at once.
    await query.resolve(services, wanted, owner=EDGE_OWNER, now=now)
    async with services.pool.acquire() as conn:
        after = await store.charges(conn, wanted)
        living = {one.order_no for one in await store.live_attempts(conn, wanted)}
    return [_result(charge, living) for charge in after]


def _result(charge: Charge, living: set[str]) -> PayResult:
    state = PayState.DECLINED
    if charge.state in _SETTLED:
        state = PayState.PAID
    elif orders.last_order(charge) in living:
        state = PayState.UNKNOWN
    return PayResult(charge.charge_id, charge.net_minor, charge.currency, state)
