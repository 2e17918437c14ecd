"""Setting up the operator: the account by command, everything else over the operator's API, as an operator would."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from pathlib import Path

from gate_sim.api import call
from gate_sim.gate import Gate, Post
from gate_sim.http import Client
from gate_sim.seed import Seed
from gate_sim.wire import to_base64url, to_instant_text
from parkflow import core
from parkflow.channel import service as channel_service
from parkflow.credential import keys
from parkflow.db.tx import tx
from parkflow.demo.plan import CURRENCY, DEPOSIT_MINOR, TARIFF, TIME_ZONE
from parkflow.kit.ids import to_text
from parkflow.operator import service as operator_service
from parkflow.services import Services

OPERATOR_NAME = "City of Charlottesville"
CHANNEL = "sim"
# The steps from the application for a lot at the channel to taking money there.
_ONBOARDING = ("accept", "start_test", "go_live")


@dataclass(frozen=True, slots=True)
class Office:
    """The operator as the rest of the demo needs it."""

    operator_id: int
    operator: str
    token: str
    root_key: bytes
    lots: Mapping[str, str]


async def found_operator(services: Services, *, channel_url: str, channel_secret: bytes, now: datetime) -> Office:
    """The operator with its root key, its issuer key and the channel account."""
    new = operator_service.NewOperator(
        name=OPERATOR_NAME, time_zone=TIME_ZONE, currency=CURRENCY, deposit_minor=DEPOSIT_MINOR
    )
    async with tx(services.pool) as conn:
        created = await operator_service.create(conn, services.vault, new, now=now)
        operator = await operator_service.get(conn, created.operator_id)
        await keys.ensure_issuer_key(conn, services.vault, created.operator_id, now=now)
        account = channel_service.NewAccount(CHANNEL, channel_url, channel_secret, TIME_ZONE)
        await channel_service.register(conn, services.vault, account, now=now)
    text = to_text(operator_service.ID_PREFIX, created.operator_id)
    return Office(created.operator_id, text, created.admin_token, operator.root_public_key, {})


async def open_lots(
    client: Client, office: Office, lots: Sequence[str], *, source: str | None = None, now: datetime
) -> Office:
    """The lots with the tariff (`source`, or the one of 2017) in force from `now`, taking money at the channel."""
    tariff = {"source": source if source is not None else tariff_source()}
    published = await call(client, "POST", "/v1/operator/tariffs", tariff, token=office.token)
    opened = {}
    for reference in lots:
        lot = {"reference": reference, "name": f"Lot {reference}", "policy": {}}
        opened[reference] = str((await call(client, "POST", "/v1/operator/lots", lot, token=office.token))["lot_id"])
        path = f"/v1/operator/lots/{opened[reference]}"
        in_force = {"sha256": published["sha256"], "valid_from": to_instant_text(int(now.timestamp() * 1000))}
        await call(client, "PUT", f"{path}/tariff", in_force, token=office.token)
        await call(client, "POST", f"{path}/channels", {"channel": CHANNEL}, token=office.token)
        for event in _ONBOARDING:
            await call(client, "POST", f"{path}/channels/{CHANNEL}/events", {"event": event}, token=office.token)
    return Office(office.operator_id, office.operator, office.token, office.root_key, opened)


async def install_gates(
    client: Client, office: Office, *, seed: Seed, folder: Path, now: datetime
) -> dict[tuple[str, str], Gate]:
    """An entry and an exit lane with a gate each for every lot; the gates keep their files in `folder`."""
    gates = {}
    for reference, lot in office.lots.items():
        for direction in ("entry", "exit"):
            lane_wanted = {"reference": direction, "direction": direction}
            lane = await call(client, "POST", f"/v1/operator/lots/{lot}/lanes", lane_wanted, token=office.token)
            secret = seed.key("gate", reference, direction)
            registration = {"lane_id": lane["lane_id"], "public_key": to_base64url(core.public_key(secret))}
            gate = await call(client, "POST", "/v1/operator/gates", registration, token=office.token)
            post = Post(gate["gate_id"], lot, gate["lane_id"], direction, secret, office.root_key)
            gates[reference, direction] = Gate(post, folder, now_ms=int(now.timestamp() * 1000))
    return gates


def tariff_source() -> str:
    """The text of the tariff of 2017 that comes with parkflow."""
    return (resources.files("parkflow") / "tariff" / "library" / TARIFF).read_text(encoding="utf-8")
