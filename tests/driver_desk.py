"""A driver in front of the API: a session, a card, and a phone with its keys."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx

from parkflow import core
from parkflow.kit.encoding import base64url, bytes_from_base64url
from parkflow.kit.ids import from_text, to_text

DEVICE_SECRET = bytes([7]) * 32


@dataclass
class DriverDesk:
    """Calls of one driver; `card` is the text of their card's id."""

    client: httpx.AsyncClient
    token: str
    card: str
    device: str = ""
    device_secret: bytes = DEVICE_SECRET
    keys_made: int = field(default=0)

    async def call(self, method: str, path: str, body: object | None = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        return await self.client.request(method, f"/v1/driver{path}", headers=headers, json=body)

    async def of_card(self, method: str, path: str, body: object | None = None) -> httpx.Response:
        return await self.call(method, f"/cards/{self.card}{path}", body)

    async def challenge(self) -> bytes:
        answer = await self.of_card("POST", "/device-challenges")
        assert answer.status_code == 201, answer.text
        return bytes_from_base64url("challenge", answer.json()["challenge"])

    async def enrol(self, challenge: bytes | None = None) -> httpx.Response:
        """Enrol the phone; remembers the device when it works."""
        challenge = await self.challenge() if challenge is None else challenge
        proof = {
            "public_key": base64url(core.public_key(self.device_secret)),
            "challenge": base64url(challenge),
            "signature": base64url(core.sign_message(self.device_secret, "enrol/1", challenge)),
        }
        answer = await self.of_card("POST", "/devices", proof)
        if answer.status_code == 201:
            self.device = answer.json()["device_id"]
        return answer

    def next_code_secret(self) -> bytes:
        self.keys_made += 1
        return self.keys_made.to_bytes(32, "big")

    def request(self, now: datetime, *, code_secret: bytes | None = None, **changes: object) -> dict[str, object]:
        """A signed request for a credential, with `changes` made after signing."""
        code_key = core.public_key(code_secret or self.next_code_secret())
        message = (
            from_text("card", self.card).to_bytes(8, "big")
            + from_text("dev", self.device).to_bytes(8, "big")
            + code_key
            + int(now.timestamp()).to_bytes(8, "big")
        )
        signature = core.sign_message(self.device_secret, "credential-request/1", message)
        return {
            "device_id": self.device,
            "code_key": base64url(code_key),
            "requested_at": now.isoformat(),
            "signature": base64url(signature),
            **changes,
        }

    async def credential(self, now: datetime, **changes: Any) -> httpx.Response:
        return await self.of_card("POST", "/credentials", self.request(now, **changes))


def card_text(card_id: int) -> str:
    return to_text("card", card_id)
