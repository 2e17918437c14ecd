"""The demo's figures: what the database, the gates and the channel say when all is over."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from parkflow.db.conn import Conn
from parkflow.db.sql import load
from parkflow.demo.plan import Plan
from parkflow.demo.story import Story

_SQL = load(__file__)


@dataclass(frozen=True, slots=True)
class Lot:
    """One line of the summary; `source_minor` is what was really paid there in 2017 for the same stays."""

    lot: str
    stays: int
    charged_minor: int
    source_minor: int
    paid_minor: int
    arrears_minor: int


@dataclass(frozen=True, slots=True)
class Book:
    """The channel's own totals."""

    succeeded_minor: int
    refunded_minor: int


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything that `--json` prints, in its order; money in minor units of the operator's currency."""

    stays: int
    scans_sent: int
    scans_accepted: int
    scans_duplicate: int
    scans_replayed: int
    charges: int
    charged_minor: int
    source_charged_minor: int
    paid_minor: int
    attempts: int
    attempts_declined: int
    attempts_unknown_seen: int
    attempts_unknown_left: int
    cards_frozen: int
    issue_refused_in_arrears: int
    repaid_minor: int
    returns_completed: int
    returns_blocked: int
    deposits_refunded_minor: int
    days_closed: int
    ledger_imbalance_minor: int
    book_difference_minor: int
    invariant_violations: int
    elapsed_s: int
    # More that is worth a look.
    currency: str
    seed: int
    drivers: int
    lots: int
    stays_priced: int
    stays_explained: int
    stays_unexplained: int
    stays_paid_at_machine: int
    scans_offline: int
    scans_after_cutoff: int
    scans_left_in_gates: int
    denied_at_gate: int
    arrears_minor: int
    due_minor: int
    deposits_paid_minor: int
    bills_matched: int
    bills_broken: int

    def wrong(self) -> list[str]:
        """The names of the figures that must be nothing and are not."""
        must_be_nothing = (
            "attempts_unknown_left",
            "ledger_imbalance_minor",
            "book_difference_minor",
            "invariant_violations",
            "stays_unexplained",
            "scans_left_in_gates",
            "bills_broken",
        )
        return [name for name in must_be_nothing if getattr(self, name)]

    def as_json(self) -> dict[str, object]:
        return asdict(self)


async def lot_figures(conn: Conn, *, operator_id: int, plan: Plan) -> Sequence[Lot]:
    """One line per lot, sorted by reference."""
    source: dict[str, int] = {}
    for stay in plan.stays:
        source[stay.lot] = source.get(stay.lot, 0) + stay.charged_minor
    rows = await conn.fetch(_SQL.lot_figures, operator_id)
    return [Lot(source_minor=source[row["lot"]], **dict(row.items())) for row in rows]


async def collect(conn: Conn, story: Story, *, operator_id: int, book: Book, rest: Mapping[str, int]) -> Figures:
    """All figures; `rest` are those that the caller counted itself."""
    stays = await _row(conn, _SQL.stay_figures, operator_id)
    charges = await _row(conn, _SQL.charge_figures, operator_id)
    ledger = await _row(conn, _SQL.ledger_figures, operator_id)
    results = story.fleet.results
    return Figures(
        **stays,
        **await _row(conn, _SQL.attempt_figures, operator_id),
        **await _row(conn, _SQL.card_figures, operator_id),
        **await _row(conn, _SQL.scan_figures, operator_id),
        **{name: amount for name, amount in charges.items() if name != "open_minor"},
        **rest,
        scans_sent=results.total(),
        scans_accepted=results["accepted"],
        scans_duplicate=results["duplicate"],
        scans_replayed=results["replayed"],
        source_charged_minor=sum(stay.charged_minor for stay in story.plan.stays),
        issue_refused_in_arrears=story.people.refusals,
        repaid_minor=story.repaid_minor,
        ledger_imbalance_minor=_imbalance(ledger, charges),
        book_difference_minor=abs(ledger["clearing_minor"] - (book.succeeded_minor - book.refunded_minor)),
        currency="USD",
        seed=story.plan.seed.number,
        drivers=len(story.people.drivers),
        lots=len(story.plan.lots),
        stays_paid_at_machine=len(story.paid_at_machine),
        scans_left_in_gates=story.fleet.left_in_journals(),
        denied_at_gate=story.fleet.verdicts["denied"],
    )


def _imbalance(ledger: Mapping[str, int], charges: Mapping[str, int]) -> int:
    """How far the ledger is from the charges: what drivers owe, and what is held for them."""
    held = charges["deposits_paid_minor"] - charges["deposits_refunded_minor"]
    return abs(ledger["owed_minor"] - charges["open_minor"]) + abs(ledger["held_minor"] - held)


async def _row(conn: Conn, query: str, operator_id: int) -> dict[str, int]:
    row = await conn.fetchrow(query, operator_id)
    assert row is not None, "an aggregate always has one row"
    return dict(row.items())
