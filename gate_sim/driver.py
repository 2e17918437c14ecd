"""A driver: signs in, signs the agreement, gets a card and codes, repays, gives the card back; all over HTTP."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from gate_sim.api import call
from gate_sim.http import Client
from gate_sim.phone import HeldCredential, Phone
from gate_sim.wire import from_base64url, seconds_of, to_base64url, to_instant_text

# Reads the text message that the service has just sent to a phone number; where it comes from is the caller's affair.
ReadOneTimeCode = Callable[[str], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Person:
    """Who a driver is outside of parkflow."""

    name: str
    phone_number: str
    plate: str | None
    wallet: str


@dataclass(frozen=True, slots=True)
class Offices:
    """The two doors a driver knocks at: the service and the channel that runs the wallet."""

    service: Client
    channel: Client
    channel_name: str
    operator: str


class Driver:
    """One person with a phone; every method is one thing that a person does in the app."""

    def __init__(self, person: Person, phone: Phone, offices: Offices) -> None:
        self.person = person
        self.phone = phone
        self.card = ""
        self.device = ""
        self.token: str | None = None
        self._offices = offices

    async def open_wallet(self, *, funds_minor: int, plan: list[str]) -> None:
        """Open the wallet at the channel; `plan` is how the channel will answer the first orders."""
        wallet = {"wallet": self.person.wallet, "funds_minor": funds_minor, "plan": plan}
        await call(self._offices.channel, "POST", "/v1/wallets", wallet)

    async def top_up(self, amount_minor: int) -> None:
        """Put money into the wallet."""
        path = f"/v1/wallets/{self.person.wallet}/top-up"
        await call(self._offices.channel, "POST", path, {"amount_minor": amount_minor})

    async def sign_in(self, read_one_time_code: ReadOneTimeCode) -> None:
        """Prove the phone number with the code from the text message."""
        phone = self.person.phone_number
        await self._call("POST", "/v1/driver/one-time-codes", {"phone": phone})
        one_time_code = await read_one_time_code(phone)
        session = await self._call("POST", "/v1/driver/sessions", {"phone": phone, "one_time_code": one_time_code})
        self.token = str(session["token"])
        if self.person.plate is not None:
            await self._call("POST", "/v1/driver/vehicles", {"plate": self.person.plate})

    async def join(self) -> None:
        """Sign the agreement at the channel, take a card, pay its deposit and enrol the phone."""
        agreement = await self._call("POST", "/v1/driver/agreements", {"channel": self._offices.channel_name})
        await call(self._offices.channel, "POST", agreement["sign_url"], {"wallet": self.person.wallet})
        signed = await self._call("GET", f"/v1/driver/agreements/{agreement['agreement_id']}")
        assert signed["state"] == "active", f"{self.person.name}: agreement is {signed['state']}"
        card = {"operator_id": self._offices.operator, "agreement_id": agreement["agreement_id"]}
        self.card = str((await self._call("POST", "/v1/driver/cards", card))["card_id"])
        paid = await self._call("POST", self._of_card("deposit"))
        assert paid["card_state"] == "active", f"{self.person.name}: deposit {paid}"
        await self._enrol_phone()

    async def _enrol_phone(self) -> None:
        challenge = str((await self._call("POST", self._of_card("device-challenges")))["challenge"])
        proof = {
            "public_key": to_base64url(self.phone.device_key),
            "challenge": challenge,
            "signature": to_base64url(self.phone.prove_possession(from_base64url(challenge))),
        }
        self.device = str((await self._call("POST", self._of_card("devices"), proof))["device_id"])

    async def get_credential(self, now_s: int) -> None:
        """Get the credential for the next day. Raises ApiRefusal, e.g. `card_in_arrears`."""
        code_secret = self.phone.next_code_secret()
        code_key = self.phone.code_key(code_secret)
        signature = self.phone.sign_credential_request(
            card=self.card, device=self.device, code_key=code_key, requested_at_s=now_s
        )
        request = {
            "device_id": self.device,
            "code_key": to_base64url(code_key),
            "requested_at": to_instant_text(now_s * 1000),
            "signature": to_base64url(signature),
        }
        answer = await self._call("POST", self._of_card("credentials"), request)
        self.phone.held = HeldCredential(
            from_base64url(answer["credential"]), code_secret, seconds_of(answer["expires_at"])
        )

    async def repay(self) -> dict[str, Any]:
        """Pay what is in arrears; {paid_minor, left_minor, currency, state}."""
        return await self._call("POST", "/v1/driver/arrears/repayments")

    async def ask_card_return(self) -> dict[str, Any]:
        """Give the card up and ask for the deposit; {return_id, state, release_after}."""
        return await self._call("POST", self._of_card("return"))

    async def card_return(self) -> dict[str, Any]:
        """How far the return of the card is."""
        return await self._call("GET", self._of_card("return"))

    def _of_card(self, what: str) -> str:
        return f"/v1/driver/cards/{self.card}/{what}"

    async def _call(self, method: str, path: str, content: object | None = None) -> dict[str, Any]:
        return await call(self._offices.service, method, path, content, token=self.token)
