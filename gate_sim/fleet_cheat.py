"""A gate that cheats: everything that its key allows it to send, none of which may make money of nothing."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gate_sim.gate import Post
from gate_sim.http import Client, Reply
from gate_sim.journal import GENESIS, canonical, chain_hash
from gate_sim.phone import Phone
from gate_sim.seed import Seed
from gate_sim.signature import Seal, Signer
from gate_sim.wire import to_instant_text
from parkflow import core

# A kid of the other operator that no service gave out.
_FOREIGN_KID: Final = 0xFFFF_FFF0
_HOUR_S: Final = 3_600
_SIGNATURE_BYTES: Final = 64


@dataclass(slots=True)
class Cheat:
    """A registered gate with a will of its own. `results` counts what the service said, by trick."""

    post: Post
    seed: Seed
    client: Client
    epoch: int
    results: dict[str, Counter[str]]
    _nonces: int = 0

    async def try_everything(
        self, phones: Sequence[Phone], accepted: Sequence[tuple[str, int]], *, at_ms: int, victim: str
    ) -> None:
        """All tricks, one batch each. `accepted` codes opened honest gates when they say; `victim` is such a gate.

        What is already quarantined is told no more than a duplicate: the tricks that a service notices come last.
        """
        at_s = at_ms // 1000
        await self._send("forged", [(self._forged(phone, at_s), at_ms) for phone in phones], at_ms)
        await self._send("foreign", [(self._foreign(phone, at_s), at_ms) for phone in phones], at_ms)
        await self._send("stale", [(phone.code_at(at_s - 600), at_ms) for phone in phones], at_ms)
        await self._send("no code", [(f"PF1:{number:0294}", at_ms) for number in range(len(phones))], at_ms)
        await self._send("replayed", accepted, at_ms)
        first = self._batch([("PF1:", at_ms)], at_ms)
        await self._post("evidence", first, at_ms)
        changed = json.loads(first)
        changed["scans"][0]["at_ms"] -= 1
        await self._post("changed", json.dumps(changed).encode(), at_ms)
        self.epoch += 1
        broken = json.loads(self._batch([("PF1:", at_ms)] * 3, at_ms))
        head = {**broken, "scans": broken["scans"][:1]}
        tail = {**broken, "first_seq": 2, "prev_hash": "ab" * 32, "scans": broken["scans"][1:]}
        await self._post("chain", json.dumps(head).encode(), at_ms)
        await self._post("chain", json.dumps(tail).encode(), at_ms)
        await self._post("other gate", self._batch([("PF1:", at_ms)], at_ms), at_ms, gate=victim)

    @property
    def accepted(self) -> int:
        """How many of its scans the service took for passages."""
        return sum(results["accepted"] for results in self.results.values())

    async def _send(self, trick: str, shown: Sequence[tuple[str, int]], at_ms: int) -> None:
        await self._post(trick, self._batch(shown, at_ms), at_ms)
        self.epoch += 1

    def _batch(self, shown: Sequence[tuple[str, int]], at_ms: int) -> bytes:
        """Claims that each code opened this gate when it says; the chain is as it should be."""
        texts, digest = [], GENESIS
        for seq, (code, shown_ms) in enumerate(shown, start=1):
            scan = {
                "seq": seq,
                "at_ms": shown_ms,
                "lane": self.post.lane,
                "direction": self.post.direction,
                "medium": "code",
                "code": code,
                "verdict": "accepted",
            }
            texts.append(canonical(scan))
            digest = chain_hash(digest, texts[-1])
        head: Mapping[str, Any] = {
            "epoch": self.epoch,
            "first_seq": 1,
            "prev_hash": GENESIS.hex(),
            "bundle_version": 1,
            "clock": {"gate_at": to_instant_text(at_ms), "last_sync_at": None, "offset_ms": 0},
        }
        return f'{json.dumps(head)[:-1]},"scans":[{",".join(texts)}]}}'.encode()

    async def _post(self, trick: str, body: bytes, at_ms: int, *, gate: str | None = None) -> None:
        named = gate or self.post.gate
        url = f"{self.client.base_url}/v1/gates/{named}/scans"
        self._nonces += 1
        seal = Seal(at_ms // 1000, self.seed.key("cheat nonce", str(self.epoch), str(self._nonces)).hex()[:22])
        signed = Signer(named, self.post.secret).headers("POST", url, body, seal)
        headers = {"Content-Type": "application/json", **signed}
        answer = await self.client.request("POST", url, body=body, headers=headers)
        self.results.setdefault(trick, Counter()).update(_said(answer))

    def _forged(self, phone: Phone, at_s: int) -> str:
        """Somebody else's credential with a signature that is none."""
        code = bytearray(core.decode_base45(phone.code_at(at_s).removeprefix(core.PREFIX)))
        code[-_SIGNATURE_BYTES:] = self.seed.key("forger", phone.name) * 2
        return core.PREFIX + core.encode_base45(bytes(code))

    def _foreign(self, phone: Phone, at_s: int) -> str:
        """A code of another operator: whole and genuine, under its own key."""
        code_secret = self.seed.key("foreign phone", phone.name)
        fields = core.CredentialFields(
            kid=_FOREIGN_KID,
            subject=core.seal_subject(self.seed.key("foreign subjects")[:16], 1, 1),
            code_key=core.public_key(code_secret),
            not_before_s=at_s - _HOUR_S,
            lifetime_minutes=1_440,
            product=core.PRODUCT_PARKING,
            ceiling=0,
        )
        credential = core.issue_credential(self.seed.key("foreign issuer"), fields)
        return core.make_code(credential, code_secret, at_s, 7)


def _said(answer: Reply) -> list[str]:
    """The result of each scan, or the refusal of the batch."""
    content = answer.json()
    if answer.is_success:
        return [str(one["result"]) for one in content["results"]]
    return [f"{answer.status} {content.get('code')}"]
