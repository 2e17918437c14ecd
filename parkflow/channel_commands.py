"""Commands about payment channels: `parkflow channel register`."""

import click

from parkflow.channel import service as channels
from parkflow.channel.service import NewAccount
from parkflow.day_commands import with_services
from parkflow.db.tx import tx
from parkflow.services import Services


@click.group()
def channel() -> None:
    """Channels: where drivers' money comes from."""


@channel.command()
@click.option("--name", required=True, help="How agreements and bills call it, e.g. sim.")
@click.option("--url", required=True, help="Where the simulated channel listens, e.g. http://127.0.0.1:9000.")
@click.option("--secret", required=True, envvar="PARKFLOW_CHANNEL_SECRET", help="Hex; shared with the channel.")
@click.option("--bill-time-zone", default="UTC", show_default=True, help="IANA name; a bill is of one day there.")
def register(*, name: str, url: str, secret: str, bill_time_zone: str) -> None:
    """Record the account at a simulated channel, or change it; start the API and the workers afterwards."""
    try:
        key = bytes.fromhex(secret)
    except ValueError as error:
        raise click.UsageError("--secret is hexadecimal") from error
    account = NewAccount(name, url, key, bill_time_zone)

    async def work(services: Services) -> None:
        async with tx(services.pool) as conn:
            await channels.register(conn, services.vault, account, now=services.clock.now())

    with_services("parkflow channel", work)
    click.echo(f"channel {name} at {url}")
