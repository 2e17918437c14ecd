"""Founding a town for load: operators with lots, lanes and gates, through the services, all in one transaction."""

import secrets
from datetime import datetime, timedelta
from importlib import resources
from typing import Final

from bench.load.town import CHANNEL, DIRECTIONS, Town, TownGate, TownSize
from parkflow import core
from parkflow.channel import service as channel_service
from parkflow.credential import keys as credential_keys
from parkflow.db.conn import Conn
from parkflow.db.pool import connected
from parkflow.gate import service as gate_service
from parkflow.kit.ids import to_text
from parkflow.lot import service as lot_service
from parkflow.lot.rules import Direction
from parkflow.operator import service as operator_service
from parkflow.tariff import service as tariff_service
from parkflow.vault import Vault

TIME_ZONE: Final = "America/New_York"
# Older than any scan of the run, offline gates' included.
FOUNDED_BEFORE: Final = timedelta(days=5)


async def found_town(dsn: str, vault: Vault, size: TownSize, *, now: datetime) -> Town:
    """The operators, issuer keys, lots with their tariff, lanes and gates; lots go round the operators."""
    founded_at = now - FOUNDED_BEFORE
    async with connected(dsn, application="bench") as conn, conn.transaction():
        account = channel_service.NewAccount(CHANNEL, "http://127.0.0.1:9", secrets.token_bytes(32), TIME_ZONE)
        await channel_service.register(conn, vault, account, now=founded_at)
        operators = [await _found_operator(conn, vault, number, founded_at) for number in range(size.operators)]
        issuers = [
            credential_keys.open_signer(
                vault, await credential_keys.ensure_issuer_key(conn, vault, operator_id, now=founded_at)
            )
            for operator_id, _ in operators
        ]
        gates: list[TownGate] = []
        for lot in range(size.lots):
            operator_id, tariff = operators[lot % size.operators]
            gates += await _open_lot(conn, operator_id, tariff, lot, lot % size.operators, now=founded_at)
    return Town(size, [operator_id for operator_id, _ in operators], issuers, gates)


async def _found_operator(conn: Conn, vault: Vault, number: int, now: datetime) -> tuple[int, bytes]:
    new = operator_service.NewOperator(name=f"Load {number}", time_zone=TIME_ZONE, currency="USD", deposit_minor=0)
    created = await operator_service.create(conn, vault, new, now=now)
    source = (resources.files("parkflow") / "tariff" / "library" / "us-charlottesville-2017.yaml").read_text()
    version = await tariff_service.publish(conn, operator_id=created.operator_id, source=source, now=now)
    return created.operator_id, version.sha256


async def _open_lot(
    conn: Conn, operator_id: int, tariff: bytes, lot: int, operator: int, *, now: datetime
) -> list[TownGate]:
    new = lot_service.NewLot(f"L{lot}", f"Lot {lot}", TIME_ZONE)
    opened = await lot_service.create_lot(conn, operator_id=operator_id, new=new, now=now)
    await tariff_service.assign(
        conn, operator_id=operator_id, lot_id=opened.lot_id, sha256=tariff, valid_from=now, now=now
    )
    gates = []
    for direction in DIRECTIONS:
        lane = await lot_service.create_lane(
            conn,
            operator_id=operator_id,
            lot_id=opened.lot_id,
            reference=direction,
            direction=Direction(direction),
            now=now,
        )
        secret = secrets.token_bytes(32)
        gate = await gate_service.register(
            conn, operator_id=operator_id, lane_id=lane.lane_id, public_key=core.public_key(secret), now=now
        )
        gates.append(
            TownGate(gate.gate_id, to_text(gate_service.ID_PREFIX, gate.gate_id), secret, operator, lot, direction)
        )
    return gates
