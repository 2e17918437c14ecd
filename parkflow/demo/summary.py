"""The demo's words: progress while it runs, the summary when it is over."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from parkflow.demo.figures import Figures, Lot
from parkflow.kit.money import format_minor

_TOTALS: Final = (
    ("scans sent by the gates", "scans_sent"),
    ("  new, taken", "scans_accepted"),
    ("  sent twice after a lost answer", "scans_duplicate"),
    ("  replayed from a screenshot, kept and not charged", "scans_replayed"),
    ("  kept by a gate without a line, sent later", "scans_offline"),
    ("  come after the cut-off, posted to the next day", "scans_after_cutoff"),
    ("deducts sent to the channel", "attempts"),
    ("  declined", "attempts_declined"),
    ("  without a clear answer at first", "attempts_unknown_seen"),
    ("  still without one", "attempts_unknown_left"),
    ("cards frozen at a cut-off", "cards_frozen"),
    ("credentials refused because of arrears", "issue_refused_in_arrears"),
    ("frozen cards turned away at a gate", "denied_at_gate"),
    ("stays paid at the machine for want of a code", "stays_paid_at_machine"),
    ("cards returned, deposit refunded", "returns_completed"),
    ("card returns held back", "returns_blocked"),
    ("business days closed", "days_closed"),
    ("lines matched with the channel's bills", "bills_matched"),
)
_MUST_BE_NOTHING: Final = (
    ("ledger against charges", "ledger_imbalance_minor"),
    ("ledger against the channel's book", "book_difference_minor"),
    ("violated invariants", "invariant_violations"),
    ("stays neither charged nor explained", "stays_unexplained"),
    ("scans that a gate still holds", "scans_left_in_gates"),
    ("differences to the channel's bills", "bills_broken"),
)


_NEXT: Final = """\
The fees differ from 2017 where coins bought less than the 90-cent minimum of cards, or one stay was several payments.
Next: docs/architecture.md follows a car through the code; `parkflow demo --serve` leaves everything running;
`parkflow tariff price …` prices one stay line by line; `parkflow --help` lists every command."""


class Told(Protocol):
    """What a summary is made from."""

    @property
    def figures(self) -> Figures: ...

    @property
    def lots(self) -> Sequence[Lot]: ...

    @property
    def broken_rules(self) -> Sequence[str]: ...


class Bar:
    """A progress bar on standard error while a terminal is attached, silent otherwise."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, int] = {}

    def __call__(self, what: str, done: int, total: int) -> None:
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(what, total=total)
        self._progress.update(self._tasks[what], completed=done)  # type: ignore[arg-type]


@contextmanager
def progress_bar() -> Iterator[Bar]:
    """The bar for the time of the block."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description:>12}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        yield Bar(progress)


def show(told: Told, console: Console) -> None:
    """Print what happened: per lot, in all, and where to look next."""
    figures = told.figures
    console.print(_lot_table(told.lots, figures))
    totals = Table(box=None, show_header=False, padding=(0, 2))
    totals.add_column()
    totals.add_column(justify="right")
    for label, name in _TOTALS:
        totals.add_row(label, f"{getattr(figures, name):,}")
    totals.add_row("repaid in the app", format_minor(figures.repaid_minor, figures.currency))
    totals.add_row("deposits refunded", format_minor(figures.deposits_refunded_minor, figures.currency))
    console.print(totals)
    for label, name in _MUST_BE_NOTHING:
        amount = getattr(figures, name)
        console.print(f"  [{'green' if not amount else 'bold red'}]{amount:>3}[/]  {label}")
    for rule in told.broken_rules:
        console.print(f"       {rule}", style="red")
    console.print(f"\n{figures.stays} stays of {figures.drivers} drivers in {figures.elapsed_s} s.")
    console.print(_NEXT, soft_wrap=True)


def _lot_table(lots: Sequence[Lot], figures: Figures) -> Table:
    table = Table(title="City of Charlottesville, Friday 2017-10-20, played again")
    table.add_column("lot")
    for name in ("stays", "charged", "really charged in 2017", "paid", "arrears"):
        table.add_column(name, justify="right")
    for lot in lots:
        table.add_row(lot.lot, *_cells(figures.currency, lot))
    table.add_section()
    total = Lot("all", *(sum(getattr(lot, name) for lot in lots) for name in _LOT_COLUMNS))
    table.add_row("all", *_cells(figures.currency, total), style="bold")
    return table


_LOT_COLUMNS: Final = ("stays", "charged_minor", "source_minor", "paid_minor", "arrears_minor")


def _cells(currency: str, lot: Lot) -> list[str]:
    amounts = (lot.charged_minor, lot.source_minor, lot.paid_minor, lot.arrears_minor)
    return [f"{lot.stays:,}", *(format_minor(amount, currency) for amount in amounts)]
