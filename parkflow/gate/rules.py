"""What a scan is worth, decided from the code, the gate's word and the lot's rules; pure."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from parkflow import core
from parkflow.gate.batch import Batch, UploadedScan, content_sha256
from parkflow.lot.rules import Direction, ExitDenied

# A scan cannot lie in the future; this much a gate's clock may be ahead.
CLOCK_AHEAD_MAX: Final = timedelta(seconds=60)

ACCEPTED: Final = "accepted"
DUPLICATE: Final = "duplicate"
REPLAYED: Final = "replayed"
CONFLICT: Final = "conflict"
_DENIED: Final = "denied"
_MEDIUM_NOT_ENABLED: Final = "medium_not_enabled"
_SCAN_FROM_FUTURE: Final = "scan_from_future"
_WRONG_DIRECTION: Final = "wrong_direction"
UNISSUED: Final = "rejected:unissued_credential"
_OURS: Final = (_MEDIUM_NOT_ENABLED, _SCAN_FROM_FUTURE, _WRONG_DIRECTION)
KNOWN_RESULTS: Final = frozenset(
    {
        ACCEPTED,
        DUPLICATE,
        REPLAYED,
        CONFLICT,
        UNISSUED,
        *(f"rejected:{why}" for why in (*core.REASONS.values(), *_OURS)),
    }
)
"""Results that we give a name of our own; beyond them there are `rejected:` and a gate's own word."""


@dataclass(frozen=True, slots=True)
class Post:
    """Where the scans were made and by which rules; `keys` are the operator's, so others' codes are unknown here."""

    keys: core.KeySet
    policy: core.Policy
    lane_direction: Direction
    exit_denied: ExitDenied
    credentials: core.CredentialCache


@dataclass(frozen=True, slots=True)
class JudgedScan:
    """A scan with our own verdict; `verdict` is the core's, where there is a genuine code to speak of."""

    scan: UploadedScan
    scanned_at: datetime
    content_sha256: bytes
    result: str
    verdict: core.Verdict | None

    @property
    def is_passage(self) -> bool:
        """Whether a genuine code went through."""
        return self.result == ACCEPTED


def judge(batch: Batch, post: Post, *, now: datetime) -> list[JudgedScan]:
    """Our verdict for each scan of the batch, each by its own time: `accepted`, `replayed` or `rejected:<reason>`.

    Verifies two signatures per code; call it off the event loop. Whether a code or an event was seen before is not
    known here.
    """
    codes = [scan for scan in batch.scans if scan.code is not None]
    verdicts = core.verify_codes(
        [scan.code or "" for scan in codes],
        [scan.at_ms // 1000 for scan in codes],
        keys=post.keys,
        policy=post.policy,
        cache=post.credentials,
    )
    by_place = {id(scan): verdict for scan, verdict in zip(codes, verdicts, strict=True)}
    return [_judged(scan, by_place.get(id(scan)), post, now) for scan in batch.scans]


def _judged(scan: UploadedScan, verdict: core.Verdict | None, post: Post, now: datetime) -> JudgedScan:
    scanned_at = datetime.fromtimestamp(scan.at_ms // 1000, UTC) + timedelta(milliseconds=scan.at_ms % 1000)
    refusal = _refusal(scan, scanned_at, verdict, post, now)
    result = ACCEPTED if refusal is None else refusal if refusal == REPLAYED else f"rejected:{refusal}"
    genuine = verdict if verdict is not None and verdict.accepted else None
    return JudgedScan(scan, scanned_at, content_sha256(scan), result, genuine)


def _refusal(
    scan: UploadedScan, scanned_at: datetime, verdict: core.Verdict | None, post: Post, now: datetime
) -> str | None:
    if verdict is None:
        return _MEDIUM_NOT_ENABLED
    if scanned_at > now + CLOCK_AHEAD_MAX:
        return _SCAN_FROM_FUTURE
    if post.lane_direction is not Direction.BOTH and Direction(scan.direction) is not post.lane_direction:
        return _WRONG_DIRECTION
    if not verdict.accepted:
        return verdict.name
    if was_let_through(scan, post.exit_denied):
        return None
    # The barrier stayed shut: whatever the code is worth, nobody went through.
    return scan.verdict


def was_let_through(scan: UploadedScan, exit_denied: ExitDenied) -> bool:
    """Whether the barrier opened: by the gate's verdict, by hand, or because the lot lets denied cards out."""
    if scan.verdict == ACCEPTED or scan.manual:
        return True
    return scan.verdict == _DENIED and Direction(scan.direction) is Direction.EXIT and exit_denied is ExitDenied.ACCEPT
