"""`gate-sim gate` as a real process: it answers the lane at once, uploads by itself, and may be killed at any time."""

import asyncio
import fcntl
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gate_sim.__main__ import gate_sim
from gate_sim.clock import VirtualClock
from gate_sim.gate import Post
from gate_sim.posts import post_json, save_post
from parkflow import core
from tests.unit.gate_sim.service import Service
from tests.unit.gate_sim.signed import LANE, LOT, NOW_S, ROOT_SECRET, bundle_of, phone_with_credential
from tests.unit.gate_sim.stand_in import standing_in

ROOT = Path(__file__).parents[3]
POST = Post("gate_0000000000001", LOT, LANE, "entry", b"g" * 32, core.public_key(ROOT_SECRET))
SECONDS_MAX = 20


class Process:
    """A running gate and its lines."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def ask(self, line: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{line}\n".encode())
        answer = await asyncio.wait_for(self.process.stdout.readline(), SECONDS_MAX)
        parsed: dict[str, Any] = json.loads(answer)
        return parsed

    async def becomes(self, **wanted: object) -> dict[str, Any]:
        """The status, as soon as it says this."""
        async with asyncio.timeout(SECONDS_MAX):
            # Each question waits for its answer, so this is no hot loop.
            while not wanted.items() <= (status := await self.ask("status")).items():
                pass
        return status

    async def end(self) -> tuple[int, str]:
        assert self.process.stdin is not None
        assert self.process.stderr is not None
        self.process.stdin.close()
        said = await asyncio.wait_for(self.process.stderr.read(), SECONDS_MAX)
        return await self.process.wait(), said.decode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_post(tmp_path, POST)
    VirtualClock(tmp_path / "clock", datetime.fromtimestamp(NOW_S, UTC))
    return tmp_path


@asynccontextmanager
async def running(folder: Path, url: str, *more: str) -> AsyncIterator[Process]:
    command = (sys.executable, "-P", "-m", "gate_sim", "gate", f"--state={folder}", f"--url={url}")
    clock = f"--clock=file:{folder / 'clock'}"
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command, clock, "--every=0.1", *more, stdin=pipe, stdout=pipe, stderr=pipe, env={"PYTHONPATH": str(ROOT)}
    )
    try:
        yield Process(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_a_gate_shows_uploads_and_takes_a_bundle_by_itself(folder: Path) -> None:
    service = Service(bundle=bundle_of(1))
    phone, _ = phone_with_credential()
    async with standing_in(service) as url, running(folder, url) as gate:
        await gate.becomes(bundle_version=1)
        assert await gate.ask(phone.code_at(NOW_S)) == {
            "opened": True, "verdict": "accepted", "reason": "accepted", "flag": None,
            "zh": "欢迎光临", "en": "Welcome", "epoch": NOW_S, "seq": 1,
        }  # fmt: skip
        assert (await gate.ask(f"code {phone.code_at(NOW_S)}"))["verdict"] == "replayed"
        assert (await gate.ask("plate 浙A12345"))["opened"]
        assert (await gate.ask("ticket 17"))["opened"]
        assert (await gate.ask("lift li.wei"))["seq"] == 5
        assert "staff are named" in (await gate.ask("lift"))["error"]
        assert "a line begins with" in (await gate.ask("nonsense"))["error"]
        await gate.becomes(waiting=0, takes_more=True)
        code, said = await gate.end()
    assert code == 0
    assert "bundle 1" in said
    assert len(service.contents) == 5


async def test_killed_at_any_moment_a_gate_loses_nothing_and_sends_nothing_under_two_names(folder: Path) -> None:
    service = Service()
    answered: list[tuple[int, int]] = []
    async with standing_in(service) as url:
        for life in range(2):
            # The second life has no line; what it wrote waits for the next one.
            async with running(folder, url if life == 0 else "http://127.0.0.1:9") as gate:
                for number in range(4 + life):
                    said = await gate.ask(f"plate {life}-{number}")
                    answered.append((said["epoch"], said["seq"]))
                gate.process.kill()
        async with running(folder, url) as gate:
            await gate.becomes(waiting=0)
            gate.process.terminate()
            assert await asyncio.wait_for(gate.process.wait(), SECONDS_MAX) == 0
    plates = [json.loads(text)["plate"] for text in service.contents.values()]
    assert sorted(plates) == sorted(f"{life}-{number}" for life in range(2) for number in range(4 + life))
    assert set(service.contents) == set(answered)
    assert service.quarantined_for == []


def test_two_processes_are_not_one_gate(folder: Path) -> None:
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert "another process is this gate" in refusal("gate", f"--state={folder}", "--url=http://127.0.0.1:9")


@pytest.mark.parametrize(
    "content",
    ["", "{}", "[]", '{"secret": 1, "root_key": "00"}', json.dumps({**post_json(POST), "colour": "red"})],
)
def test_a_gate_that_does_not_know_who_it_is_says_so(folder: Path, content: str) -> None:
    (folder / "gate.json").write_text(content)
    assert "gate.json: " in refusal("gate", f"--state={folder}", "--url=http://127.0.0.1:9")


def test_an_address_that_is_none_is_said(folder: Path) -> None:
    assert "an address looks like" in refusal("gate", f"--state={folder}", "--url=localhost")


def refusal(*arguments: str) -> str:
    result = CliRunner().invoke(gate_sim, arguments)
    assert result.exit_code == 2
    return result.output
