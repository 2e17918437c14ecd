"""A town kept in a file, so that its phones and gates can go on in another process. It holds their secret keys."""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gate_sim.driver import Driver, Offices, Person
from gate_sim.fleet import Fleet
from gate_sim.gate import Gate, Post
from gate_sim.http import Client
from gate_sim.phone import Phone
from gate_sim.seed import Seed

TOWN_FILE = "town.json"


class TownUnreadable(Exception):
    """The folder holds no town that can go on; the reason in one line."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the service and the channel are, and their names for each other."""

    service_url: str
    channel_url: str
    channel_name: str
    operator: str

    def offices(self) -> Offices:
        """Clients for both; the caller closes them."""
        return Offices(
            Client(self.service_url),
            Client(self.channel_url),
            self.channel_name,
            self.operator,
        )


def save_town(folder: Path, addresses: Addresses, fleet: Fleet, seed: Seed) -> None:
    """Write `town.json` into the folder that also holds the gates' journals in `gates/`; readable by its owner only."""
    content = {
        "addresses": asdict(addresses),
        "seed": seed.number,
        "gates": [_gate_json(place, gate) for place, gate in fleet.gates.items()],
        "drivers": [_driver_json(driver) for driver in fleet.drivers.values()],
    }
    descriptor = os.open(folder / TOWN_FILE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file)


def load_town(folder: Path, *, now_ms: int) -> tuple[Offices, Fleet]:
    """The town of `folder`. Raises TownUnreadable."""
    try:
        content = json.loads((folder / TOWN_FILE).read_text(encoding="utf-8"))
        offices = Addresses(**content["addresses"]).offices()
        gates = dict(_gates(content["gates"], folder / "gates", now_ms))
        drivers = {driver.person.name: driver for driver in _drivers(content, offices)}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TownUnreadable(f"{folder / TOWN_FILE}: {error}; `parkflow demo --data-dir` writes one") from error
    return offices, Fleet(gates, drivers)


def _gate_json(place: tuple[str, str], gate: Gate) -> dict[str, object]:
    post = asdict(gate.post)
    return {"place": place, **post, "secret": gate.post.secret.hex(), "root_key": gate.post.root_key.hex()}


def _gates(rows: Iterable[dict[str, Any]], folder: Path, now_ms: int) -> Iterable[tuple[tuple[str, str], Gate]]:
    for row in rows:
        lot, direction = row.pop("place")
        post = Post(**{**row, "secret": bytes.fromhex(row["secret"]), "root_key": bytes.fromhex(row["root_key"])})
        yield (lot, direction), Gate(post, folder, now_ms=now_ms)


def _driver_json(driver: Driver) -> dict[str, object]:
    return {
        "person": asdict(driver.person),
        "card": driver.card,
        "device": driver.device,
        "token": driver.token,
        "credentials_asked": driver.phone.credentials_asked,
    }


def _drivers(content: Mapping[str, Any], offices: Offices) -> Iterable[Driver]:
    for row in content["drivers"]:
        person = Person(**row["person"])
        phone = Phone(Seed(content["seed"]), person.name, credentials_asked=row["credentials_asked"])
        driver = Driver(person, phone, offices)
        driver.card, driver.device, driver.token = row["card"], row["device"], row["token"]
        yield driver
