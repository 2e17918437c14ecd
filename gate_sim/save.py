"""A town kept in a file, so that its phones and gates can go on in another process. It holds their secret keys."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gate_sim.driver import Driver, Offices, Person
from gate_sim.fleet import Fleet
from gate_sim.gate import Gate, Post
from gate_sim.http import Client
from gate_sim.phone import Phone
from gate_sim.posts import post_json, post_of
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
    operator_token: str = ""

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
        "gates": [{"place": place, **post_json(gate.post)} for place, gate in fleet.gates.items()],
        "drivers": [_driver_json(driver) for driver in fleet.drivers.values()],
    }
    descriptor = os.open(folder / TOWN_FILE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file)


def load_town(folder: Path, *, now_ms: int) -> tuple[Offices, Fleet]:
    """The town of `folder`. Raises TownUnreadable."""
    offices, drivers = load_drivers(folder)
    gates = {place: Gate(post, folder / "gates", now_ms=now_ms) for place, post in read_posts(folder)}
    return offices, Fleet(gates, {driver.person.name: driver for driver in drivers})


def load_drivers(folder: Path) -> tuple[Offices, list[Driver]]:
    """The drivers of the town, and the doors that they knock at. Raises TownUnreadable."""
    with _told_if_unreadable(folder):
        content = _read(folder)
        offices = Addresses(**content["addresses"]).offices()
        return offices, list(_drivers(content, offices))


def operator_token(folder: Path) -> str:
    """The token by which the town's operator configures; empty where none is kept. Raises TownUnreadable."""
    with _told_if_unreadable(folder):
        return str(_read(folder)["addresses"].get("operator_token", ""))


def read_posts(folder: Path) -> Iterable[tuple[tuple[str, str], Post]]:
    """The posts of the town's gates by (lot, direction), without opening their journals. Raises TownUnreadable."""
    with _told_if_unreadable(folder):
        return list(_posts(_read(folder)["gates"]))


@contextmanager
def _told_if_unreadable(folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TownUnreadable(f"{folder / TOWN_FILE}: {error}; `parkflow demo --data-dir` writes one") from error


def _read(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / TOWN_FILE).read_text(encoding="utf-8"))
    return content


def _posts(rows: Iterable[dict[str, Any]]) -> Iterable[tuple[tuple[str, str], Post]]:
    for row in rows:
        lot, direction = row["place"]
        yield (lot, direction), post_of({name: value for name, value in row.items() if name != "place"})


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
