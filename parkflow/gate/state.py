"""The states of a gate and of a scan."""

from enum import StrEnum

from parkflow.kit.machine import Machine


class GateState(StrEnum):
    """Whether a gate's word counts."""

    ACTIVE = "active"
    QUARANTINED = "quarantined"  # it sent two contents for one event: its scans are kept and wait for a person
    RETIRED = "retired"


class GateEvent(StrEnum):
    """What happens to a gate."""

    QUARANTINE = "quarantine"
    RELEASE = "release"
    RETIRE = "retire"


GATE = Machine(
    name="gate",
    initial=GateState.ACTIVE,
    table={
        (GateState.ACTIVE, GateEvent.QUARANTINE): GateState.QUARANTINED,
        (GateState.QUARANTINED, GateEvent.RELEASE): GateState.ACTIVE,
        (GateState.ACTIVE, GateEvent.RETIRE): GateState.RETIRED,
        (GateState.QUARANTINED, GateEvent.RETIRE): GateState.RETIRED,
    },
    final=frozenset({GateState.RETIRED}),
    audited=True,
)


class ScanState(StrEnum):
    """How far a verified passage has come."""

    RECEIVED = "received"
    HELD = "held"  # waits for another scan or for a person; the reason says which
    APPLIED = "applied"
    REJECTED = "rejected"


class ScanEvent(StrEnum):
    """What happens to a scan."""

    APPLY = "apply"
    HOLD = "hold"
    REJECT = "reject"


SCAN = Machine(
    name="scan",
    initial=ScanState.RECEIVED,
    table={
        (ScanState.RECEIVED, ScanEvent.APPLY): ScanState.APPLIED,
        (ScanState.RECEIVED, ScanEvent.HOLD): ScanState.HELD,
        (ScanState.RECEIVED, ScanEvent.REJECT): ScanState.REJECTED,
        (ScanState.HELD, ScanEvent.APPLY): ScanState.APPLIED,
        (ScanState.HELD, ScanEvent.REJECT): ScanState.REJECTED,
    },
    final=frozenset({ScanState.APPLIED, ScanState.REJECTED}),
)
