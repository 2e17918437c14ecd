"""Issuer keys end early and are made early: rotation hands over, a retired key signs and opens nothing any more."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from parkflow import core
from parkflow.card import service as cards
from parkflow.card.state import FreezeReason
from parkflow.credential import denylist, keys
from parkflow.credential.keys import CREDENTIAL_LIFETIME_MAX, KEY_OVERLAP, IssuerKey, UnknownKid
from parkflow.db.conn import Pool
from parkflow.db.tx import tx
from parkflow.gate import bundle
from parkflow.kit.ids import bucket_of
from parkflow.operator import service as operators
from parkflow.services import Services
from tests import seed
from tests.driver_desk import DriverDesk, card_text
from tests.edge import client_of, services_over
from tests.held_clock import HeldClock
from tests.street import enrol

PARKING, TRANSIT = core.PRODUCT_PARKING, core.PRODUCT_TRANSIT


@dataclass
class Office:
    """An operator with the key that it was born with."""

    services: Services
    clock: HeldClock
    operator_id: int
    first: IssuerKey

    async def signing(self, product: int = PARKING) -> IssuerKey:
        async with tx(self.services.pool) as conn:
            return await keys.ensure_issuer_key(
                conn, self.services.vault, self.operator_id, now=self.clock.now(), product=product
            )

    async def rotate(self, product: int = PARKING) -> IssuerKey:
        async with tx(self.services.pool) as conn:
            return await keys.rotate_issuer_key(
                conn, self.services.vault, self.operator_id, product=product, now=self.clock.now()
            )

    async def retire(self, kid: int, product: int = PARKING) -> IssuerKey:
        async with tx(self.services.pool) as conn:
            return await keys.retire_issuer_key(conn, self.operator_id, product=product, kid=kid, now=self.clock.now())

    async def windows(self) -> dict[int, tuple[int, int]]:
        """What verifiers are told: kid -> first second and end."""
        async with self.services.pool.acquire() as conn:
            found = await keys.key_set(conn, self.operator_id)
        return {key.kid: (key.not_before_s, key.not_after_s) for key in found}

    async def verdict(self, text: str, at: datetime) -> str:
        """What a verifier with today's keys says of a scan at `at`."""
        async with self.services.pool.acquire() as conn:
            key_set = core.KeySet(await keys.key_set(conn, self.operator_id))
        return core.verify_code(text, now_s=int(at.timestamp()), keys=key_set, policy=core.Policy()).name


@pytest.fixture
async def office(pool: Pool, clock: HeldClock) -> Office:
    services = services_over(pool, clock)
    async with tx(pool) as conn:
        operator_id = await seed.operator(conn, services.vault)
        await seed.channel(conn, services.vault)
        first = await keys.ensure_issuer_key(conn, services.vault, operator_id, now=clock.now())
    return Office(services, clock, operator_id, first)


async def test_a_rotation_makes_a_key_that_takes_over_when_gates_have_it(office: Office) -> None:
    rotated_at = office.clock.now()
    made = await office.rotate()
    assert set(await office.windows()) == {office.first.kid, made.kid}
    assert (await office.signing()).kid == office.first.kid
    handover = rotated_at + KEY_OVERLAP - CREDENTIAL_LIFETIME_MAX
    office.clock.move_to(handover - timedelta(seconds=1))
    assert (await office.signing()).kid == office.first.kid
    office.clock.move_to(handover)
    assert (await office.signing()).kid == made.kid
    assert len(await office.windows()) == 2


async def test_a_rotation_leaves_what_was_issued_good_to_its_end(office: Office) -> None:
    async with tx(office.services.pool) as conn:
        driver = await enrol(conn, office.services, office.operator_id, office.clock.now())
    await office.rotate()
    last = office.clock.now() + timedelta(hours=23, minutes=58)
    assert await office.verdict(driver.code(last), last) == "accepted"


async def test_rotating_again_keeps_the_order_in_which_keys_sign(office: Office) -> None:
    made = []
    for _ in range(4):
        made.append((await office.rotate()).kid)
        office.clock.advance(days=3)
    signed = []
    for _ in range(20):
        signed.append((await office.signing()).kid)
        office.clock.advance(days=1)
    order = list(dict.fromkeys(signed))
    assert order == sorted(order, key=[office.first.kid, *made].index)
    assert order[-1] == made[-1]


async def test_two_rotations_at_once_make_one_key(office: Office) -> None:
    # Keys of one instant are alike but for their random numbers; the first key is older than those made here.
    office.clock.advance(hours=1)
    made = await asyncio.gather(*(office.rotate() for _ in range(6)))
    # Those that came in one moment share a key; one that came after a commit makes the next.
    assert set(await office.windows()) == {office.first.kid} | {key.kid for key in made}
    assert (await office.signing()).kid == office.first.kid


async def test_products_rotate_by_themselves(office: Office) -> None:
    before = await office.windows()
    transit = await office.signing(TRANSIT)
    await office.rotate(TRANSIT)
    after = await office.windows()
    assert {kid: after[kid] for kid in before} == before
    assert (await office.signing(TRANSIT)).kid == transit.kid
    with pytest.raises(UnknownKid):
        await office.retire(transit.kid, PARKING)


async def test_a_retired_key_signs_nothing_and_its_window_is_shorter(office: Office) -> None:
    retired_at = office.clock.now()
    ended = await office.retire(office.first.kid)
    made = await office.rotate()
    assert (ended.kid, ended.not_after) == (office.first.kid, retired_at)
    assert (await office.windows())[office.first.kid][1] == int(retired_at.timestamp())
    # There is no other key, so the new one signs at once, although gates have it only with their next bundle.
    assert (await office.signing()).kid == made.kid
    office.clock.advance(days=80)
    assert (await office.signing()).kid != office.first.kid


async def test_a_key_that_gates_have_already_signs_after_a_retirement(office: Office) -> None:
    spare = await office.rotate()
    office.clock.advance(days=1)
    await office.retire(office.first.kid)
    await office.rotate()
    assert (await office.signing()).kid == spare.kid


async def test_retiring_again_changes_nothing(office: Office) -> None:
    first = await office.retire(office.first.kid)
    office.clock.advance(hours=1)
    assert await office.retire(office.first.kid) == first
    await office.rotate()
    assert (await office.windows())[office.first.kid][1] == int(first.not_after.timestamp())


async def test_an_unknown_kid_is_not_retired(office: Office) -> None:
    before = await office.windows()
    for kid in (1, office.first.kid + 1):
        with pytest.raises(UnknownKid, match=str(office.first.kid)):
            await office.retire(kid)
    assert await office.windows() == before


async def test_codes_of_earlier_moments_stay_good_for_their_scans_and_later_ones_are_not(office: Office) -> None:
    async with tx(office.services.pool) as conn:
        driver = await enrol(conn, office.services, office.operator_id, office.clock.now())
    office.clock.advance(hours=1)
    ended_at = (await office.retire(office.first.kid)).not_after
    second = timedelta(seconds=1)
    last, next_one = driver.code(ended_at - second), driver.code(ended_at)
    # A scan of before the end that is uploaded days later, and one just after the end of a code of just before.
    assert await office.verdict(last, ended_at - second) == "accepted"
    assert await office.verdict(last, ended_at + 20 * second) == "accepted"
    assert await office.verdict(next_one, ended_at) == "kid_expired"
    # Who has the leaked key can choose a code's moment, but not the clock of the gate.
    assert await office.verdict(last, ended_at + timedelta(minutes=2)) == "code_stale"


async def test_gates_learn_of_a_retirement_with_the_next_bundle(office: Office) -> None:
    async with tx(office.services.pool) as conn:
        before = await bundle.refresh(
            conn, office.services.vault, operator_id=office.operator_id, now=office.clock.now()
        )
    office.clock.advance(minutes=1)
    await office.retire(office.first.kid)
    async with tx(office.services.pool) as conn:
        after = await bundle.refresh(
            conn, office.services.vault, operator_id=office.operator_id, now=office.clock.now()
        )
        root_key = (await operators.get(conn, office.operator_id)).root_public_key
    assert after.version == before.version + 1
    [key] = [key for key in core.open_bundle(root_key, after.signed)["keys"] if key["kid"] == office.first.kid]
    assert key["not_after_s"] == int(office.clock.now().timestamp())


async def test_a_denied_card_stays_denied_while_codes_of_before_the_end_are_good(office: Office) -> None:
    async with tx(office.services.pool) as conn:
        driver = await enrol(conn, office.services, office.operator_id, office.clock.now())
        await cards.freeze(
            conn,
            bucket=bucket_of(driver.card_id),
            card_ids=[driver.card_id],
            reason=FreezeReason.LOST,
            now=office.clock.now(),
        )
    office.clock.advance(minutes=1)
    await office.retire(office.first.kid)

    async def denied() -> int:
        async with office.services.pool.acquire() as conn:
            found = await denylist.listing(conn, office.operator_id, now=office.clock.now())
        return len(found.denied) // core.SUBJECT_BYTES

    assert await denied() == 1
    office.clock.advance(minutes=70)
    assert await denied() == 0


@pytest.fixture
async def driver(office: Office) -> AsyncIterator[DriverDesk]:
    """A driver with an enrolled phone."""
    async with tx(office.services.pool) as conn:
        account_id, card_id = await seed.driver_with_card(conn, office.services.vault, operator_id=office.operator_id)
        token = await seed.session(conn, account_id)
    async with client_of(office.services) as client:
        desk = DriverDesk(client, token, card_text(card_id))
        assert (await desk.enrol()).status_code == 201
        yield desk


async def test_online_codes_move_to_the_next_key_at_once(office: Office, driver: DriverDesk) -> None:
    async def kid_of_online_code() -> int:
        answer = await driver.of_card("POST", "/online-codes")
        assert answer.status_code == 201, answer.text
        assert await office.verdict(answer.json()["code"], office.clock.now()) == "accepted"
        return core.decode_code(answer.json()["code"]).credential.kid

    assert await kid_of_online_code() == office.first.kid
    office.clock.advance(minutes=1)
    await office.retire(office.first.kid)
    made = await office.rotate()
    assert await kid_of_online_code() == made.kid


async def test_a_phone_gets_a_new_credential_for_a_new_code_key_only(office: Office, driver: DriverDesk) -> None:
    old = driver.request(office.clock.now())
    assert (await driver.of_card("POST", "/credentials", old)).status_code == 201
    office.clock.advance(minutes=1)
    await office.retire(office.first.kid)
    made = await office.rotate()
    # The old credential is worth nothing any more, and a code key has one credential in its life.
    assert (await driver.of_card("POST", "/credentials", old)).json()["code"] == "code_key_in_use"
    fresh = driver.request(office.clock.now())
    issued = (await driver.of_card("POST", "/credentials", fresh)).json()
    async with office.services.pool.acquire() as conn:
        kids = await conn.fetch("select kid from credential order by serial")
    assert (issued["serial"], [row["kid"] for row in kids]) == (2, [office.first.kid, made.kid])
