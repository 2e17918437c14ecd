"""Support staff freeze and thaw their operator's cards, and no other's."""

from parkflow.card.state import FreezeReason
from parkflow.db.conn import Pool
from parkflow.db.tx import tx
from parkflow.kit.ids import to_text
from parkflow.operator import service as operator_service
from parkflow.operator.rules import Role
from parkflow.operator.service import Principal
from tests import seed
from tests.edge import client_of, services_over
from tests.held_clock import HeldClock


async def test_a_card_thaws_when_the_last_reason_is_lifted_and_only_for_its_operator(
    pool: Pool, clock: HeldClock
) -> None:
    services = services_over(pool, clock)
    async with tx(pool) as conn:
        mine, theirs = [await seed.operator(conn, services.vault, name=name) for name in ("Downtown", "Uptown")]
        tokens = [
            await operator_service.issue_token(conn, Principal(owner, Role.SUPPORT, "desk"), now=clock.now())
            for owner in (mine, theirs)
        ]
        await seed.channel(conn, services.vault)
        _, card_id = await seed.driver_with_card(conn, services.vault, operator_id=mine)
    card = to_text("card", card_id)

    async with client_of(services) as client:

        async def call(what: str, reason: str, token: str = tokens[0]) -> tuple[int, str, list[str]]:
            headers = {"Authorization": f"Bearer {token}"}
            url = f"/v1/operator/cards/{card}/{what}"
            answer = await client.post(url, headers=headers, json={"reason": reason})
            return answer.status_code, answer.json().get("state", ""), answer.json().get("reasons", [])

        assert await call("freeze", "lost") == (200, "frozen", [FreezeReason.LOST])
        assert await call("freeze", "risk") == (200, "frozen", [FreezeReason.LOST, FreezeReason.RISK])
        assert await call("freeze", "lost") == (200, "frozen", [FreezeReason.LOST, FreezeReason.RISK])
        assert await call("thaw", "lost") == (200, "frozen", [FreezeReason.RISK])
        assert await call("thaw", "risk") == (200, "active", [])
        assert (await call("freeze", "lost", tokens[1]))[0] == 404
        assert (await call("freeze", "arrears"))[0] == 422
    async with pool.acquire() as conn:
        assert await conn.fetchval("select count(*) from operator_audit where subject = $1", card) == 5
