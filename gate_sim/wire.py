"""How bytes, ids and instants are written in the JSON of the service's API."""

import base64
from datetime import UTC, datetime

# Douglas Crockford's base 32 (https://www.crockford.com/base32.html), lower case.
_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"


def to_base64url(content: bytes) -> str:
    """RFC 4648 section 5 without padding."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    """The bytes of `text`, padded or not. Raises ValueError for anything else."""
    return base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), altchars=b"-_", validate=True)


def id_number(text: str) -> int:
    """The 63-bit number in an id such as `card_01h5…`. Raises ValueError if it is none."""
    number = 0
    for digit in text.rpartition("_")[2]:
        number = number << 5 | _DIGITS.index(digit)
    return number


def to_instant_text(at_ms: int) -> str:
    """RFC 3339 in UTC, milliseconds."""
    at = datetime.fromtimestamp(at_ms // 1000, UTC).replace(microsecond=at_ms % 1000 * 1000)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def seconds_of(text: str) -> int:
    """Unix seconds of an RFC 3339 instant, rounded down."""
    return int(datetime.fromisoformat(text).timestamp() // 1)
