"""What a gate must know to work without a network, taken from the service and kept on the gate's disk.

A gate takes a bundle only if the operator's root key signed it, its version is larger than the one it has, and it has
not expired; it is on the disk before it is used, so that an old one is never taken again, not even after a power cut.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gate_sim.wire import from_base64url, id_number, seconds_of
from parkflow import core


class BundleRefused(Exception):
    """The reason, in one line."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified bundle, ready for decisions at one lot."""

    version: int
    expires_at_s: int
    keys: core.KeySet
    denied: core.DenyList
    policy: core.Policy
    exit_denied: str


class BundleShelf:
    """The one bundle that a gate uses, and the file it lives in."""

    def __init__(self, path: Path, *, root_key: bytes, lot: str) -> None:
        self._path = path
        self._root_key = root_key
        self._lot = lot
        self.current: Bundle | None = None
        if path.exists():
            self.current = self._open(json.loads(path.read_bytes()))

    @property
    def version(self) -> int:
        """0 before the first bundle."""
        return 0 if self.current is None else self.current.version

    def take(self, answer: bytes, *, now_s: int) -> None:
        """Use the bundle in the service's answer from now on. Raises BundleRefused and keeps the old one otherwise."""
        bundle = self._open(json.loads(answer))
        if bundle.version <= self.version:
            raise BundleRefused(f"bundle {bundle.version} is not newer than {self.version}")
        if bundle.expires_at_s <= now_s:
            raise BundleRefused(f"bundle {bundle.version} has expired")
        _write_through(self._path, answer)
        self.current = bundle

    def _open(self, answer: dict[str, object]) -> Bundle:
        payload = from_base64url(str(answer["payload"]))
        if not core.verify_message(self._root_key, "bundle/1", payload, from_base64url(str(answer["signature"]))):
            raise BundleRefused("the bundle's signature is not the operator's")
        content = json.loads(payload)
        settings = [lot for lot in content["lots"] if lot["lot_id"] == self._lot]
        if not settings:
            raise BundleRefused(f"the bundle knows no lot {self._lot}")
        return Bundle(
            version=content["version"],
            expires_at_s=seconds_of(content["expires_at"]),
            keys=core.KeySet([_issuer_key(key) for key in content["keys"]]),
            denied=core.DenyList(from_base64url(subject) for subject in content["denied"]),
            policy=core.Policy(
                code_age_max_s=settings[0]["code_age_max_seconds"],
                skew_s=settings[0]["skew_seconds"],
                product=settings[0]["product"],
            ),
            exit_denied=settings[0]["exit_denied"],
        )


def _issuer_key(key: dict[str, Any]) -> core.IssuerKey:
    return core.IssuerKey(
        kid=key["kid"],
        public_key=from_base64url(key["public_key"]),
        operator_id=id_number(key["operator_id"]),
        product=key["product"],
        not_before_s=seconds_of(key["not_before"]),
        not_after_s=seconds_of(key["not_after"]),
    )


def _write_through(path: Path, content: bytes) -> None:
    """Replace the file by one that is wholly on the disk, so that a power cut leaves the old one or the new one."""
    draft = path.with_suffix(".draft")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
