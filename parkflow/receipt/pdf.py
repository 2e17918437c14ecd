"""A receipt as a PDF for printing and keeping; the same statement gives the same bytes."""

from collections.abc import Sequence
from typing import Final

from parkflow.receipt.sheet import BAD, GOOD, INK, SOFT, Sheet, Style, width_of
from parkflow.receipt.words import Row, Statement

_BODY: Final = Style(10)
_SMALL: Final = Style(9, SOFT)
_HEADING: Final = Style(11, bold=True)
_LABEL_GAP: Final = 16


def as_pdf(told: Statement) -> bytes:
    """The document, with its font inside; takes tens of milliseconds, so call it off the event loop."""
    sheet = Sheet()
    _head(sheet, told)
    _lines(sheet, told)
    _payments(sheet, told)
    _heading(sheet, told.text["tariff"])
    _rows(sheet, told.tariff)
    _check(sheet, told)
    return sheet.pdf(
        title=f"{told.text['title']} {told.stay_id}",
        author=told.operator,
        language=told.language,
        page_text=lambda page, pages: f"{told.text['not_invoice']}  {told.text['page'].format(page=page, pages=pages)}",
    )


def _head(sheet: Sheet, told: Statement) -> None:
    sheet.text(told.text["title"], _SMALL)
    sheet.text(told.lot, Style(17, bold=True))
    if not told.right:
        sheet.text(told.verdict, Style(10, BAD, bold=True))
    sheet.space(10)
    sheet.rule(INK, thick=True)
    sheet.space(4)
    sheet.beside(told.text["total"], f"{told.total} {told.currency}", Style(11), Style(20, bold=True))
    sheet.space(12)
    sheet.rule(INK, thick=True)
    sheet.space(6)
    _rows(sheet, told.facts)


def _lines(sheet: Sheet, told: Statement) -> None:
    _heading(sheet, told.text["lines"])
    sheet.space(2)
    for line in told.lines:
        # A line stays together with its explanation.
        sheet.keep(_BODY.leading + _SMALL.leading + 4)
        sheet.rule()
        sheet.space(2)
        sheet.beside(line.title, line.amount, _BODY, _BODY)
        sheet.text(line.detail, _SMALL)
        sheet.space(6)
    if not told.lines:
        sheet.text(told.text["nothing"], _BODY)
        sheet.space(6)
    sheet.rule(INK, thick=True)
    total = Style(11, bold=True)
    sheet.space(2)
    sheet.beside(told.text["total"], told.total, total, total)
    sheet.space(4)
    sheet.text(" ".join([told.all_amounts, *told.notes]), _SMALL)


def _payments(sheet: Sheet, told: Statement) -> None:
    _heading(sheet, told.text["settlement"])
    sheet.text(told.state, _BODY)
    for row in told.payments:
        sheet.keep(_BODY.leading + _SMALL.leading)
        sheet.beside(row.label, row.amount, _BODY, _BODY)
        sheet.text(row.value, _SMALL)


def _check(sheet: Sheet, told: Statement) -> None:
    _heading(sheet, told.text["check"])
    if told.right:
        sheet.text(told.verdict, Style(9, GOOD))
    sheet.text(told.text["check_how"], _SMALL)
    sheet.text(told.command, _BODY, indent=12)
    sheet.space(4)
    _rows(sheet, told.proof, Style(9))


def _heading(sheet: Sheet, text: str) -> None:
    sheet.space(16)
    # A heading does not end a page.
    sheet.keep(_HEADING.leading + 4 * _BODY.leading)
    sheet.text(text, _HEADING)
    sheet.space(4)


def _rows(sheet: Sheet, rows: Sequence[Row], style: Style = _BODY) -> None:
    width = max(width_of(row.label, style.size) for row in rows) + _LABEL_GAP
    for row in rows:
        sheet.row(row.label, row.value, style, label_width=width)
