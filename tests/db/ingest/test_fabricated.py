"""A gate in wrong hands sends what it likes: none of ten thousand codes that it made itself costs anybody anything."""

import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import resources
from itertools import count

import httpx
import pytest

from parkflow import core
from parkflow.charge import service as charges
from parkflow.credential import keys as credential_keys
from parkflow.db.conn import Pool
from parkflow.db.tx import tx
from parkflow.ledger import service as ledger
from parkflow.parking import service as parking
from parkflow.services import Services
from parkflow.tariff import service as tariffs
from tests import seed
from tests.edge import client_of, services_over
from tests.hand_signed import Sheet
from tests.held_clock import HeldClock
from tests.street import Driver, Scan, StreetGate, enrol, open_lot, results, upload

CODES = 10_000
BATCH = 2_000
TARIFF = (resources.files("parkflow.tariff") / "library" / "us-charlottesville-2017.yaml").read_text("utf-8")
STAYED = timedelta(hours=2)
Forge = Callable[[datetime, int], str]


@dataclass
class Crime:
    """A lot with one lane for both ways, a driver of it, and a thief who has the gate's key."""

    services: Services
    now: datetime
    operator_id: int
    gate: StreetGate
    driver: Driver
    issuer: credential_keys.Signer
    buckets: list[int]

    def forgeries(self) -> dict[str, Forge]:
        """Ways to make a code up, by what the thief has."""
        kid, subject = self.issuer.kid, self.driver.credential[5:21]
        stranger, own, unissued = secrets.token_bytes(32), secrets.token_bytes(32), secrets.token_bytes(32)
        unknown_kid = self._credential(own, kid=(kid + 1) % (1 << 32), subject=subject, issuer=stranger)
        forged = self._credential(own, kid=kid, subject=subject, issuer=stranger)
        # Who has the issuer's own secrets signs for a real card; only that it was never issued gives it away.
        stolen = self._credential(unissued, kid=kid, subject=subject, issuer=self.issuer.secret)
        return {
            "random bytes": lambda at, n: "PF1:" + core.encode_base45(b"\1" + secrets.token_bytes(195)),
            "an unknown issuer": _codes(unknown_kid, own),
            "our issuer's name, another's signature": _codes(forged, own),
            "a real credential, another phone": lambda at, n: _signed_by(own, self.driver.credential, at, n),
            "our issuer's stolen secrets": _codes(stolen, unissued),
        }

    def genuine(self, at: datetime, n: int) -> str:
        """The driver's own code, by hand as well."""
        return _signed_by(self.driver.code_secret, self.driver.credential, at, n)

    def _credential(self, code_secret: bytes, *, kid: int, subject: bytes, issuer: bytes) -> bytes:
        fields = core.CredentialFields(
            kid=kid,
            subject=subject,
            code_key=core.public_key(code_secret),
            not_before_s=int((self.now - STAYED).timestamp()) - 600,
            lifetime_minutes=1_440,
            product=self.issuer.product,
            ceiling=0,
        )
        return core.issue_credential(issuer, fields)

    async def count(self, table: str) -> int:
        async with self.services.pool.acquire() as conn:
            found: int = await conn.fetchval(f"select count(*) from {table}")
        return found

    async def work(self) -> None:
        """What a worker does of scans: pair, price, charge."""
        async with tx(self.services.pool) as conn:
            await parking.apply(conn, owner=seed.OWNER, buckets=self.buckets, now=self.now)
        async with tx(self.services.pool) as conn:
            await charges.raise_for_priced(conn, self.buckets, now=self.now, deduct_delay_seconds=0)


def _codes(credential: bytes, code_secret: bytes) -> Forge:
    return lambda at, n: core.make_code(credential, code_secret, int(at.timestamp()), n % (1 << 16))


def _signed_by(secret: bytes, credential: bytes, at: datetime, n: int) -> str:
    """A code by hand: our own maker of codes refuses a secret that is not the credential's."""
    content = credential + int(at.timestamp()).to_bytes(4, "big") + (n % (1 << 16)).to_bytes(2, "big")
    return "PF1:" + core.encode_base45(content + core.sign(secret, b"parkflow/code/1\0" + content))


@pytest.fixture
async def crime(pool: Pool, clock: HeldClock) -> Crime:
    services, now = services_over(pool, clock), clock.now()
    since = now - STAYED - timedelta(minutes=20)
    async with tx(pool) as conn:
        operator_id = await seed.operator(conn, services.vault)
        await seed.channel(conn, services.vault)
        await ledger.ensure_open_day(conn, operator_id, since)
        lot_id, [gate] = await open_lot(conn, operator_id, "market-st", since, ["both"])
        version = await tariffs.publish(conn, operator_id=operator_id, source=TARIFF, now=since)
        await tariffs.assign(
            conn, operator_id=operator_id, lot_id=lot_id, sha256=version.sha256, valid_from=since, now=since
        )
        driver = await enrol(conn, services, operator_id, since)
        key = await credential_keys.ensure_issuer_key(conn, services.vault, operator_id, now=since)
        buckets = await seed.leases(conn, clock.wall())
    signer = credential_keys.open_signer(services.vault, key)
    return Crime(services, now, operator_id, gate, driver, signer, buckets)


async def test_of_ten_thousand_made_up_codes_none_is_charged(crime: Crime) -> None:
    numbers, given = count(), Counter[str]()
    forgeries = crime.forgeries()
    async with client_of(crime.services) as client:
        for forge in forgeries.values():
            for _ in range(CODES // BATCH // len(forgeries)):
                scans = list(_in_and_out(crime, forge, numbers, BATCH))
                given += Counter(results(await upload(client, crime.gate, crime.now, *scans)))
        await crime.work()
        assert (await crime.count("scan"), await crime.count("stay"), await crime.count("charge")) == (0, 0, 0)
        assert await crime.count("gate_event") == CODES
        assert set(given) <= {
            "rejected:bad_version",
            "rejected:unknown_kid",
            "rejected:bad_issuer_signature",
            "rejected:bad_code_signature",
            "rejected:unissued_credential",
        }
        # The same gate, the same steps, with the codes of a driver who was there: so they do charge.
        scans = list(_in_and_out(crime, crime.genuine, numbers, 2))
        assert results(await upload(client, crime.gate, crime.now, *scans)) == ["accepted"] * 2
        await crime.work()
    assert await crime.count("charge") == 1
    print(f"\n{CODES} made-up codes, charged 0: {dict(given)}")


async def test_another_operators_gate_makes_no_scans_of_our_drivers(crime: Crime) -> None:
    async with tx(crime.services.pool) as conn:
        stranger = await seed.operator(conn, crime.services.vault, name="Uptown")
        _, [gate] = await open_lot(conn, stranger, "water-st", crime.now - STAYED, ["both"])
    thief = Crime(crime.services, crime.now, stranger, gate, crime.driver, crime.issuer, crime.buckets)
    async with client_of(crime.services) as client:
        scans = list(_in_and_out(thief, crime.genuine, count(), 100))
        assert set(results(await upload(client, gate, crime.now, *scans))) == {"rejected:unknown_kid"}
        # Nor under the address of the gate whose drivers they are.
        refused = await _upload_at(client, gate, crime.gate, scans, crime.now)
    await crime.work()
    assert refused.status_code == 401
    assert (await crime.count("scan"), await crime.count("charge")) == (0, 0)
    async with crime.services.pool.acquire() as conn:
        events = await conn.fetch("select distinct gate_id from gate_event")
        assert [row["gate_id"] for row in events] == [gate.gate_id]


def _in_and_out(crime: Crime, forge: Forge, numbers: Iterator[int], scans: int) -> Iterator[Scan]:
    for _ in range(scans // 2):
        for direction, at in (("entry", crime.now - STAYED), ("exit", crime.now)):
            yield crime.gate.scan(forge(at, next(numbers)), at, direction=direction)


async def _upload_at(
    client: httpx.AsyncClient, gate: StreetGate, elsewhere: StreetGate, scans: list[Scan], now: datetime
) -> httpx.Response:
    """Signed by `gate`, in its own name, for another gate's address."""
    sheet = Sheet(gate, gate.batch(*scans, at=now), now)
    sheet.values['"@path"'] = f"/v1/gates/{elsewhere.text}/scans"
    request = sheet.request()
    headers = list(request.headers)
    return await client.post(request.url.replace(gate.text, elsewhere.text), content=request.body, headers=headers)
