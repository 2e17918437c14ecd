"""The statement of a closed day: canonical bytes and their hash."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from parkflow.kit.business_date import business_window

STATEMENT_FORMAT: Final = "parkflow/day/1"


class CodeTotal(NamedTuple):
    """What was posted under one code; the sum in minor units."""

    code: str
    currency: str
    transfers: int
    sum_minor: int


class LotTotal(NamedTuple):
    """One lot's day; counts of charges and sums in minor units."""

    lot_id: str
    reference: str
    charges: int
    charged_minor: int
    paid: int
    paid_minor: int
    waived: int
    waived_minor: int
    arrears: int
    arrears_minor: int


class BucketDigest(NamedTuple):
    """Number and hash of one bucket's transfers of the day."""

    bucket: int
    transfers: int
    sha256: bytes


def statement(
    *,
    operator_id: str,
    day: date,
    currency: str,
    codes: Sequence[CodeTotal],
    lots: Sequence[LotTotal],
    digests: Sequence[BucketDigest],
) -> dict[str, object]:
    """The day's totals as a JSON object: integers and text only, lists in a fixed order."""
    return {
        "format": STATEMENT_FORMAT,
        "operator_id": operator_id,
        "day": day.isoformat(),
        "currency": currency,
        "transfers": sum(digest.transfers for digest in digests),
        "transfers_sha256": _digest_of(digests).hex(),
        "ledger": [total._asdict() for total in sorted(codes)],
        "lots": [total._asdict() for total in sorted(lots, key=lambda total: (total.reference, total.lot_id))],
    }


def canonical(totals: Mapping[str, object]) -> bytes:
    """The bytes of a statement: JSON, UTF-8, keys sorted, no spaces; its SHA-256 is the hash of the day."""
    text = json.dumps(totals, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode()


def is_over(*, day: date, time_zone: str, day_turn: time, now: datetime) -> bool:
    """Whether the business day has ended."""
    return now >= end_of(day=day, time_zone=time_zone, day_turn=day_turn)


def end_of(*, day: date, time_zone: str, day_turn: time) -> datetime:
    """The first instant after the business day, in UTC."""
    return business_window(day, ZoneInfo(time_zone), day_turn).end


def _digest_of(digests: Sequence[BucketDigest]) -> bytes:
    whole = hashlib.sha256()
    for digest in sorted(digests):
        whole.update(digest.bucket.to_bytes(2, "big") + digest.transfers.to_bytes(8, "big") + digest.sha256)
    return whole.digest()
