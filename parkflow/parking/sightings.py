"""Matching sightings: a passage without a code becomes a scan of the card whose passage it was, or is held."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from parkflow.account import service as account_service
from parkflow.account.service import PlateKey
from parkflow.card import service as card_service
from parkflow.card.service import Card, CardState, StateChange
from parkflow.db.conn import Conn
from parkflow.db.sql import load
from parkflow.gate import service as gate_service
from parkflow.gate import sightings as gate_sightings
from parkflow.gate.sightings import LIFT, PLATE, Found, KeptSighting
from parkflow.gate.state import SightingState
from parkflow.gate.unpaired import Group, ScanKey
from parkflow.lot import service as lot_service
from parkflow.parking import sighting_rules as rules
from parkflow.parking.rules import REPEAT_WITHIN
from parkflow.parking.sighting_rules import Hold, Holder, Match, Passage, Scene, SeenPlate, decide

_SQL = load(__file__, "sightings.sql")
SIGHTINGS_PER_PASS_MAX: Final = 2_000
BY_RULE: Final = "rule"
BY_POLICY: Final = "policy"
# What the uploads of all gates decide comes with the next ones, a minute later.
_LOOK_AGAIN: Final = timedelta(minutes=1)
# What did not clear up in an hour need not be asked about each minute.
_LOOK_AGAIN_MAX: Final = timedelta(minutes=15)
# A driver who enters a plate is heard at once; this is for a registration that crossed with the upload.
_UNKNOWN_AGAIN: Final = timedelta(hours=1)
# The longest that a lot waits for an exit.
_STAY_MAX: Final = timedelta(days=31)
# Two passages of one gate lie seconds apart.
_COMPANY_SEQS_MAX: Final = 50
_EVER: Final = datetime.min.replace(tzinfo=UTC)


class Candidate(NamedTuple):
    """A card that a sighting may be of; `inside_since` where it was in the lot then, as far as is known."""

    card: Card
    inside_since: datetime | None


@dataclass(frozen=True, slots=True)
class _Turn:
    """Whose hand writes, when, and until when what is missing may still come for each sighting."""

    owner: str
    now: datetime
    expiry: Mapping[ScanKey, datetime]

    def is_over(self, one: KeptSighting) -> bool:
        return self.now >= self.expiry[one.key]


@dataclass(frozen=True, slots=True)
class _Facts:
    """What is known around some plates: the operators' cards that have them, and their passages."""

    cards: Mapping[PlateKey, Sequence[Card]]
    changes: Mapping[int, Sequence[StateChange]]
    passages: Mapping[Group, Sequence[Passage]]

    def holders(self, plate: PlateKey, operator_id: int, lot_id: int) -> list[Holder]:
        return [
            Holder(card.card_id, self.passages.get(Group(card.bucket, card.card_id, lot_id), ()), self._activity(card))
            for card in self.cards.get(plate, ())
            if card.operator_id == operator_id
        ]

    def _activity(self, card: Card) -> list[tuple[datetime, bool]]:
        changes = self.changes.get(card.card_id, ())
        first = changes[0].before if changes else card.state
        later = [(change.at, change.after is CardState.ACTIVE) for change in changes]
        return [(_EVER, first is CardState.ACTIVE), *later]


async def match(conn: Conn, *, owner: str, buckets: Sequence[int], now: datetime) -> int:
    """Decide about the sightings that are due in the buckets leased by `owner`; how many were looked at.

    Writes are fenced by the lease, and only one of all that decide about a sighting finds it undecided.
    """
    due = await gate_sightings.due(conn, owner=owner, buckets=buckets, now=now, sightings_max=SIGHTINGS_PER_PASS_MAX)
    if not due:
        return 0
    # Sightings of one car explain each other, so those that are not due are looked at with the others.
    plates = sorted({one.plate for one in due if one.plate is not None})
    related = await gate_sightings.undecided_of_plates(conn, plates) if plates else []
    turn = _Turn(owner, now, await _expiry(conn, [*due, *related]))
    await _match_plates(conn, turn, [one for one in due if one.plate is not None], related)
    await _hold_unreadable(conn, turn, [one for one in due if one.plate is None and one.medium != LIFT])
    await _judge_lifts(conn, turn, [one for one in due if one.medium == LIFT])
    return len(due)


async def candidates(conn: Conn, sighting: KeptSighting) -> list[Candidate]:
    """The operator's cards of those who have the plate that was seen, for a person who decides."""
    if sighting.plate is None:
        return []
    facts = await _facts(conn, [sighting])
    found = []
    for card in facts.cards.get(sighting.plate, ()):
        passages = facts.passages.get(Group(card.bucket, card.card_id, sighting.lot_id), ())
        before = [passage for passage in sorted(passages, key=lambda one: one.at) if passage.at <= _instant(sighting)]
        is_inside = bool(before) and before[-1].direction == "entry"
        found.append(Candidate(card, before[-1].at if is_inside else None))
    return found


async def _match_plates(conn: Conn, turn: _Turn, due: Sequence[KeptSighting], related: Sequence[KeptSighting]) -> None:
    if not due:
        return
    together = list({one.key: one for one in [*related, *due]}.values())
    facts = await _facts(conn, together)
    uploads = await gate_service.uploads_complete_to(conn, sorted({one.lot_id for one in together}))
    complete = {lot_id: told.all_to for lot_id, told in uploads.items()}
    decisions: dict[ScanKey, rules.Decision] = {}
    for scene in _scenes(together, facts, complete, turn):
        decisions |= decide(scene)
    found = [Found(key, one.card_id, one.reason) for key, one in decisions.items() if isinstance(one, Match)]
    await gate_sightings.match(conn, turn.owner, sorted(found), by=BY_RULE, now=turn.now)
    kept = [(one, decisions[one.key]) for one in due]
    await _hold(conn, turn, [(one, decision.reason) for one, decision in kept if isinstance(decision, Hold)])


def _scenes(
    sightings: Sequence[KeptSighting], facts: _Facts, complete: Mapping[int, datetime | None], turn: _Turn
) -> Iterable[Scene]:
    by_lot: dict[tuple[int, int], list[KeptSighting]] = {}
    for one in sightings:
        by_lot.setdefault((one.operator_id, one.lot_id), []).append(one)
    for (operator_id, lot_id), here in sorted(by_lot.items()):
        seen = [
            SeenPlate(one.key, one.plate, one.direction, _instant(one), turn.is_over(one))
            for one in here
            if one.plate is not None
        ]
        holders = {one.plate: facts.holders(one.plate, operator_id, lot_id) for one in seen}
        yield Scene(seen, holders, complete.get(lot_id))


async def _facts(conn: Conn, sightings: Sequence[KeptSighting]) -> _Facts:
    """All that bears on the plates of the sightings."""
    plates = sorted({one.plate for one in sightings if one.plate is not None})
    accounts = await account_service.accounts_of_plates(conn, plates)
    owners = sorted({account_id for account_ids in accounts.values() for account_id in account_ids})
    if not owners:
        return _Facts({}, {}, {})
    operator_ids = [one.operator_id for one in sightings]
    # A card that was handed in is beyond all charges, and one without a deposit was never used.
    cards = [
        card
        for card in await card_service.of_accounts(conn, owners, operator_ids=operator_ids)
        if card.state not in (CardState.ISSUED, CardState.RETURNED)
    ]
    of_account: dict[int, list[Card]] = {}
    for card in cards:
        of_account.setdefault(card.account_id, []).append(card)
    by_plate = {
        plate: [card for ident in accounts.get(plate, ()) for card in of_account.get(ident, ())] for plate in plates
    }
    changes = await card_service.state_changes(conn, [card.card_id for card in cards])
    return _Facts(by_plate, changes, await _passages(conn, sightings, by_plate))


async def _passages(
    conn: Conn, sightings: Sequence[KeptSighting], cards: Mapping[PlateKey, Sequence[Card]]
) -> Mapping[Group, Sequence[Passage]]:
    windows: dict[Group, tuple[datetime, datetime]] = {}
    for one in sightings:
        at = _instant(one)
        for card in cards.get(one.plate, ()) if one.plate is not None else ():
            group = Group(card.bucket, card.card_id, one.lot_id)
            since, until = windows.get(group, (at, at))
            windows[group] = min(since, at), max(until, at)
    if not windows:
        return {}
    rows = await conn.fetch(
        _SQL.passages_of_cards,
        [group.bucket for group in windows],
        [group.card_id for group in windows],
        [group.lot_id for group in windows],
        [since - _STAY_MAX for since, _ in windows.values()],
        [until + _STAY_MAX for _, until in windows.values()],
    )
    plates = await gate_sightings.plates_of_matched(conn, sorted(cards))
    found: dict[Group, list[Passage]] = {group: [] for group in windows}
    for row in rows:
        event = (row["gate_id"], row["epoch"], row["seq"])
        plate = plates.get(event, rules.ANOTHER_PLATE) if row["medium"] == PLATE else None
        passage = Passage(row["at"], row["direction"], plate)
        found[Group(row["bucket"], row["card_id"], row["lot_id"])].append(passage)
    return found


async def _hold_unreadable(conn: Conn, turn: _Turn, due: Sequence[KeptSighting]) -> None:
    """Tickets, and plates that cannot be read: only a person can say more."""
    reasons = [(one, rules.UNREADABLE_PLATE if one.medium == PLATE else rules.NO_CARD) for one in due]
    await _hold(conn, turn, reasons)


async def _judge_lifts(conn: Conn, turn: _Turn, due: Sequence[KeptSighting]) -> None:
    """A lift at an exit near which the gate saw nothing else is a record; every other one is held for a person.

    Not before the gate has told what came after it.
    """
    company = await gate_sightings.in_company(conn, due, seqs_max=_COMPANY_SEQS_MAX, time_max=REPEAT_WITHIN)
    told = await gate_sightings.told_to(conn, [one.key.gate_id for one in due])
    held: list[tuple[ScanKey, str, datetime | None]] = []
    noted: list[ScanKey] = []
    later: list[tuple[ScanKey, datetime]] = []
    for one in due:
        if one.direction == "entry" or one.key in company:
            held.append((one.key, rules.NO_CARD, None))
        elif turn.is_over(one) or told.get(one.key.gate_id, _EVER) >= one.scanned_at + REPEAT_WITHIN:
            noted.append(one.key)
        else:
            later.append((one.key, turn.now + _LOOK_AGAIN))
    await gate_sightings.hold(conn, turn.owner, held)
    await gate_sightings.note(conn, turn.owner, noted, reason=rules.LIFT_ALONE)
    await gate_sightings.postpone(conn, turn.owner, later)


async def _hold(conn: Conn, turn: _Turn, undecided: Sequence[tuple[KeptSighting, str]]) -> None:
    """Hold them, or give up those that have been held for that reason as long as the lot waits."""
    over: list[ScanKey] = []
    held: list[tuple[ScanKey, str, datetime | None]] = []
    for one, reason in undecided:
        if not (reason in rules.EXPIRING and turn.is_over(one)):
            held.append((one.key, reason, _look_again(one, reason, turn)))
        elif one.state is SightingState.HELD and one.reason == reason:
            over.append(one.key)
        else:
            # Held for a moment first, so that its end has the right reason on record.
            held.append((one.key, reason, turn.now))
    await gate_sightings.hold(conn, turn.owner, held)
    await gate_sightings.dismiss(conn, turn.owner, over, by=BY_POLICY, now=turn.now)


def _look_again(one: KeptSighting, reason: str, turn: _Turn) -> datetime:
    match reason:
        case rules.NO_CARD | rules.UNREADABLE_PLATE:
            return turn.expiry[one.key]
        case rules.UNKNOWN_PLATE:
            return min(turn.now + _UNKNOWN_AGAIN, turn.expiry[one.key])
        case rules.AWAITING_UPLOADS:
            return turn.now + _LOOK_AGAIN
        case _:
            return turn.now + max(_LOOK_AGAIN, min((turn.now - one.received_at) // 4, _LOOK_AGAIN_MAX))


async def _expiry(conn: Conn, sightings: Sequence[KeptSighting]) -> dict[ScanKey, datetime]:
    """Until when what is missing may still come: so long as the lot waits for an exit, from the upload on."""
    hours: dict[int, int] = {}
    for operator_id in sorted({one.operator_id for one in sightings}):
        for lot in await lot_service.of_operator(conn, operator_id):
            hours[lot.lot_id] = lot.policy.missing_exit_hours
    return {one.key: one.received_at + timedelta(hours=hours[one.lot_id]) for one in sightings}


def _instant(one: KeptSighting) -> datetime:
    """When the passage was; where the gate's clock was in doubt, the instant in the driver's favour."""
    if one.direction == "entry":
        return one.latest_at or one.scanned_at
    return one.earliest_at or one.scanned_at
