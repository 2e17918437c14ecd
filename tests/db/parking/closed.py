"""Closed stays of cards in lots with tariffs of a test's choice, and their pricing."""

from datetime import timedelta

from parkflow.db.tx import tx
from parkflow.kit.ids import bucket_of, new_id
from parkflow.parking.pricing import STAYS_PRICED_PER_PASS_MAX, price_closed
from parkflow.tariff import service as tariff_service
from tests import seed
from tests.db.parking.conftest import Lot
from tests.street import open_lot


def tariff(ident: str, *, of_plan: str = "", of_tariff: str = "") -> str:
    """180 an hour in Charlottesville, with the given rules."""
    return (
        f"{{ptl: 1, id: {ident}, currency: USD, minor_exponent: 2, timezone: America/New_York, {of_tariff}"
        f" plans: [{{id: p, {of_plan} cycle: stay, edge: split,"
        " bands: [{id: all, ladder: [{unit: 60, price: 180}]}]}]}"
    )


DAILY = 'caps: [{max: 400, over: {daily: "00:00"}, scope: account, pool: city}],'


async def furnish(lot: Lot, reference: str, text: str) -> int:
    """Another lot of the operator, with this tariff from the first instant on."""
    async with tx(lot.pool) as conn:
        lot_id, _ = await open_lot(conn, lot.operator_id, reference, lot.start)
        version = await tariff_service.publish(conn, operator_id=lot.operator_id, source=text, now=lot.start)
        await tariff_service.assign(
            conn,
            operator_id=lot.operator_id,
            lot_id=lot_id,
            sha256=version.sha256,
            valid_from=lot.start - timedelta(days=5),
            now=lot.start,
        )
    return lot_id


async def close(lot: Lot, card_id: int, *stays: tuple[int, int, int]) -> None:
    """Closed stays of the card as (lot, minute of entry, minute of exit), which wait for their price."""
    idents = [new_id(bucket_of(card_id)) for _ in stays]
    async with tx(lot.pool) as conn:
        await conn.execute(
            "insert into stay (bucket, stay_id, card_id, operator_id, lot_id, vehicle_class, entry_gate_id,"
            " entry_epoch, entry_seq, entry_at, exit_gate_id, exit_epoch, exit_seq, exit_at, state, currency,"
            " created_at) select $1, s.stay_id, $2, $3, s.lot_id, 'car', 1, 1, 1, s.entry_at, 1, 1, 2, s.exit_at,"
            " 'closed', 'USD', $4"
            " from unnest($5::bigint[], $6::bigint[], $7::timestamptz[], $8::timestamptz[])"
            " as s (stay_id, lot_id, entry_at, exit_at)",
            bucket_of(card_id),
            card_id,
            lot.operator_id,
            lot.start,
            idents,
            [lot_id for lot_id, _, _ in stays],
            [lot.at(entry) for _, entry, _ in stays],
            [lot.at(leaving) for _, _, leaving in stays],
        )


async def price(lot: Lot, owner: str = seed.OWNER, *, stays_max: int = STAYS_PRICED_PER_PASS_MAX) -> int:
    async with tx(lot.pool) as conn:
        return await price_closed(conn, owner=owner, buckets=lot.buckets, now=lot.start, stays_max=stays_max)
