"""Commands about operators: `parkflow operator create`."""

import json
from datetime import datetime

import click

from parkflow.credential.keys import ensure_issuer_key
from parkflow.day_commands import with_services
from parkflow.db.tx import tx
from parkflow.kit.ids import to_text
from parkflow.ledger import service as ledger_service
from parkflow.operator import service as operator_service
from parkflow.operator.service import Created, NewOperator
from parkflow.services import Services


@click.group()
def operator() -> None:
    """Operators: the companies that run lots."""


@operator.command()
@click.option("--name", required=True, help="How people call it; no two operators have one name.")
@click.option("--time-zone", required=True, help="IANA name, e.g. America/New_York.")
@click.option("--currency", required=True, help="ISO 4217 code, e.g. USD.")
@click.option("--deposit-minor", required=True, type=click.IntRange(min=0), help="A card's deposit in minor units.")
@click.option(
    "--day-turn",
    type=click.DateTime(["%H:%M"]),
    default="04:00",
    show_default=True,
    help="Local time at which the business day turns.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object in place of words.")
def create(*, name: str, time_zone: str, currency: str, deposit_minor: int, day_turn: datetime, as_json: bool) -> None:
    """Make an operator with its keys, its first business day and an admin token, which is shown only now."""
    new = NewOperator(name, time_zone, currency, deposit_minor, day_turn.time())
    created = with_services("parkflow operator", lambda services: open_operator(services, new))
    operator_id = to_text(operator_service.ID_PREFIX, created.operator_id)
    if as_json:
        click.echo(json.dumps({"operator_id": operator_id, "admin_token": created.admin_token}))
        return
    click.echo(f"operator     {operator_id}")
    click.echo(f"admin token  {created.admin_token}")
    click.echo("Keep the token: only its hash is stored.")


async def open_operator(services: Services, new: NewOperator) -> Created:
    """An operator that can begin at once: with its first business day open and a key that signs credentials.

    Raises InvalidOperator, OperatorNameTaken, UnknownCurrency.
    """
    now = services.clock.now()
    async with tx(services.pool) as conn:
        created = await operator_service.create(conn, services.vault, new, now=now)
        await ledger_service.ensure_open_day(conn, created.operator_id, now)
        await ensure_issuer_key(conn, services.vault, created.operator_id, now=now)
    return created
