"""Enrolling phones: a challenge that only our vault can make, and the device key's signature over it."""

import secrets
from datetime import datetime, timedelta
from typing import Final

from parkflow import core
from parkflow.card import service as cards
from parkflow.card.state import CardState
from parkflow.credential import store
from parkflow.credential.rules import DEVICES_PER_CARD_MAX
from parkflow.credential.store import Device
from parkflow.db.conn import Conn
from parkflow.kit.errors import NotFound, ParkflowError
from parkflow.kit.ids import bucket_of, new_id
from parkflow.vault import Vault

ID_PREFIX: Final = "dev"
CHALLENGE_LIFETIME: Final = timedelta(minutes=5)
_AT_BYTES: Final = 8
_NONCE_BYTES: Final = 8
_MAC_BYTES: Final = 32


class ChallengeRefused(ParkflowError):
    """The challenge was made for another card or more than five minutes ago; ask for a new one."""

    code = "challenge_refused"
    status = 422


class BadDeviceKey(ParkflowError):
    """A device key is an Ed25519 public key of 32 bytes: canonical, of full order."""

    code = "bad_device_key"
    status = 422


class BadDeviceSignature(ParkflowError):
    """The signature was not made by the device key over what it has to cover."""

    code = "bad_device_signature"
    status = 422


class DeviceKeyInUse(ParkflowError):
    """The device key is enrolled elsewhere or was revoked; make a new key pair."""

    code = "device_key_in_use"
    status = 409


class TooManyDevices(ParkflowError):
    """A card has at most five phones; revoke one first."""

    code = "too_many_devices"
    status = 409


class CardNotInUse(ParkflowError):
    """The card is returned or being returned; it takes no new phone."""

    code = "card_not_in_use"
    status = 409


def new_challenge(vault: Vault, *, card_id: int, now: datetime) -> bytes:
    """48 bytes that a device signs to show that it has its key; nothing of them is stored."""
    stated = int(now.timestamp()).to_bytes(_AT_BYTES, "big") + secrets.token_bytes(_NONCE_BYTES)
    return stated + _mac(vault, card_id, stated)


async def enrol_device(
    conn: Conn, vault: Vault, *, account_id: int, card_id: int, proof: "DeviceProof", now: datetime
) -> int:
    """Enrol a phone on the driver's card; returns the device's id, the same one when it is enrolled already.

    The device signs the challenge under the purpose `enrol/1`. Raises NotFound, ChallengeRefused, BadDeviceKey,
    BadDeviceSignature, DeviceKeyInUse, TooManyDevices, CardNotInUse.
    """
    proof.check(vault, card_id=card_id, now=now)
    card = await cards.lock_own(conn, account_id=account_id, card_id=card_id)
    if card.state in (CardState.RETURNING, CardState.RETURNED):
        raise CardNotInUse
    known = await store.device_of_key(conn, bucket=bucket_of(card_id), public_key=proof.public_key)
    if known is not None:
        if known.card_id != card_id or known.revoked_at is not None:
            raise DeviceKeyInUse
        return known.device_id
    if await store.count_devices(conn, card_id) >= DEVICES_PER_CARD_MAX:
        raise TooManyDevices
    device = Device(new_id(bucket_of(card_id)), card_id, proof.public_key, None)
    if not await store.insert_device(conn, device, now=now):
        raise DeviceKeyInUse
    return device.device_id


async def revoke_device(conn: Conn, *, account_id: int, card_id: int, device_id: int, now: datetime) -> None:
    """A lost phone: it gets no more credentials and those that it has are denied. Raises NotFound."""
    await cards.lock_own(conn, account_id=account_id, card_id=card_id)
    device = await store.device(conn, device_id)
    if device is None or device.card_id != card_id:
        raise NotFound("there is no such device")
    await store.revoke_device(conn, card_id=card_id, device_id=device_id, now=now)


class DeviceProof:
    """What a phone sends to be enrolled: its public key, our challenge, and its signature over that."""

    def __init__(self, *, public_key: bytes, challenge: bytes, signature: bytes) -> None:
        self.public_key = public_key
        self._challenge = challenge
        self._signature = signature

    def check(self, vault: Vault, *, card_id: int, now: datetime) -> None:
        """Raises ChallengeRefused, BadDeviceKey, BadDeviceSignature."""
        stated, mac = self._challenge[:-_MAC_BYTES], self._challenge[-_MAC_BYTES:]
        if len(stated) != _AT_BYTES + _NONCE_BYTES:
            raise ChallengeRefused
        if not secrets.compare_digest(mac, _mac(vault, card_id, stated)):
            raise ChallengeRefused
        age = timedelta(seconds=int(now.timestamp()) - int.from_bytes(stated[:_AT_BYTES], "big"))
        if not timedelta(0) <= age <= CHALLENGE_LIFETIME:
            raise ChallengeRefused
        if not core.check_public_key(self.public_key):
            raise BadDeviceKey
        if not core.verify_message(self.public_key, "enrol/1", self._challenge, self._signature):
            raise BadDeviceSignature


def _mac(vault: Vault, card_id: int, stated: bytes) -> bytes:
    return vault.blind_index("credential/device-challenge", card_id.to_bytes(8, "big") + stated)
