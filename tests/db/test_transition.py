"""Rules of guarded transitions, on a table of their own."""

import asyncio
from enum import StrEnum

import pytest

from parkflow.db.conn import Conn, Pool
from parkflow.db.transition import Change, IllegalTransition, Subject, subject, transition, transition_many
from parkflow.db.tx import tx
from parkflow.kit.errors import NotFound
from parkflow.kit.ids import new_id
from parkflow.kit.machine import Machine
from tests.held_clock import HeldClock


class Door(StrEnum):
    SHUT = "shut"
    OPEN = "open"
    GONE = "gone"


class Push(StrEnum):
    PULL = "pull"
    CLOSE = "close"
    BREAK = "break"


DOOR = Machine(
    "door",
    Door.SHUT,
    {
        (Door.SHUT, Push.PULL): Door.OPEN,
        (Door.OPEN, Push.CLOSE): Door.SHUT,
        (Door.SHUT, Push.BREAK): Door.GONE,
        (Door.OPEN, Push.BREAK): Door.GONE,
    },
    final=frozenset({Door.GONE}),
    audited=True,
)
CREATE = """create table door (bucket smallint, door_id bigint, state text not null, broken_by text,
            primary key (bucket, door_id))"""


@pytest.fixture
async def doors(pool: Pool) -> list[int]:
    """Five shut doors in different buckets."""
    idents = [new_id(bucket) for bucket in (0, 1, 1, 500, 1023)]
    async with tx(pool) as conn:
        await conn.execute(CREATE)
        rows = [(ident >> 53, ident, "shut") for ident in idents]
        await conn.copy_records_to_table("door", records=rows, columns=["bucket", "door_id", "state"])
    return idents


async def state_of(conn: Conn, ident: int) -> str:
    return str(await conn.fetchval("select state from door where door_id = $1", ident))


async def test_a_step_changes_the_state_and_its_columns_and_is_remembered(
    pool: Pool, doors: list[int], clock: HeldClock
) -> None:
    change = Change(clock.now(), reason="wind", actor="weather", columns={"broken_by": "storm"})
    async with tx(pool) as conn:
        step = await transition(conn, DOOR, subject("door", doors[0]), Push.BREAK, change)
        assert (step.from_state, step.to_state) == ("shut", "gone")
        row = await conn.fetchrow("select state, broken_by from door where door_id = $1", doors[0])
        assert row is not None
        assert tuple(row.values()) == ("gone", "storm")
        history = await conn.fetchrow("select * from state_change where subject_id = $1", doors[0])
    assert history is not None
    assert tuple(history.values()) == (
        0, "door", doors[0], clock.now(), "break", "shut", "gone", "wind", "weather",
    )  # fmt: skip


async def test_an_event_that_the_state_does_not_allow_changes_nothing(
    pool: Pool, doors: list[int], clock: HeldClock
) -> None:
    with pytest.raises(IllegalTransition, match="door is shut: close is possible only in open"):
        async with tx(pool) as conn:
            await transition(conn, DOOR, subject("door", doors[0]), Push.CLOSE, Change(clock.now()))
    async with tx(pool) as conn:
        assert await state_of(conn, doors[0]) == "shut"
        assert await conn.fetchval("select count(*) from state_change") == 0


async def test_what_is_not_there_is_not_found(pool: Pool, doors: list[int], clock: HeldClock) -> None:
    async with tx(pool) as conn:
        with pytest.raises(NotFound, match="no such door"):
            await transition(conn, DOOR, subject("door", doors[0] + 1), Push.PULL, Change(clock.now()))


async def test_steps_at_one_instant_keep_their_order(pool: Pool, doors: list[int], clock: HeldClock) -> None:
    async with tx(pool) as conn:
        for event in (Push.PULL, Push.CLOSE, Push.PULL, Push.CLOSE):
            await transition(conn, DOOR, subject("door", doors[3]), event, Change(clock.now()))
        events = await conn.fetch("select event from state_change where subject_id = $1 order by at", doors[3])
    assert [row["event"] for row in events] == ["pull", "close", "pull", "close"]


async def test_many_rows_step_together_and_the_others_stay(pool: Pool, doors: list[int], clock: HeldClock) -> None:
    async with tx(pool) as conn:
        await transition(conn, DOOR, subject("door", doors[1]), Push.BREAK, Change(clock.now()))
        steps = await transition_many(conn, DOOR, doors, Push.PULL, Change(clock.now(), columns={"broken_by": None}))
        assert {step.subject_id for step in steps} == set(doors) - {doors[1]}
        assert await state_of(conn, doors[1]) == "gone"
        assert await conn.fetchval("select count(*) from state_change where event = 'pull'") == 4
        assert await transition_many(conn, DOOR, [], Push.PULL, Change(clock.now())) == []


async def test_a_key_of_other_columns_works_too(pool: Pool, doors: list[int], clock: HeldClock) -> None:
    named = Subject("door", {"door_id": doors[2]}, bucket=1, subject_id=doors[2])
    async with tx(pool) as conn:
        assert (await transition(conn, DOOR, named, Push.PULL, Change(clock.now()))).to_state == "open"


async def test_of_racing_workers_exactly_one_wins(pool: Pool, doors: list[int], clock: HeldClock) -> None:
    async def pull() -> bool:
        try:
            async with tx(pool) as conn:
                await transition(conn, DOOR, subject("door", doors[4]), Push.PULL, Change(clock.now()))
        except IllegalTransition:
            return False
        return True

    assert sorted(await asyncio.gather(*(pull() for _ in range(8)))) == [False] * 7 + [True]
    async with tx(pool) as conn:
        assert await conn.fetchval("select count(*) from state_change") == 1
