"""The bill file of one day: every payment and refund that the channel decided on it, as CSV with totals and a hash."""

import csv
import hashlib
import io
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from gate_sim.channel.answer import Answer, Refused
from gate_sim.channel.book import Book
from gate_sim.channel.orders import stamp

_COLUMNS: Final = ("kind", "order_no", "channel_no", "refund_no", "amount_minor", "currency", "at")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def bill(book: Book, *, day: str, zone: str, now_ms: int) -> Answer:
    """The bill of a calendar day in an IANA zone; refused until that day is over."""
    from_ms, to_ms = _span_ms(day, zone)
    if now_ms < to_ms:
        raise Refused(409, "bill_not_ready", "the bill is made when the day is over")
    with book.change():
        book.decide_pending(now_ms=now_ms)
    rows = book.bill_rows(from_ms=from_ms, to_ms=to_ms)
    content = _csv(rows)
    paid = sum(row[4] for row in rows if row[0] == "pay")
    refunded = sum(row[4] for row in rows if row[0] == "refund")
    body: dict[str, Any] = {
        "day": day,
        "zone": zone,
        "rows": len(rows),
        "pay_total_minor": paid,
        "refund_total_minor": refunded,
        "sha256": hashlib.sha256(content.encode()).hexdigest(),
        "csv": content,
    }
    return Answer(200, body)


def _csv(rows: list[tuple[Any, ...]]) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows((*row[:-1], stamp(row[-1])) for row in rows)
    return file.getvalue()


def _span_ms(day: str, zone: str) -> tuple[int, int]:
    try:
        first = date.fromisoformat(day)
        place = ZoneInfo(zone)
    except (ValueError, OSError, KeyError) as error:
        raise Refused(400, "param_error", "a bill has a day such as 2017-10-20 and an IANA zone") from error
    return _start_ms(first, place), _start_ms(first + timedelta(days=1), place)


def _start_ms(day: date, place: ZoneInfo) -> int:
    start = datetime.combine(day, time(), tzinfo=place).astimezone(UTC)
    return (start - _EPOCH) // timedelta(milliseconds=1)
