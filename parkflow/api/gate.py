"""The gates' calls: upload scans, fetch the bundle, heartbeat; each signed by the gate."""

from collections import Counter
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Header
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import JSONResponse, Response

from parkflow.api.context import Given, Now
from parkflow.api.gate_auth import Signed
from parkflow.api.metrics import SCANS
from parkflow.db.tx import tx
from parkflow.gate import bundle as gate_bundle
from parkflow.gate import service as gate_service
from parkflow.gate.batch import read_batch
from parkflow.gate.ingest import ingest
from parkflow.gate.rules import KNOWN_RESULTS
from parkflow.gate.service import Heartbeat
from parkflow.kit.encoding import base64url
from parkflow.kit.errors import ParkflowError

router = APIRouter(prefix="/v1/gates/{gate}", tags=["gate"])

_BIGINT_MAX = 2**63 - 1
_Number = Annotated[int, Field(ge=0, le=_BIGINT_MAX)]


class HeartbeatMalformed(ParkflowError):
    """The body is not a heartbeat."""

    code = "heartbeat_malformed"
    status = 422


class HeartbeatBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    epoch: _Number
    last_seq: _Number
    gate_at: AwareDatetime
    offset_ms: Annotated[int, Field(ge=-_BIGINT_MAX, le=_BIGINT_MAX)]
    bundle_version: _Number


class ScanResult(BaseModel):
    seq: int
    result: str


class BatchAnswer(BaseModel):
    epoch: int
    acked_seq: int
    results: list[ScanResult]


class HeartbeatAnswer(BaseModel):
    server_at: datetime
    bundle_version: int
    acked_seq: int


@router.post("/scans", response_model=BatchAnswer)
async def upload_scans(signed: Signed, services: Given, now: Now) -> Response:
    """A batch of scans; a gate deletes from its journal only what the answer acknowledges."""
    batch = read_batch(signed.body)
    answer = await ingest(services, signed.gate, batch, now=now)
    for result, count in Counter(result for _, result in answer.results).items():
        SCANS.labels(result if result in KNOWN_RESULTS else "rejected:other").inc(count)
    # Two thousand results are not worth a second validation.
    results = [{"seq": seq, "result": result} for seq, result in answer.results]
    return JSONResponse({"epoch": answer.epoch, "acked_seq": answer.acked_seq, "results": results})


@router.get("/bundle")
async def fetch_bundle(
    signed: Signed, services: Given, now: Now, if_none_match: Annotated[str, Header()] = ""
) -> Response:
    """The newest bundle, or 304 when the gate has it."""
    async with tx(services.pool) as conn:
        bundle = await gate_bundle.current(conn, services.vault, operator_id=signed.gate.operator_id, now=now)
    etag = f'"{bundle.version}"'
    if etag in (tag.strip() for tag in if_none_match.split(",")):
        return Response(status_code=304, headers={"ETag": etag})
    content = {
        "version": bundle.version,
        "payload": base64url(bundle.payload),
        "signature": base64url(bundle.signature),
    }
    return JSONResponse(content, headers={"ETag": etag})


@router.post("/heartbeat")
async def heartbeat(signed: Signed, services: Given, now: Now) -> HeartbeatAnswer:
    """How far the gate's journal goes and what its clock says; when nothing is missing, it is complete till then."""
    body = _read_heartbeat(signed.body)
    async with tx(services.pool) as conn:
        beat = Heartbeat(body.epoch, body.last_seq, body.gate_at, body.offset_ms, body.bundle_version)
        acked_seq = await gate_service.beat(conn, signed.gate, beat, now=now)
        version = await gate_bundle.newest_version(conn, signed.gate.operator_id)
    return HeartbeatAnswer(server_at=now, bundle_version=version, acked_seq=acked_seq)


def _read_heartbeat(body: bytes) -> HeartbeatBody:
    try:
        return HeartbeatBody.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the body"
        raise HeartbeatMalformed(f"{place}: {first['msg']}") from None
