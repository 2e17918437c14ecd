"""A town for the measurement of apply: an operator with lots under library tariffs, cards, and scans that wait.

Everything that many rows need is written set-based, as the service's own statements would leave it.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import resources
from random import Random
from typing import Any, NamedTuple

from parkflow import core
from parkflow.channel import service as channels
from parkflow.db.conn import Conn, Pool
from parkflow.db.tx import tx
from parkflow.gate import service as gates
from parkflow.kit.ids import bucket_of, new_bucket, new_id
from parkflow.ledger import service as ledger
from parkflow.lot import service as lots
from parkflow.lot.rules import Direction
from parkflow.lot.service import NewLot
from parkflow.operator import service as operators
from parkflow.operator.service import NewOperator
from parkflow.tariff import service as tariffs
from parkflow.vault import Vault

ZONE = "Asia/Shanghai"
CHANNEL = "sim"
# Wednesday, 20:30 in Shanghai: most of the stays cross the evening's change of rates.
NOW = datetime(2026, 6, 10, 12, 30, tzinfo=UTC)
# An airport by classes with a maximum of the day; ladders by day and night, twice.
TARIFFS = ("cn-zhangye-airport", "cn-shanghai-core", "cn-hangzhou-core")
_CODE_BYTES = 16


class Lot(NamedTuple):
    """A lot with its gates and the tariff that prices its stays."""

    lot_id: int
    entry_gate_id: int
    exit_gate_id: int
    tariff: core.Tariff


@dataclass(frozen=True, slots=True)
class Town:
    """What there is before the first scan."""

    operator_id: int
    lots: Sequence[Lot]
    cards: Sequence[int]


class Passage(NamedTuple):
    """One stay as its two scans will tell it."""

    card_id: int
    lot: Lot
    entry_at: datetime
    exit_at: datetime
    fee_minor: int | None
    """None: it depends on the card's other stays."""


async def found(pool: Pool, vault: Vault, *, cards: int, tariff_names: Sequence[str] = TARIFFS) -> Town:
    """The operator, its lots and gates, and so many active cards."""
    async with tx(pool) as conn:
        new = NewOperator(name="Speed Parking", time_zone=ZONE, currency="CNY", deposit_minor=0)
        operator_id = (await operators.create(conn, vault, new, now=NOW)).operator_id
        account = channels.NewAccount(CHANNEL, "http://127.0.0.1:9", bytes(32), ZONE)
        await channels.register(conn, vault, account, now=NOW)
        await ledger.ensure_open_day(conn, operator_id, NOW)
        places = [await _open_lot(conn, operator_id, name) for name in tariff_names]
        await conn.execute("update gate_watermark set complete_to = $1, heartbeat_at = $1", NOW)
        return Town(operator_id, places, await _issue_cards(conn, operator_id, cards))


def passages(town: Town, *, per_card: int, seed: int) -> list[Passage]:
    """Stays that all cost something, of each card one after the other, over the last day and a half."""
    random, found = Random(seed), []
    for card_id in town.cards:
        lot = random.choice(town.lots)
        entry_at = NOW - timedelta(hours=6 * per_card, seconds=random.randrange(3_600))
        for _ in range(per_card):
            exit_at = entry_at + timedelta(seconds=random.randrange(3_600, 18_000))
            found.append(Passage(card_id, lot, entry_at, exit_at, _fee_minor(lot.tariff, entry_at, exit_at)))
            entry_at = exit_at + timedelta(minutes=10)
    return found


def _fee_minor(tariff: core.Tariff, entry_at: datetime, exit_at: datetime) -> int | None:
    if tariff.needs_history:
        return None
    fee = tariff.price(entry_s=int(entry_at.timestamp()), exit_s=int(exit_at.timestamp()), vehicle_class="car")
    assert fee.fee_minor > 0, "a free stay has no charge, and this counts charges"
    return fee.fee_minor


async def scan_all(conn: Conn, town: Town, stays: Sequence[Passage], directions: Sequence[str]) -> None:
    """The gates have seen these passages and uploaded them: events and scans, the older ones earlier."""
    rows: list[tuple[Any, ...]] = []
    for one in stays:
        if "entry" in directions:
            rows.append((one.entry_at, one.lot.entry_gate_id, "entry", one))
        if "exit" in directions:
            rows.append((one.exit_at, one.lot.exit_gate_id, "exit", one))
    rows.sort(key=lambda row: row[0])
    first_seq = int(await conn.fetchval("select coalesce(max(seq), 0) from gate_event"))
    await conn.execute(
        "insert into scan (bucket, gate_id, epoch, seq, card_id, operator_id, lot_id, direction, scanned_at, code_id,"
        " serial, state, received_at)"
        " select s.bucket, s.gate_id, 1, $1 + s.place, s.card_id, $2, s.lot_id, s.direction, s.at, s.code_id, 1,"
        " 'received', s.at"
        " from unnest($3::smallint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[], $8::timestamptz[],"
        " $9::bytea[]) with ordinality as s (bucket, gate_id, card_id, lot_id, direction, at, code_id, place)",
        first_seq,
        town.operator_id,
        [bucket_of(one.card_id) for _, _, _, one in rows],
        [gate_id for _, gate_id, _, _ in rows],
        [one.card_id for _, _, _, one in rows],
        [one.lot.lot_id for _, _, _, one in rows],
        [direction for _, _, direction, _ in rows],
        [at for at, _, _, _ in rows],
        [secrets.token_bytes(_CODE_BYTES) for _ in rows],
    )
    await conn.execute(
        "insert into gate_event (bucket, gate_id, epoch, seq, content_sha256, scanned_at, direction, medium, content,"
        " gate_verdict, verdict, received_at)"
        " select (s.gate_id >> 53)::smallint, s.gate_id, s.epoch, s.seq, sha256(s.code_id), s.scanned_at, s.direction,"
        " 'code', '{}', 'accepted', 'accepted', s.received_at from scan s where s.seq > $1",
        first_seq,
    )


async def _open_lot(conn: Conn, operator_id: int, tariff_name: str) -> Lot:
    lot = await lots.create_lot(conn, operator_id=operator_id, new=NewLot(tariff_name, tariff_name, ZONE), now=NOW)
    gate_ids: list[int] = []
    for direction in (Direction.ENTRY, Direction.EXIT):
        lane = await lots.create_lane(
            conn, operator_id=operator_id, lot_id=lot.lot_id, reference=direction, direction=direction, now=NOW
        )
        key = core.public_key(secrets.token_bytes(32))
        gate = await gates.register(conn, operator_id=operator_id, lane_id=lane.lane_id, public_key=key, now=NOW)
        gate_ids.append(gate.gate_id)
    source = (resources.files("parkflow.tariff") / "library" / f"{tariff_name}.yaml").read_text("utf-8")
    version = await tariffs.publish(conn, operator_id=operator_id, source=source, now=NOW)
    await tariffs.assign(
        conn,
        operator_id=operator_id,
        lot_id=lot.lot_id,
        sha256=version.sha256,
        valid_from=NOW - timedelta(days=30),
        now=NOW,
    )
    return Lot(lot.lot_id, gate_ids[0], gate_ids[1], tariffs.checked(source))


async def _issue_cards(conn: Conn, operator_id: int, count: int) -> list[int]:
    buckets = [new_bucket() for _ in range(count)]
    accounts, agreements, cards = ([new_id(bucket) for bucket in buckets] for _ in range(3))
    await conn.execute(
        "insert into account (bucket, account_id, phone_sealed, created_at)"
        " select k.bucket, k.account_id, '\\x00', $1"
        " from unnest($2::smallint[], $3::bigint[]) as k (bucket, account_id)",
        NOW,
        buckets,
        accounts,
    )
    await conn.execute(
        "insert into agreement (bucket, agreement_id, account_id, channel, external_no, channel_ref, state, sign_url,"
        " created_at, expires_at)"
        " select k.bucket, k.agreement_id, k.account_id, $1, 'a' || k.agreement_id, 'r' || k.agreement_id, 'active',"
        " '', $2, $2 from unnest($3::smallint[], $4::bigint[], $5::bigint[]) as k (bucket, agreement_id, account_id)",
        CHANNEL,
        NOW,
        buckets,
        agreements,
        accounts,
    )
    await conn.execute(
        "insert into card (bucket, card_id, account_id, operator_id, agreement_id, state, deposit_minor, created_at)"
        " select k.bucket, k.card_id, k.account_id, $1, k.agreement_id, 'active', 0, $2"
        " from unnest($3::smallint[], $4::bigint[], $5::bigint[], $6::bigint[])"
        " as k (bucket, card_id, account_id, agreement_id)",
        operator_id,
        NOW,
        buckets,
        cards,
        accounts,
        agreements,
    )
    return cards
