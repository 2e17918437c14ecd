"""docs/gates.md: every example is what a gate makes, and hashes and signatures are computed anew without it."""

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gate_sim import gate_command
from gate_sim.batch import BATCH_BYTES_MAX, SCANS_PER_BATCH_MAX, Stamp, batch_of
from gate_sim.gate import Post
from gate_sim.http import Client
from gate_sim.journal import GENESIS, Journal
from gate_sim.offset import OffsetEstimate
from gate_sim.signature import Seal, Signer
from gate_sim.uplink import Habits
from tests.unit.gate_sim.signed import NOW_S, make_gate
from tests.unit.gate_sim.stand_in import Request, standing_in

TEXT: Final = (Path(__file__).parents[3] / "docs" / "gates.md").read_text(encoding="utf-8")
JSON_BLOCKS: Final = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)
TEXT_BLOCKS: Final = re.findall(r"```text\n(.*?)```", TEXT, re.DOTALL)
EVENTS, BATCH, ANSWER, HEARTBEAT = JSON_BLOCKS
SECRET, BASE, HEADERS = (block.removesuffix("\n") for block in TEXT_BLOCKS)
LINES: Final = EVENTS.splitlines()


def rows(section: str) -> list[list[str]]:
    """The rows of the first table of a section, without its head."""
    table = re.search(r"\n\|.*?\n\n", TEXT.split(f"\n## {section}")[1] + "\n\n", re.DOTALL)
    assert table is not None
    lines = table[0].strip().splitlines()[2:]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]


def test_the_hashes_are_those_of_the_events() -> None:
    digest = bytes(32)
    table = [row for row in re.findall(r"\| (\d) \| `([0-9a-f]{64})` \| `([0-9a-f]{64})` \|", TEXT)]
    for line, (seq, content, chain) in zip(LINES, table, strict=True):
        event = json.loads(line)
        assert line == json.dumps(event, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert event["seq"] == int(seq)
        assert hashlib.sha256(line.encode()).hexdigest() == content
        digest = hashlib.sha256(digest + bytes.fromhex(content)).digest()
        assert digest.hex() == chain


def test_the_batch_is_what_the_reference_gate_sends(tmp_path: Path) -> None:
    said = json.loads(BATCH)
    journal = Journal(tmp_path / "journal", now_s=said["epoch"])
    for line in LINES:
        content = {name: value for name, value in json.loads(line).items() if name != "seq"}
        assert journal.append(content).text == line
    estimate = OffsetEstimate()
    estimate.add(sent_ms=1_798_761_659_900, received_ms=1_798_761_660_100, server_ms=1_798_761_660_320)
    stamp = Stamp(1_798_761_720_000, estimate, said["bundle_version"])
    assert batch_of(journal.unacknowledged(9), GENESIS, stamp).body.decode() + "\n" == BATCH
    assert said["scans"] == [json.loads(line) for line in LINES]


def test_the_signature_is_made_and_verified_by_others() -> None:
    body = BATCH.removesuffix("\n").encode()
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(SECRET))
    headers = dict(line.split(": ", 1) for line in HEADERS.splitlines())
    url = "http://parkflow.example:8000/v1/gates/gate_01h000000000g/scans"
    seal = Seal(1_798_761_720, "bm9uY2Utbm9uY2Utbm9uY2U")
    assert Signer("gate_01h000000000g", bytes.fromhex(SECRET)).headers("POST", url, body, seal) == headers
    signature = base64.b64decode(headers["Signature"].removeprefix("gate=:").removesuffix(":"))
    key.public_key().verify(signature, BASE.encode())
    assert base64.b64encode(hashlib.sha256(body).digest()).decode() in headers["Content-Digest"]


def test_the_offsets_are_what_the_reference_gate_estimates() -> None:
    section = TEXT.split("| sent | received |")[1].split("\n\n")[0].splitlines()[2:]
    for line in section:
        sent, received, server, offset, doubt = (int(cell) for cell in line.strip("|").split("|"))
        estimate = OffsetEstimate()
        estimate.add(sent_ms=sent, received_ms=received, server_ms=server)
        assert (estimate.offset_ms, estimate.doubt_ms) == (offset, doubt)


async def test_the_answer_and_the_heartbeat_are_what_the_reference_gate_understands(tmp_path: Path) -> None:
    gate = make_gate(tmp_path, habits=Habits(tries=1))
    gate.journal.close()
    journal = Journal(tmp_path / "doc", now_s=json.loads(ANSWER)["epoch"])
    gate.uplink._journal = journal
    for line in LINES:
        journal.append({name: value for name, value in json.loads(line).items() if name != "seq"})
    beats: list[Any] = []

    def answer(request: Request) -> tuple[int, Any]:
        if request.url.endswith("/heartbeat"):
            beats.append(json.loads(request.body))
            return 200, {
                "server_at": json.loads(ANSWER)["server_at"],
                "bundle_version": 1,
                "acked_seq": 3,
                "last_seq": 3,
            }
        return 200, json.loads(ANSWER)

    async with standing_in(answer) as url, Client(url) as client:
        assert await gate.uplink.upload(client, at_ms=NOW_S * 1000) == {"accepted": 2, "rejected:bad_base45": 1}
        assert await gate.uplink.heartbeat(client, at_ms=NOW_S * 1000)
    assert journal.waiting == 0
    assert beats[0].keys() == json.loads(HEARTBEAT).keys()


def test_the_members_of_an_event_are_all_in_the_table(tmp_path: Path) -> None:
    told = {name for row in rows("2. Write down") for name in re.findall(r"\w+", row[0].replace("`", ""))}
    gate = make_gate(tmp_path)
    gate.see_plate("B-PK 1", at_ms=NOW_S * 1000)
    gate.take_ticket("17", at_ms=NOW_S * 1000)
    gate.show("PF1:", at_ms=NOW_S * 1000)
    gate.lift("li.wei", at_ms=NOW_S * 1000)
    made = {name for event in gate.journal.unacknowledged(9) for name in event.content}
    assert made | {"flag"} == told


def test_the_limits_are_ours() -> None:
    assert f"at most {SCANS_PER_BATCH_MAX:,} events" in TEXT
    assert f"({BATCH_BYTES_MAX:,} bytes)" in TEXT


@pytest.mark.parametrize("path", re.findall(r"`((?:gate_sim|core_rs|docs)/[\w./-]+)`", TEXT))
def test_every_file_that_is_named_is_there(path: str) -> None:
    assert (Path(__file__).parents[3] / path).exists()


def test_the_folder_of_a_gate_holds_what_is_said() -> None:
    assert {field for field in Post.__dataclass_fields__} >= {"gate", "lot", "lane", "direction", "secret", "root_key"}
    assert "gate.json" in TEXT
    for command in (gate_command.gate, gate_command.post):
        assert f"gate-sim {command.name} " in TEXT
