"""The fleet's own gates and phones in a kept town: gates registered by the operator's token, phones of its drivers."""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gate_sim.api import ApiRefusal, call
from gate_sim.driver import Driver, Offices
from gate_sim.gate import Post
from gate_sim.http import Client
from gate_sim.posts import post_json, post_of
from gate_sim.save import TownUnreadable, load_drivers, operator_token, read_posts
from gate_sim.seed import Seed
from gate_sim.wire import seconds_of, to_base64url
from parkflow import core

_POSTS_FILE: Final = "posts.json"


@dataclass(frozen=True, slots=True)
class FleetTown:
    """A kept town with the lots that it has, and the folder in which this fleet keeps its gates."""

    folder: Path
    offices: Offices
    drivers: Sequence[Driver]
    lots: Sequence[str]
    root_key: bytes
    token: str


def open_town(town: Path, name: str) -> FleetTown:
    """The town in `town`, for the fleet called `name`. Raises TownUnreadable."""
    offices, drivers = load_drivers(town)
    token = operator_token(town)
    posts = [post for _, post in read_posts(town)]
    if not token or not posts:
        raise TownUnreadable(f"{town}: the town keeps no operator's token; `parkflow demo --data-dir` writes one")
    folder = town / "fleet" / name
    folder.mkdir(parents=True, exist_ok=True)
    lots = sorted({post.lot for post in posts})
    return FleetTown(folder, offices, sorted(drivers, key=lambda one: one.person.name), lots, posts[0].root_key, token)


async def install(town: FleetTown, wanted: Sequence[tuple[str, str, str]], seed: Seed) -> list[Post]:
    """A gate at a lane of its own for each (name, lot, direction), the same one again for the same name."""
    known = _known(town.folder)
    for name, lot, direction in wanted:
        if name not in known:
            known[name] = await _register(town, (name, lot, direction), seed)
            _remember(town.folder, known)
    return [known[name] for name, _, _ in wanted]


async def with_credentials(town: FleetTown, count: int, now_s: int) -> list[Driver]:
    """So many drivers with a fresh credential.

    Who owes money, or gave the card back, gets none; who is inside somewhere since an earlier run cannot come in.
    """
    ready: list[Driver] = []
    for driver in town.drivers:
        if len(ready) == count:
            break
        try:
            await driver.get_credential(now_s)
        except ApiRefusal:
            continue
        if all(stay["exit_at"] is not None for stay in await stays_of(town.offices.service, driver, since_s=0)):
            ready.append(driver)
    return ready


async def stays_of(client: Client, driver: Driver, *, since_s: int) -> list[dict[str, Any]]:
    """What the service shows the driver of stays that began at `since_s` or later."""
    found: list[dict[str, Any]] = []
    path = "/v1/driver/stays?limit=50"
    while True:
        page = await call(client, "GET", path, token=driver.token)
        fresh = [stay for stay in page["stays"] if seconds_of(stay["entry_at"]) >= since_s]
        found += fresh
        if page["next"] is None or len(fresh) < len(page["stays"]):
            return found
        path = f"/v1/driver/stays?limit=50&before={page['next']}"


async def _register(town: FleetTown, wanted: tuple[str, str, str], seed: Seed) -> Post:
    name, lot, direction = wanted
    client, secret = town.offices.service, seed.key("fleet gate", str(town.folder), name)
    lane_wanted = {"reference": f"{town.folder.name}-{name}", "direction": direction}
    lane = await call(client, "POST", f"/v1/operator/lots/{lot}/lanes", lane_wanted, token=town.token)
    registration = {"lane_id": lane["lane_id"], "public_key": to_base64url(core.public_key(secret))}
    gate = await call(client, "POST", "/v1/operator/gates", registration, token=town.token)
    return Post(gate["gate_id"], lot, gate["lane_id"], direction, secret, town.root_key)


def _known(folder: Path) -> dict[str, Post]:
    try:
        rows = json.loads((folder / _POSTS_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return dict(_read(rows))


def _read(rows: dict[str, Any]) -> Iterator[tuple[str, Post]]:
    for name, row in rows.items():
        yield name, post_of(row)


def _remember(folder: Path, posts: dict[str, Post]) -> None:
    """Kept at once: a lane of this name cannot be made a second time."""
    draft = folder / f"{_POSTS_FILE}.draft"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump({name: post_json(post) for name, post in posts.items()}, file)
    draft.replace(folder / _POSTS_FILE)
