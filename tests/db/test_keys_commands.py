"""`parkflow keys list`, `rotate` and `root` against a database: one clear answer, everything on record."""

import json
from typing import Any

import asyncpg
import pytest

from parkflow.credential import keys
from parkflow.db.conn import Pool
from parkflow.db.tx import tx
from parkflow.kit.ids import to_text
from parkflow.operator import service as operators
from parkflow.vault import Vault
from tests import seed
from tests.db.test_cli import assert_refused, run
from tests.held_clock import HeldClock

MASTER_KEY = bytes(range(32))


@pytest.fixture
async def operator(pool: Pool, clock: HeldClock) -> str:
    """An operator with an issuer key; the text of its id."""
    vault = Vault(MASTER_KEY)
    async with tx(pool) as conn:
        operator_id = await seed.operator(conn, vault)
        # By the real clock, which the command reads.
        await keys.ensure_issuer_key(conn, vault, operator_id, now=clock.wall())
    return to_text(operators.ID_PREFIX, operator_id)


def keys_command(dsn: str, *arguments: str) -> Any:
    """The JSON that a command prints."""
    done = run("keys", *arguments, "--json", PARKFLOW_DATABASE_URL=dsn, PARKFLOW_MASTER_KEY=MASTER_KEY.hex())
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


async def test_a_rotation_is_listed_and_on_record(dsn: str, operator: str) -> None:
    [first] = keys_command(dsn, "list", "--operator", operator)
    assert (first["product"], first["algorithm"], first["signs_now"]) == ("parking", "Ed25519", True)
    done = keys_command(dsn, "rotate", "--operator", operator)
    assert (done["retired_kid"], done["signing_kid"]) == (None, first["kid"])
    after = {key["kid"]: key for key in keys_command(dsn, "list", "--operator", operator)}
    assert set(after) == {first["kid"], done["made_kid"]}
    assert after[first["kid"]]["not_after"] < first["not_after"] <= after[done["made_kid"]]["not_after"]
    done = keys_command(dsn, "rotate", "--operator", operator, "--retire-kid", str(first["kid"]))
    assert done["retired_kid"] == first["kid"]
    # The spare key, which gates have had for longest, signs.
    listed = keys_command(dsn, "list", "--operator", operator)
    assert [key["kid"] for key in listed if key["signs_now"]] == [done["signing_kid"]]
    assert done["signing_kid"] not in (first["kid"], done["made_kid"])
    conn = await asyncpg.connect(dsn)
    try:
        rows = await conn.fetch("select action, subject, token_name from operator_audit order by at, action")
    finally:
        await conn.close()
    assert [(row["action"], row["token_name"]) for row in rows] == [
        ("issuer_key_made", "parkflow keys"),
        ("issuer_key_made", "parkflow keys"),
        ("issuer_key_retired", "parkflow keys"),
    ]
    assert rows[-1]["subject"] == f"kid {first['kid']}"


async def test_the_root_key_is_the_operators(dsn: str, operator: str) -> None:
    done = run("keys", "root", "--operator", operator, PARKFLOW_DATABASE_URL=dsn, PARKFLOW_MASTER_KEY=MASTER_KEY.hex())
    conn = await asyncpg.connect(dsn)
    try:
        root_public_key = await conn.fetchval("select root_public_key from operator")
    finally:
        await conn.close()
    assert (done.returncode, done.stdout) == (0, root_public_key.hex() + "\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["list", "--operator", "op_0000000000000"], "there is no such operator"),
        (["root", "--operator", "op_0000000000000"], "there is no such operator"),
        (["rotate", "--operator", "op_0000000000000"], "there is no such operator"),
        (["root", "--operator", "somebody"], "is not an id of the form op_"),
        (["rotate", "--operator", "OPERATOR", "--retire-kid", "1"], "has no issuer key 1 for this product"),
    ],
)
async def test_wrong_use_is_one_line(dsn: str, operator: str, arguments: list[str], words: str) -> None:
    given = [operator if argument == "OPERATOR" else argument for argument in arguments]
    done = run("keys", *given, PARKFLOW_DATABASE_URL=dsn, PARKFLOW_MASTER_KEY=MASTER_KEY.hex())
    assert_refused(done, words)
    conn = await asyncpg.connect(dsn)
    try:
        assert await conn.fetchval("select count(*) from issuer_key") == 1
    finally:
        await conn.close()


async def test_list_says_in_words_who_signs(dsn: str, operator: str) -> None:
    done = run("keys", "list", "--operator", operator, PARKFLOW_DATABASE_URL=dsn, PARKFLOW_MASTER_KEY=MASTER_KEY.hex())
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    assert done.stdout.rstrip().endswith("signs now")
