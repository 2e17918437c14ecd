"""Gates' journals made before the load: batches of scans with real codes and the hash chain, as bytes ready to send.

Only the head of a body (when the gate sends it) and the signature are made at the moment of sending.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from nacl.bindings import crypto_sign

from bench.load.cards import Cards, Phone, cards_path
from bench.load.town import Town, TownGate
from parkflow import core

CODE_AGE_S: Final = 3
_NONCES: Final = 1 << 16
_PURPOSE: Final = b"parkflow/code/1\0"
_SIGNATURE_BYTES: Final = 64


def code_text(phone: Phone, issued_at_s: int, nonce: int) -> str:
    """What the phone shows: the same text as `core.make_code`, at less than half its cost.

    libsodium is given the key pair where the core derives it from the secret each time.
    """
    body = phone.credential + issued_at_s.to_bytes(4, "big") + nonce.to_bytes(2, "big")
    signature = crypto_sign(_PURPOSE + body, phone.code_secret)[:_SIGNATURE_BYTES]
    return core.PREFIX + core.encode_base45(body + signature)


@dataclass(frozen=True, slots=True)
class Plan:
    """One batch to make: `count` cards of the gate's operator from place `first_card` on, one each `step_ms`."""

    first_card: int
    count: int
    first_at_ms: int
    step_ms: int


@dataclass(frozen=True, slots=True)
class Upload:
    """One batch of a gate, whose scans lie in the journal's file as JSON."""

    gate: TownGate
    epoch: int
    first_seq: int
    count: int
    prev_hash: str
    last_sync_ms: int
    path: Path
    start: int
    length: int

    def body(self, at_ms: int) -> bytes:
        """The request's body when it is sent at `at_ms`."""
        with self.path.open("rb") as file:
            file.seek(self.start)
            scans = file.read(self.length)
        return body_of(self.epoch, self.first_seq, self.prev_hash, scans, at_ms=at_ms, last_sync_ms=self.last_sync_ms)


def body_of(epoch: int, first_seq: int, prev_hash: str, scans: bytes, *, at_ms: int, last_sync_ms: int) -> bytes:
    """A batch's JSON around the `scans` joined by commas."""
    head = (
        f'{{"epoch":{epoch},"first_seq":{first_seq},"prev_hash":"{prev_hash}","bundle_version":1,"clock":{{'
        f'"gate_at":"{_instant(at_ms)}","last_sync_at":"{_instant(last_sync_ms)}","offset_ms":0}},"scans":['
    )
    return b"".join((head.encode(), scans, b"]}"))


class Chain:
    """The hash chain and the place in one epoch of a gate's journal."""

    def __init__(self, direction: str) -> None:
        self.seq = 0
        self.hash = bytes(32)
        self._direction = direction

    def append(self, phone: Phone, at_ms: int) -> bytes:
        """The next scan in canonical JSON (RFC 8785), whose hash is thereby that of its text."""
        self.seq += 1
        # A code is shown once: entry and exit of a card may lie in one second.
        nonce = (2 * self.seq + (self._direction == "exit")) % _NONCES
        code = code_text(phone, at_ms // 1000 - CODE_AGE_S, nonce)
        scan = (
            f'{{"at_ms":{at_ms},"code":"{code}","direction":"{self._direction}","lane":"a","medium":"code"'
            f',"seq":{self.seq},"verdict":"accepted"}}'
        ).encode()
        self.hash = hashlib.sha256(self.hash + hashlib.sha256(scan).digest()).digest()
        return scan


@dataclass(frozen=True, slots=True)
class Epoch:
    """The batches of one gate under one epoch number; since `last_sync_ms` its clock was not compared with ours."""

    gate: TownGate
    number: int
    last_sync_ms: int
    plans: Sequence[Plan]


@dataclass(frozen=True, slots=True)
class Passages:
    """How often and when cards pass the gates of a lot: `batches` of `scans` each, one scan every `step_ms`."""

    batches: int
    scans: int
    step_ms: int
    end_ms: int


def passages(town: Town, lots: Sequence[int], number: int, plan: Passages) -> list[Epoch]:
    """Journals of the gates of `lots`: the cards of a batch at the entry are those of the batch at the exit.

    Entry gates first, then exit gates. A gate's scans are in order of time, and a card leaves before it comes again.
    """
    window_ms = plan.scans * plan.step_ms
    busiest = -(-len(lots) // town.size.operators) * plan.scans
    assert busiest <= town.size.cards_per_operator, "no card is at two lots at once"
    begun_ms = plan.end_ms - (plan.batches + 1) * window_ms
    gates = [(town.entry(lot), begun_ms) for lot in lots]
    # Not a whole window later, when the cards of the next batch may be the same.
    gates += [(town.exit(lot), begun_ms + window_ms * 9 // 10) for lot in lots]
    return [
        Epoch(
            gate,
            number,
            begun_ms,
            [
                Plan(
                    gate.lot // town.size.operators * plan.scans + busiest * batch,
                    plan.scans,
                    first_ms + batch * window_ms,
                    plan.step_ms,
                )
                for batch in range(plan.batches)
            ],
        )
        for gate, first_ms in gates
    ]


def make_journals(epochs: Sequence[Epoch], folder: Path, pool: Executor) -> list[list[Upload]]:
    """The uploads of each epoch, in order; the bytes are in files of `folder`."""
    return list(pool.map(partial(_make, folder), epochs, chunksize=4))


def _make(folder: Path, epoch: Epoch) -> list[Upload]:
    """Runs in another process."""
    cards = Cards(cards_path(folder, epoch.gate.operator))
    path = folder / f"journal-{epoch.number}-{epoch.gate.gate_id}"
    chain = Chain(epoch.gate.direction)
    uploads = []
    with path.open("wb") as file:
        for plan in epoch.plans:
            first_seq, prev_hash, start = chain.seq + 1, chain.hash.hex(), file.tell()
            length = file.write(b",".join(_scans(cards, chain, plan)))
            uploads.append(
                Upload(
                    epoch.gate, epoch.number, first_seq, plan.count, prev_hash, epoch.last_sync_ms, path, start, length
                )
            )
    return uploads


def _scans(cards: Cards, chain: Chain, plan: Plan) -> Iterator[bytes]:
    for place in range(plan.count):
        yield chain.append(cards[plan.first_card + place], plan.first_at_ms + place * plan.step_ms)


def check_codes(cards: Iterable[Phone]) -> None:
    """That the short way gives the core's codes. Raises AssertionError."""
    for phone in cards:
        ours, theirs = (
            code_text(phone, 1_700_000_000, 7),
            core.make_code(phone.credential, phone.code_secret[:32], 1_700_000_000, 7),
        )
        assert ours == theirs, "codes made for the load are those that phones make"


def _instant(at_ms: int) -> str:
    at = datetime.fromtimestamp(at_ms // 1000, UTC).replace(microsecond=at_ms % 1000 * 1000)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
