"""Comparing a channel's bill with our book: what the bill settles is settled, what breaks is kept until it agrees."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from parkflow.channel.port import Bill, BillRow, Outcome, Result
from parkflow.charge import settle
from parkflow.charge.rules import charge_of_order
from parkflow.db.conn import Conn
from parkflow.db.tx import in_tx
from parkflow.kit.ids import MalformedId, bucket_of
from parkflow.reconciliation import store
from parkflow.reconciliation.rules import Break, BreakClass, Line, LineKey, Matching, day_window, match_lines
from parkflow.refund import service as refunds
from parkflow.services import Services


@dataclass(frozen=True, slots=True)
class Report:
    """One comparison; sums in minor units, refunds negative.

    settled: lines on which we learned from the bill that money had moved; breaks: what still differs after that.
    """

    channel: str
    day: date
    rows: int
    matched: int
    settled: int
    breaks: Sequence[Break]
    ours_minor: int
    theirs_minor: int


async def run(services: Services, *, channel: str, day: date, now: datetime, bill: Bill | None = None) -> Report:
    """Compare our book with the bill of a day in the channel's time zone, fetched unless it is given.

    Comparing again gives the newest state; nothing is settled twice. Raises ChannelUnknown, ChannelUnavailable,
    BillNotReady.
    """
    partner = services.channels[channel]
    held = bill or await partner.fetch_bill(day)
    return await in_tx(services.pool, lambda conn: _compare(conn, services, channel, held, now))


async def _compare(conn: Conn, services: Services, channel: str, bill: Bill, now: datetime) -> Report:
    first = await _match(conn, channel, bill)
    behind = [found for found in first.breaks if found.break_class is BreakClass.STATE_DIFFERS]
    await _settle(conn, services, bill, behind, now)
    matching = await _match(conn, channel, bill) if behind else first
    await store.write_run(conn, channel=channel, day=bill.day, bill_sha256=bill.sha256, matching=matching, now=now)
    open_keys = {found.key for found in matching.breaks}
    settled = [found for found in behind if found.key not in open_keys]
    await store.write_breaks(conn, channel=channel, day=bill.day, breaks=settled, resolved_at=now)
    return Report(
        channel=channel,
        day=bill.day,
        rows=len(bill.rows),
        matched=matching.matched,
        settled=len(settled),
        breaks=matching.breaks,
        ours_minor=matching.ours_minor,
        theirs_minor=matching.theirs_minor,
    )


async def _match(conn: Conn, channel: str, bill: Bill) -> Matching:
    theirs = [Line(_key(row), row.amount_minor, row.currency) for row in bill.rows]
    keys = [(_key(row), bucket) for row in bill.rows if (bucket := _bucket(row)) is not None]
    zone = await store.bill_time_zone(conn, channel)
    assert zone is not None, f"channel {channel} has an account"
    start, end = day_window(bill.day, zone)
    ours_of_day = await store.lines_of_day(conn, channel, start=start, end=end)
    ours = await store.lines_by_number(conn, channel, keys)
    return match_lines(ours=[*ours_of_day, *ours], ours_of_day=[line.key for line in ours_of_day], theirs=theirs)


async def _settle(conn: Conn, services: Services, bill: Bill, behind: Sequence[Break], now: datetime) -> None:
    """The bill is the channel's own word that money moved, whatever we thought."""
    keys = {found.key for found in behind}
    rows = {_key(row): row for row in bill.rows if _key(row) in keys}
    paid = [_success(row) for key, row in rows.items() if key.kind == "pay"]
    refunded = [_success(row) for key, row in rows.items() if key.kind == "refund"]
    if paid:
        await settle.record_results(conn, paid, settings=services.settings, now=now)
    if refunded:
        await refunds.record_results(conn, refunded, settings=services.settings, now=now)


def _success(row: BillRow) -> Result:
    return Result(
        Outcome.SUCCEEDED,
        row.number,
        channel_no=row.channel_no,
        amount_minor=row.amount_minor,
        currency=row.currency,
        paid_at=row.at,
        raw_code="bill",
    )


def _key(row: BillRow) -> LineKey:
    return LineKey(row.kind, row.number)


def _bucket(row: BillRow) -> int | None:
    """The bucket is in our order numbers; a number that is not ours has none."""
    try:
        return bucket_of(charge_of_order(row.order_no))
    except MalformedId:
        return None
