"""Cards: issued once, activated by their deposit, frozen while any reason stands, returned and withdrawn."""

import asyncio

import pytest

from parkflow.card import service as cards
from parkflow.card.service import AgreementNotActive, CardExists
from parkflow.card.state import CardState, FreezeReason
from parkflow.db.conn import Conn, Pool
from parkflow.db.tx import tx
from parkflow.kit.errors import NotFound
from parkflow.kit.ids import bucket_of
from parkflow.kit.machine import IllegalTransition
from parkflow.operator import service as operators
from parkflow.vault import Vault
from tests import seed
from tests.edge import MASTER_KEY
from tests.seed import NOW

VAULT = Vault(MASTER_KEY)


async def new_card(conn: Conn, *, state: str = "active", reason: str | None = None) -> int:
    operator_id = await seed.operator(conn, VAULT)
    await seed.channel(conn, VAULT)
    account_id = await seed.account(conn, VAULT)
    agreement_id = await seed.agreement(conn, account_id)
    return await seed.card(
        conn, account_id=account_id, operator_id=operator_id, agreement_id=agreement_id, state=state, reason=reason
    )


async def state_of(conn: Conn, card_id: int) -> CardState:
    return (await cards.many(conn, [card_id]))[card_id].state


async def freeze(conn: Conn, card_id: int, reason: FreezeReason) -> list[int]:
    return await cards.freeze(conn, bucket=bucket_of(card_id), card_ids=[card_id], reason=reason, now=NOW)


async def thaw(conn: Conn, card_id: int, reason: FreezeReason) -> list[int]:
    return await cards.thaw(conn, bucket=bucket_of(card_id), card_ids=[card_id], reason=reason, now=NOW)


async def test_a_card_thaws_when_the_last_reason_goes(conn: Conn) -> None:
    card_id = await new_card(conn)
    assert await freeze(conn, card_id, FreezeReason.ARREARS) == [card_id]
    assert await freeze(conn, card_id, FreezeReason.LOST) == []
    assert await thaw(conn, card_id, FreezeReason.ARREARS) == []
    assert await state_of(conn, card_id) is CardState.FROZEN
    assert await thaw(conn, card_id, FreezeReason.LOST) == [card_id]
    assert await state_of(conn, card_id) is CardState.ACTIVE


async def test_freezing_twice_for_one_reason_is_one_reason(conn: Conn) -> None:
    card_id = await new_card(conn)
    for _ in range(2):
        await freeze(conn, card_id, FreezeReason.RISK)
    assert await thaw(conn, card_id, FreezeReason.RISK) == [card_id]
    assert await thaw(conn, card_id, FreezeReason.RISK) == []


async def test_a_reason_put_on_an_issued_card_freezes_it_when_its_deposit_is_paid(conn: Conn) -> None:
    card_id = await new_card(conn, state="issued")
    assert await freeze(conn, card_id, FreezeReason.OPERATOR) == []
    assert await cards.activate_funded(conn, [(bucket_of(card_id), card_id)], now=NOW) == [card_id]
    assert await state_of(conn, card_id) is CardState.FROZEN


async def test_a_deposit_activates_a_card_once(conn: Conn) -> None:
    card_id = await new_card(conn, state="issued")
    key = (bucket_of(card_id), card_id)
    assert await cards.activate_funded(conn, [key], now=NOW) == [card_id]
    assert await cards.activate_funded(conn, [key], now=NOW) == []
    assert await state_of(conn, card_id) is CardState.ACTIVE


async def test_a_withdrawn_return_of_a_card_in_arrears_leaves_it_frozen(conn: Conn) -> None:
    card_id = await new_card(conn, state="frozen", reason="arrears")
    bucket = bucket_of(card_id)
    await cards.begin_return(conn, bucket=bucket, card_id=card_id, now=NOW)
    assert await state_of(conn, card_id) is CardState.RETURNING
    await cards.withdraw_return(conn, bucket=bucket, card_id=card_id, now=NOW)
    assert await state_of(conn, card_id) is CardState.FROZEN


async def test_arrears_that_clear_while_a_card_is_returning_leave_it_active_when_withdrawn(conn: Conn) -> None:
    card_id = await new_card(conn, state="frozen", reason="arrears")
    bucket = bucket_of(card_id)
    await cards.begin_return(conn, bucket=bucket, card_id=card_id, now=NOW)
    assert await thaw(conn, card_id, FreezeReason.ARREARS) == []
    await cards.withdraw_return(conn, bucket=bucket, card_id=card_id, now=NOW)
    assert await state_of(conn, card_id) is CardState.ACTIVE


async def test_a_returned_card_stays_returned(conn: Conn) -> None:
    card_id = await new_card(conn, state="returning")
    bucket = bucket_of(card_id)
    await cards.finish_return(conn, bucket=bucket, card_id=card_id, now=NOW)
    assert await freeze(conn, card_id, FreezeReason.ARREARS) == []
    with pytest.raises(IllegalTransition):
        await cards.withdraw_return(conn, bucket=bucket, card_id=card_id, now=NOW)


async def test_each_change_of_a_card_is_on_record(conn: Conn) -> None:
    card_id = await new_card(conn)
    await freeze(conn, card_id, FreezeReason.LOST)
    await thaw(conn, card_id, FreezeReason.LOST)
    rows = await conn.fetch("select event, reason from state_change where subject_id = $1 order by at", card_id)
    assert [(row["event"], row["reason"]) for row in rows] == [("freeze", "lost"), ("thaw", "lost")]


async def test_a_card_needs_the_drivers_own_active_agreement(conn: Conn) -> None:
    operator = await operators.get(conn, await seed.operator(conn, VAULT))
    await seed.channel(conn, VAULT)
    account_id, other_id = [await seed.account(conn, VAULT) for _ in range(2)]
    pending = await seed.agreement(conn, account_id, state="pending")
    of_other = await seed.agreement(conn, other_id)
    for agreement_id, refusal in ((pending, AgreementNotActive), (of_other, NotFound)):
        with pytest.raises(refusal):
            await cards.issue(
                conn,
                account_id=account_id,
                operator=operator,
                agreement_id=agreement_id,
                vehicle_class="car",
                now=NOW,
            )


async def test_asking_twice_for_a_card_gives_one_card(pool: Pool) -> None:
    async with tx(pool) as conn:
        operator = await operators.get(conn, await seed.operator(conn, VAULT))
        await seed.channel(conn, VAULT)
        account_id = await seed.account(conn, VAULT)
        agreement_id = await seed.agreement(conn, account_id)

    async def ask(vehicle_class: str = "car") -> int:
        async with tx(pool) as conn:
            card = await cards.issue(
                conn,
                account_id=account_id,
                operator=operator,
                agreement_id=agreement_id,
                vehicle_class=vehicle_class,
                now=NOW,
            )
            return card.card_id

    assert len(set(await asyncio.gather(*(ask() for _ in range(8))))) == 1
    with pytest.raises(CardExists):
        await ask("large")


async def test_without_a_deposit_a_card_is_active_at_once(conn: Conn) -> None:
    operator = await operators.get(conn, await seed.operator(conn, VAULT, deposit_minor=0))
    await seed.channel(conn, VAULT)
    account_id = await seed.account(conn, VAULT)
    agreement_id = await seed.agreement(conn, account_id)
    card = await cards.issue(
        conn, account_id=account_id, operator=operator, agreement_id=agreement_id, vehicle_class="car", now=NOW
    )
    assert card.state is CardState.ACTIVE


async def test_a_freeze_for_another_reason_is_never_lost_to_a_thaw(pool: Pool) -> None:
    for _ in range(10):
        async with tx(pool) as conn:
            operator_id = await seed.operator(conn, VAULT, name=f"Operator {_}")
            await seed.channel(conn, VAULT)
            account_id = await seed.account(conn, VAULT)
            agreement_id = await seed.agreement(conn, account_id)
            card_id = await seed.card(
                conn,
                account_id=account_id,
                operator_id=operator_id,
                agreement_id=agreement_id,
                state="frozen",
                reason="arrears",
            )

        async def lift(card_id: int = card_id) -> None:
            async with tx(pool) as conn:
                await thaw(conn, card_id, FreezeReason.ARREARS)

        async def add(card_id: int = card_id) -> None:
            async with tx(pool) as conn:
                await freeze(conn, card_id, FreezeReason.LOST)

        await asyncio.gather(lift(), add())
        async with pool.acquire() as conn:
            assert await state_of(conn, card_id) is CardState.FROZEN
