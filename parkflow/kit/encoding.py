"""Bytes as they stand in JSON: base64url without padding (RFC 4648 §5), hex for hashes."""

import base64
import binascii
import re
from typing import Final

from parkflow.kit.errors import ParkflowError

_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]*")


class MalformedBytes(ParkflowError):
    """Bytes are written in base64url without padding, hashes in hex."""

    code = "malformed_bytes"
    status = 422


def bytes_from_base64url(field: str, text: str) -> bytes:
    """The bytes of `text`, exactly as `base64url` writes them. Raises MalformedBytes naming the field."""
    if not _BASE64URL.fullmatch(text):
        raise MalformedBytes(f"{field} is base64url without padding")
    try:
        value = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        raise MalformedBytes(f"{field} is base64url without padding") from None
    if base64url(value) != text:
        # Unused bits of the last digit would make two texts for the same bytes.
        raise MalformedBytes(f"{field} is not canonical base64url")
    return value


def base64url(value: bytes) -> str:
    """The text of `value`, without padding."""
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def bytes_from_hex(field: str, text: str, *, length: int) -> bytes:
    """Raises MalformedBytes naming the field."""
    if not re.fullmatch(rf"[0-9a-f]{{{2 * length}}}", text):
        raise MalformedBytes(f"{field} is {2 * length} hex digits in lower case")
    return bytes.fromhex(text)
