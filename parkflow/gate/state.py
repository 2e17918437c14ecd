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


class SightingState(StrEnum):
    """How far a passage that shows no code has come to its card."""

    RECEIVED = "received"
    HELD = "held"  # its card is not known, or not for certain; the reason says what is missing
    NOTED = "noted"  # a record of a raised barrier of which nobody has to ask whose passage it was
    MATCHED = "matched"
    DISMISSED = "dismissed"


class SightingEvent(StrEnum):
    """What happens to a sighting."""

    MATCH = "match"
    HOLD = "hold"
    NOTE = "note"
    DISMISS = "dismiss"


SIGHTING = Machine(
    name="sighting",
    initial=SightingState.RECEIVED,
    table={
        (SightingState.RECEIVED, SightingEvent.MATCH): SightingState.MATCHED,
        (SightingState.RECEIVED, SightingEvent.HOLD): SightingState.HELD,
        (SightingState.RECEIVED, SightingEvent.NOTE): SightingState.NOTED,
        (SightingState.HELD, SightingEvent.MATCH): SightingState.MATCHED,
        (SightingState.HELD, SightingEvent.DISMISS): SightingState.DISMISSED,
        (SightingState.NOTED, SightingEvent.MATCH): SightingState.MATCHED,
    },
    final=frozenset({SightingState.MATCHED, SightingState.DISMISSED}),
)
