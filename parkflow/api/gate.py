"""The gates' calls: upload scans, fetch bundle and filter, ask about a denial, heartbeat; each signed by the gate."""

import asyncio
import re
from collections import Counter
from datetime import datetime
from typing import Annotated, Final, TypeVar

from fastapi import APIRouter, Header
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from starlette.background import BackgroundTask
from starlette.responses import JSONResponse, Response

from parkflow.api.context import Given, Now, Uploads, Watch
from parkflow.api.gate_auth import Signed
from parkflow.api.metrics import SCANS
from parkflow.credential import denylist
from parkflow.credential.keys import SealedScan
from parkflow.db.tx import tx
from parkflow.gate import bundle as gate_bundle
from parkflow.gate import service as gate_service
from parkflow.gate import stages
from parkflow.gate.batch import read_batch
from parkflow.gate.bundle import Bundle
from parkflow.gate.rules import KNOWN_RESULTS
from parkflow.gate.service import Heartbeat
from parkflow.jobs.failpoint import failpoint
from parkflow.kit.encoding import bytes_from_base64url, bytes_from_hex
from parkflow.kit.errors import ParkflowError
from parkflow.services import Services

router = APIRouter(prefix="/v1/gates/{gate}", tags=["gate"])

BUNDLE_MEDIA_TYPE: Final = "application/vnd.parkflow.bundle"
FILTER_MEDIA_TYPE: Final = "application/vnd.parkflow.deny-filter"
# Under the minute after which proxies and phone networks like to cut silent connections.
WAIT_SECONDS_MAX: Final = 55
_BIGINT_MAX = 2**63 - 1
_BodyKind = TypeVar("_BodyKind", bound=BaseModel)
_Number = Annotated[int, Field(ge=0, le=_BIGINT_MAX)]


class GateBodyMalformed(ParkflowError):
    """The body is not what this call takes."""

    code = "gate_body_malformed"
    status = 422


class HeartbeatBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    epoch: _Number
    last_seq: _Number
    gate_at: AwareDatetime
    offset_ms: Annotated[int, Field(ge=-_BIGINT_MAX, le=_BIGINT_MAX)]
    bundle_version: _Number


class DenialBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    kid: Annotated[int, Field(ge=0, lt=2**32)]
    subject: Annotated[str, Field(min_length=22, max_length=22, description="16 bytes, base64url without padding")]


class DenialAnswer(BaseModel):
    denied: bool


class ScanResult(BaseModel):
    seq: int
    result: str


class BatchAnswer(BaseModel):
    epoch: int
    acked_seq: int
    last_seq: int
    server_at: datetime
    results: list[ScanResult]


class HeartbeatAnswer(BaseModel):
    server_at: datetime
    bundle_version: int
    acked_seq: int
    last_seq: int


@router.post("/scans", response_model=BatchAnswer)
async def upload_scans(signed: Signed, services: Given, intake: Uploads, now: Now) -> Response:
    """A batch of scans; a gate deletes from its journal only what the answer acknowledges.

    The answer comes when everything in it is committed. 429 and 503 say when to try again.
    """
    failpoint("ingest.read")
    clock = services.clock
    begun_ns = clock.monotonic_ns()
    upload = await asyncio.to_thread(read_batch, signed.body, scans_max=services.settings.scan_batch_max)
    stages.note(stages.PARSE, clock.monotonic_ns() - begun_ns)
    answer = await intake.take(signed.gate, upload, received_at=now)
    begun_ns = clock.monotonic_ns()
    for result, count in Counter(answer.results).items():
        SCANS.labels(result if result in KNOWN_RESULTS else "rejected:other").inc(count)
    # Two thousand results are not worth a second validation.
    results = [{"seq": seq, "result": result} for seq, result in enumerate(answer.results, answer.first_seq)]
    response = JSONResponse(
        {
            "epoch": answer.epoch,
            "acked_seq": answer.acked_seq,
            "last_seq": answer.last_seq,
            "server_at": clock.now().isoformat(),
            "results": results,
        },
        background=BackgroundTask(_answered),
    )
    stages.note(stages.ANSWER, clock.monotonic_ns() - begun_ns)
    return response


async def _answered() -> None:
    failpoint("ingest.answered")


@router.get("/bundle", response_class=Response)
async def fetch_bundle(
    signed: Signed,
    services: Given,
    watch: Watch,
    now: Now,
    if_none_match: Annotated[str, Header()] = "",
    prefer: Annotated[str, Header(max_length=200)] = "",
) -> Response:
    """The newest bundle as signed bytes, or 304 when the gate has it.

    A gate that stays on the line sends `Prefer: wait=55` (RFC 7240) with its ETag: the answer then comes with the next
    bundle, or after so many seconds.
    """
    operator_id = signed.gate.operator_id
    bundle = await _current_bundle(services, operator_id, now)
    wait_seconds = _wait_seconds(prefer)
    waits = wait_seconds > 0 and _has(if_none_match, bundle.version)
    if waits and await watch.wait_newer(operator_id=operator_id, version=bundle.version, seconds=wait_seconds):
        bundle = await _current_bundle(services, operator_id, services.clock.now())
    headers = {"ETag": f'"{bundle.version}"'}
    if _has(if_none_match, bundle.version):
        return Response(status_code=304, headers=headers)
    return Response(bundle.signed, media_type=BUNDLE_MEDIA_TYPE, headers=headers)


@router.get("/filters/{sha256}", response_class=Response)
async def fetch_filter(sha256: str, signed: Signed, services: Given) -> Response:
    """The deny filter that a bundle names by its hash (hex)."""
    name = bytes_from_hex("sha256", sha256, length=32)
    async with services.pool.acquire() as conn:
        content = await denylist.filter_content(conn, signed.gate.operator_id, name)
    return Response(content, media_type=FILTER_MEDIA_TYPE, headers={"ETag": f'"{sha256}"'})


@router.post("/denials")
async def ask_denial(signed: Signed, services: Given, now: Now) -> DenialAnswer:
    """The exact answer about a subject that the gate's filter hits, before the gate refuses it."""
    body = _read(DenialBody, signed.body)
    scan = SealedScan(body.kid, bytes_from_base64url("subject", body.subject))
    async with services.pool.acquire() as conn:
        denied = await denylist.is_denied(conn, services.vault, signed.gate.operator_id, scan, now=now)
    return DenialAnswer(denied=denied)


@router.post("/heartbeat")
async def heartbeat(signed: Signed, services: Given, now: Now) -> HeartbeatAnswer:
    """How far the gate's journal goes and what its clock says; when nothing is missing, it is complete till then.

    A gate whose journal ends before the answer's `acked_seq` or `last_seq` runs on an older copy of it and begins a new
    epoch.
    """
    body = _read(HeartbeatBody, signed.body)
    async with tx(services.pool) as conn:
        beat = Heartbeat(body.epoch, body.last_seq, body.gate_at, body.offset_ms, body.bundle_version)
        mark = await gate_service.beat(conn, signed.gate, beat, now=now)
        version = await gate_bundle.newest_version(conn, signed.gate.operator_id)
    return HeartbeatAnswer(server_at=now, bundle_version=version, acked_seq=mark.acked_seq, last_seq=mark.last_seq)


async def _current_bundle(services: Services, operator_id: int, now: datetime) -> Bundle:
    async with tx(services.pool) as conn:
        return await gate_bundle.current(conn, services.vault, operator_id=operator_id, now=now)


def _has(if_none_match: str, version: int) -> bool:
    return f'"{version}"' in (tag.strip() for tag in if_none_match.split(","))


def _wait_seconds(prefer: str) -> int:
    """The seconds of `wait=` among the preferences, at most WAIT_SECONDS_MAX; 0 where there are none."""
    found = re.search(r"(?:^|[,;\s])wait\s*=\s*(\d{1,6})(?=$|[,;\s])", prefer)
    return min(int(found[1]), WAIT_SECONDS_MAX) if found else 0


def _read(kind: type[_BodyKind], body: bytes) -> _BodyKind:
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the body"
        raise GateBodyMalformed(f"{place}: {first['msg']}") from None
