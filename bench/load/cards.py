"""Cards by the ten thousand: accounts, agreements, cards, devices and credentials, made in all cores and copied in.

They are what a sign-up over HTTP would leave: real keys, sealed phones, credentials by the operator's issuer key. Only
the way is shorter, because a hundred thousand sign-ups are not what is measured.
"""

import asyncio
import mmap
import random
from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from bench.load.home import Home
from bench.load.town import CHANNEL, Town
from parkflow import core
from parkflow.credential.keys import Signer as Issuer
from parkflow.db.pool import connected
from parkflow.kit.ids import BUCKETS, RANDOM_BITS
from parkflow.vault import Vault

# The longest that a credential can be valid: a gate that was offline for three days shows codes of all of them.
CREDENTIAL_HOURS: Final = 72
# How much of the credential's life is over when the load begins.
PAST_HOURS: Final = 71
_CHUNK: Final = 2_000
_SECRET_BYTES: Final = 32
_CREDENTIAL_BYTES: Final = 126
_RECORD_BYTES: Final = _CREDENTIAL_BYTES + 2 * _SECRET_BYTES

_COLUMNS: Final = {
    "account": "bucket account_id phone_sealed created_at",
    "agreement": "bucket agreement_id account_id channel external_no channel_ref state sign_url created_at expires_at",
    "card": "bucket card_id account_id operator_id agreement_id state deposit_minor last_serial created_at",
    "device": "bucket device_id card_id public_key enrolled_at",
    "credential": "bucket card_id serial device_id kid subject code_key credential issued_at not_before expires_at",
}


class Phone(NamedTuple):
    """What a driver's phone holds: the credential and the key pair for its codes, as one 64-byte secret."""

    credential: bytes
    code_secret: bytes


class Cards:
    """The phones of one operator's drivers, in a file that many processes read."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def __len__(self) -> int:
        return len(self._bytes) // _RECORD_BYTES

    def __iter__(self) -> Iterator[Phone]:
        return (self[place] for place in range(len(self)))

    def __getitem__(self, place: int) -> Phone:
        start = place % len(self) * _RECORD_BYTES
        record = self._bytes[start : start + _RECORD_BYTES]
        return Phone(record[:_CREDENTIAL_BYTES], record[_CREDENTIAL_BYTES:])


@dataclass(frozen=True, slots=True)
class _Order:
    """A part of one operator's cards."""

    seed: str
    count: int
    operator_id: int
    issuer: Issuer
    now: datetime


def cards_path(folder: Path, operator: int) -> Path:
    """Where the phones of an operator's drivers are."""
    return folder / f"cards-{operator}"


def make_cards(home: Home, town: Town, *, seed: int, now: datetime, pool: Executor) -> None:
    """All cards of the town, in the database and in the files of the outbox."""
    orders = [
        _Order(
            f"{seed}/{operator}/{start}", min(_CHUNK, town.size.cards_per_operator - start), operator_id, issuer, now
        )
        for operator, (operator_id, issuer) in enumerate(zip(town.operator_ids, town.issuers, strict=True))
        for start in range(0, town.size.cards_per_operator, _CHUNK)
    ]
    made = pool.map(partial(_make, home.dsn, home.master_key), orders)
    by_operator: dict[int, list[bytes]] = {operator_id: [] for operator_id in town.operator_ids}
    for order, records in zip(orders, made, strict=True):
        by_operator[order.operator_id].append(records)
    for operator, operator_id in enumerate(town.operator_ids):
        cards_path(home.outbox, operator).write_bytes(b"".join(by_operator[operator_id]))


def _make(dsn: str, master_key: bytes, order: _Order) -> bytes:
    """Runs in another process; returns the phones' records."""
    rows, records = _rows(Vault(master_key), order)
    asyncio.run(_copy(dsn, rows))
    return b"".join(records)


async def _copy(dsn: str, rows: dict[str, list[tuple[object, ...]]]) -> None:
    async with connected(dsn, application="bench") as conn, conn.transaction():
        # The rows refer to each other by construction; checking half a million of them would take as long as the rest.
        await conn.execute("set local session_replication_role = replica")
        for table, columns in _COLUMNS.items():
            await conn.copy_records_to_table(table, records=rows[table], columns=columns.split())


def _rows(vault: Vault, order: _Order) -> tuple[dict[str, list[tuple[object, ...]]], list[bytes]]:
    dice = random.Random(order.seed)
    rows: dict[str, list[tuple[object, ...]]] = {table: [] for table in _COLUMNS}
    records = []
    not_before = (order.now - timedelta(hours=PAST_HOURS)).replace(microsecond=0)
    window = (not_before, not_before + timedelta(hours=CREDENTIAL_HOURS))
    for _ in range(order.count):
        bucket = dice.randrange(BUCKETS)
        account_id, agreement_id, card_id, device_id = (
            bucket << RANDOM_BITS | dice.getrandbits(RANDOM_BITS) for _ in range(4)
        )
        code_secret, device_secret = dice.randbytes(_SECRET_BYTES), dice.randbytes(_SECRET_BYTES)
        code_key = core.public_key(code_secret)
        subject = core.seal_subject(order.issuer.subject_key, card_id, 1)
        credential = _credential(order.issuer, subject, code_key, not_before)
        phone = vault.seal("account/phone", f"+1434{dice.randrange(10**7):07}".encode())
        reference = f"{agreement_id:x}"
        rows["account"].append((bucket, account_id, phone, not_before))
        rows["agreement"].append(
            (
                bucket,
                agreement_id,
                account_id,
                CHANNEL,
                f"a{reference}",
                f"r{reference}",
                "active",
                "http://127.0.0.1:9/",
                *window,
            )
        )
        rows["card"].append((bucket, card_id, account_id, order.operator_id, agreement_id, "active", 0, 1, not_before))
        rows["device"].append((bucket, device_id, card_id, core.public_key(device_secret), not_before))
        rows["credential"].append(
            (bucket, card_id, 1, device_id, order.issuer.kid, subject, code_key, credential, not_before, *window)
        )
        records.append(credential + code_secret + code_key)
    return rows, records


def _credential(issuer: Issuer, subject: bytes, code_key: bytes, not_before: datetime) -> bytes:
    fields = core.CredentialFields(
        kid=issuer.kid,
        subject=subject,
        code_key=code_key,
        not_before_s=int(not_before.timestamp()),
        lifetime_minutes=CREDENTIAL_HOURS * 60,
        product=issuer.product,
        ceiling=0,
    )
    return core.issue_credential(issuer.secret, fields)
