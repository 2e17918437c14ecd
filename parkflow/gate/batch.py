"""The scan batch: what a gate uploads, read strictly, and the hash by which the same event is known again."""

import hashlib
import json
from typing import Annotated, Any, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from parkflow.kit.errors import ParkflowError

SCANS_MAX: Final = 2_000
# A QR code holds at most 4,296 characters; what is longer was never shown to a camera.
_TEXT_MAX: Final = 4_296
# Of a text that is no code, this much is kept as evidence; a code has 298 characters.
_EVIDENCE_MAX: Final = 400
_BIGINT_MAX: Final = 2**63 - 1
# The end of year 9999, where datetime ends.
_MILLISECONDS_MAX: Final = 253_402_300_799_999

Number = Annotated[int, Field(ge=0, le=_BIGINT_MAX)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]


class BatchMalformed(ParkflowError):
    """The body is not a scan batch."""

    code = "batch_malformed"
    status = 422


class BatchEmpty(ParkflowError):
    """A batch has at least one scan; a gate with nothing to say sends a heartbeat."""

    code = "batch_empty"
    status = 422


class BatchTooLarge(ParkflowError):
    """A batch has at most 2,000 scans; send the rest in a further batch."""

    code = "batch_too_large"
    status = 413


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class UploadedScan(_Part):
    """One passage as the gate saw it; `at_ms` is unix milliseconds by the gate's clock."""

    seq: Annotated[int, Field(ge=1, le=_BIGINT_MAX)]
    at_ms: Annotated[int, Field(ge=0, le=_MILLISECONDS_MAX)]
    lane: Name
    direction: Literal["entry", "exit"]
    medium: Literal["code", "plate", "ticket"]
    code: Annotated[str, Field(max_length=_TEXT_MAX)] | None = None
    plate: Annotated[str, Field(max_length=_TEXT_MAX)] | None = None
    ticket: Annotated[str, Field(max_length=_TEXT_MAX)] | None = None
    verdict: Annotated[str, Field(pattern=r"^[a-z][a-z_]{0,39}$")]
    manual: bool | None = None
    # What the gate flagged although it opened: `risk`, `passback`, `bundle_expired`.
    flag: Annotated[str, Field(pattern=r"^[a-z][a-z_]{0,39}$")] | None = None

    def content(self) -> dict[str, Any]:
        """The scan as it was sent, without fields that were left out."""
        return self.model_dump(exclude_none=True)


class GateClock(_Part):
    """What the gate knows of its own clock."""

    gate_at: Annotated[AwareDatetime, Field(strict=False)]
    last_sync_at: Annotated[AwareDatetime, Field(strict=False)] | None = None
    offset_ms: Annotated[int, Field(ge=-_BIGINT_MAX, le=_BIGINT_MAX)]


class Batch(_Part):
    """Scans in the order of the gate's journal."""

    epoch: Number
    first_seq: Number
    prev_hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    bundle_version: Number
    clock: GateClock
    scans: list[UploadedScan]


def read_batch(body: bytes) -> Batch:
    """The batch in a request body. Raises BatchMalformed naming the place, BatchEmpty, BatchTooLarge."""
    try:
        # The parser bounds the depth of nesting itself (200), long before the stack ends.
        batch = Batch.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the body"
        raise BatchMalformed(f"{place}: {first['msg']}") from None
    if not batch.scans:
        raise BatchEmpty
    if len(batch.scans) > SCANS_MAX:
        raise BatchTooLarge
    if batch.first_seq != batch.scans[0].seq:
        raise BatchMalformed(f"first_seq is the seq of the first scan, {batch.scans[0].seq}, not {batch.first_seq}")
    for index, scan in enumerate(batch.scans):
        if (scan.code is None, scan.plate is None, scan.ticket is None).count(False) != 1:
            raise BatchMalformed(f"scans.{index}: exactly one of code, plate and ticket is given")
        if getattr(scan, scan.medium) is None:
            raise BatchMalformed(f"scans.{index}: medium {scan.medium} needs the field {scan.medium}")
    return batch


def content_sha256(scan: UploadedScan) -> bytes:
    """SHA-256 (FIPS 180-4) of the scan's content in one canonical JSON form: the same event has the same hash."""
    return hashlib.sha256(json.dumps(scan.content(), sort_keys=True, separators=(",", ":")).encode()).digest()


def evidence(scan: UploadedScan) -> dict[str, Any]:
    """The scan as it is kept: texts that were never codes cut short, and without NUL, which jsonb cannot hold."""
    return {
        name: value[:_EVIDENCE_MAX].replace("\0", "\N{REPLACEMENT CHARACTER}") if isinstance(value, str) else value
        for name, value in scan.content().items()
    }
