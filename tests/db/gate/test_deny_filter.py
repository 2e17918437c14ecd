"""Many denied cards go into a filter that gates fetch once; no honest driver is turned away because of it."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from gate_sim.gate import Gate, Post
from parkflow import core
from parkflow.card import service as card_service
from parkflow.card.state import FreezeReason
from parkflow.credential import denylist
from parkflow.credential.keys import SealedScan
from parkflow.credential.rules import DenyLimits
from parkflow.db.tx import tx
from parkflow.gate import bundle as gate_bundle
from parkflow.kit.ids import bucket_of, to_text
from parkflow.operator import service as operator_service
from tests.db.gate.conftest import Street
from tests.street import Driver, send, signed

SMALL = DenyLimits(exact_max=4, delta_max=3)


async def drivers(street: Street, count: int) -> list[Driver]:
    return [await street.driver() for _ in range(count)]


async def freeze(street: Street, frozen: Sequence[Driver]) -> None:
    async with tx(street.pool) as conn:
        for driver in frozen:
            await card_service.freeze(
                conn,
                bucket=bucket_of(driver.card_id),
                card_ids=[driver.card_id],
                reason=FreezeReason.LOST,
                now=street.now,
            )


async def listing(street: Street) -> denylist.DenyListing:
    async with tx(street.pool) as conn:
        return await denylist.listing(conn, street.operator_id, now=street.now, limits=SMALL)


def subject_of(street: Street, driver: Driver) -> bytes:
    return core.decode_code(driver.code(street.now)).credential.subject


async def test_few_denied_cards_are_listed_and_need_no_filter(street: Street) -> None:
    some = await drivers(street, 4)
    await freeze(street, some)
    found = await listing(street)
    assert found.filter is None
    assert found.denied == b"".join(sorted(subject_of(street, driver) for driver in some))


async def test_many_denied_cards_are_in_the_filter_and_new_ones_beside_it(street: Street) -> None:
    some = await drivers(street, 8)
    await freeze(street, some[:6])
    first = await listing(street)
    assert first.filter is not None
    assert (first.filter.subjects, first.denied) == (6, b"")
    read = core.DenyFilter.decode(first.filter.content)
    assert all(read.hits(subject_of(street, driver)) for driver in some[:6])
    await freeze(street, some[6:7])
    second = await listing(street)
    assert second.filter == first.filter
    late = subject_of(street, some[6])
    assert second.denied == (b"" if read.hits(late) else late)


async def test_a_long_list_beside_the_filter_makes_a_new_filter(street: Street) -> None:
    some = await drivers(street, 14)
    await freeze(street, some[:5])
    first = await listing(street)
    await freeze(street, some[5:])
    second = await listing(street)
    assert first.filter is not None
    assert second.filter is not None
    assert second.filter.sha256 != first.filter.sha256
    assert (second.filter.subjects, second.denied) == (14, b"")
    async with street.pool.acquire() as conn:
        # A gate that holds the older bundle may still ask for its filter.
        kept = await denylist.filter_content(conn, street.operator_id, first.filter.sha256)
    assert kept == first.filter.content


async def test_a_filter_is_built_anew_each_day_without_what_has_expired(street: Street) -> None:
    await freeze(street, await drivers(street, 6))
    first = await listing(street)
    street.clock.advance(hours=12)
    fresh = await drivers(street, 5)
    await freeze(street, fresh[:3])
    assert (await listing(street)).filter == first.filter
    street.clock.advance(hours=12, minutes=30)
    # The first drivers' credentials have expired meanwhile.
    await freeze(street, fresh[3:])
    second = await listing(street)
    assert second.filter is not None
    assert (second.filter.subjects, second.filter.built_at) == (5, street.now)


async def test_an_unfrozen_card_that_the_filter_still_holds_is_cleared(street: Street) -> None:
    some = await drivers(street, 7)
    await freeze(street, some[:6])
    await listing(street)
    async with tx(street.pool) as conn:
        card = some[0].card_id
        await card_service.thaw(conn, bucket=bucket_of(card), card_ids=[card], reason=FreezeReason.LOST, now=street.now)
    found = await listing(street)
    assert found.filter is not None
    cleared = {found.cleared[at : at + 16] for at in range(0, len(found.cleared), 16)}
    assert subject_of(street, some[0]) in cleared
    assert not cleared & {subject_of(street, driver) for driver in some[1:6]}


async def test_a_real_gate_fetches_the_filter_once_and_refuses_by_it(street: Street, tmp_path: Path) -> None:
    some = await drivers(street, 8)
    await freeze(street, some[:6])
    async with tx(street.pool) as conn:
        vault, operator_id = street.services.vault, street.operator_id
        await gate_bundle.refresh(conn, vault, operator_id=operator_id, now=street.now, limits=SMALL)
        root_key = (await operator_service.get(conn, street.operator_id)).root_public_key
    post = Post(
        street.entry.text,
        to_text("lot", street.lot_id),
        to_text("lane", street.entry.lane_id),
        "entry",
        street.entry.secret,
        root_key,
    )
    now_s = int(street.now.timestamp())
    gate = Gate(post, tmp_path, now_ms=now_s * 1000)
    bundle = (await send(street.client, signed(street.entry, "GET", "/bundle", b"", street.now), b"")).content
    with pytest.raises(core.BundleError) as missing:
        gate.core.take_bundle(bundle, now_s=now_s)
    assert missing.value.code == "filter_missing"
    name = gate.core.filter_of(bundle)
    assert name is not None
    path = f"/filters/{name.hex()}"
    answer = await send(street.client, signed(street.entry, "GET", path, b"", street.now), b"")
    assert gate.core.take_bundle(bundle, now_s=now_s, filter=answer.content) == 1
    for driver in some[:6]:
        decision = gate.core.decide(driver.code(street.now), "entry", now_s=now_s)
        assert (decision.name, decision.certain) == ("denied", False)
    for driver in some[6:]:
        assert gate.core.decide(driver.code(street.now), "entry", now_s=now_s).opens


async def test_the_service_knows_exactly_who_is_denied(street: Street) -> None:
    some = await drivers(street, 2)
    await freeze(street, some[:1])
    kid = core.decode_code(some[0].code(street.now)).credential.kid

    async def ask(kid: int, subject: bytes) -> bool:
        async with street.pool.acquire() as conn:
            scan = SealedScan(kid, subject)
            return await denylist.is_denied(conn, street.services.vault, street.operator_id, scan, now=street.now)

    assert await ask(kid, subject_of(street, some[0]))
    assert not await ask(kid, subject_of(street, some[1]))
    assert await ask(kid, bytes(16)), "never issued"
    assert await ask(kid + 1, subject_of(street, some[1])), "no key of ours"
    street.clock.advance(hours=80)
    assert await ask(kid, subject_of(street, some[1])), "expired"


async def test_a_filter_that_is_not_there_is_a_problem_with_a_code(street: Street) -> None:
    for name, code in (("00" * 32, "deny_filter_unknown"), ("zz", "malformed_bytes")):
        answer = await send(street.client, signed(street.entry, "GET", f"/filters/{name}", b"", street.now), b"")
        assert answer.json()["code"] == code


async def test_filters_are_forgotten_when_no_bundle_can_name_them(street: Street) -> None:
    await freeze(street, await drivers(street, 6))
    first = await listing(street)
    street.clock.advance(hours=97)
    await freeze(street, await drivers(street, 6))
    await listing(street)
    assert first.filter is not None
    async with street.pool.acquire() as conn:
        with pytest.raises(denylist.FilterUnknown):
            await denylist.filter_content(conn, street.operator_id, first.filter.sha256)
    assert gate_bundle.LIFETIME + timedelta(hours=1) < denylist.FILTER_KEPT
