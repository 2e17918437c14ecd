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


_S, _E = ScanState, ScanEvent

SCAN = Machine(
    name="scan",
    initial=_S.RECEIVED,
    table={
        (_S.RECEIVED, _E.APPLY): _S.APPLIED,
        (_S.RECEIVED, _E.HOLD): _S.HELD,
        (_S.RECEIVED, _E.REJECT): _S.REJECTED,
        # It may come to wait for something else.
        (_S.HELD, _E.HOLD): _S.HELD,
        (_S.HELD, _E.APPLY): _S.APPLIED,
        (_S.HELD, _E.REJECT): _S.REJECTED,
        # A scan that arrives late may show that others belong to another stay, to none, or to one after all.
        (_S.APPLIED, _E.APPLY): _S.APPLIED,
        (_S.APPLIED, _E.HOLD): _S.HELD,
        (_S.APPLIED, _E.REJECT): _S.REJECTED,
        (_S.REJECTED, _E.APPLY): _S.APPLIED,
        (_S.REJECTED, _E.HOLD): _S.HELD,
    },
    final=frozenset(),
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
