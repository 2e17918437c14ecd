"""A receipt as plain text in columns, for a terminal; pure."""

import unicodedata
from collections.abc import Iterator, Sequence
from typing import Final

from parkflow.receipt.words import Row, Statement

_WIDTH: Final = 76
_AMOUNT_WIDTH: Final = 14
_INDENT: Final = "  "
_WIDE: Final = frozenset("FW")


def as_text(told: Statement) -> str:
    """The statement in lines; characters that control a terminal are left out."""
    rows = [told.text["title"], told.lot, "", *_rows(told.facts), "", told.text["lines"]]
    for line in told.lines:
        rows += [_beside(_INDENT + line.title, line.amount), _INDENT * 2 + line.detail]
    rows += [] if told.lines else [_INDENT + told.text["nothing"]]
    rows += ["─" * _WIDTH, _beside(told.text["total"], f"{told.total} {told.currency}"), ""]
    rows += [*told.notes, *([""] if told.notes else []), f"{told.text['settlement']}: {told.state}"]
    rows += [
        part for row in told.payments for part in (_beside(_INDENT + row.label, row.amount), _INDENT * 2 + row.value)
    ]
    rows += ["", told.text["tariff"], *_rows(told.tariff), "", told.text["check"], *_rows(told.proof)]
    rows += ["", told.verdict]
    return "\n".join(_plain(row).rstrip() for row in rows)


def _rows(rows: Sequence[Row]) -> Iterator[str]:
    width = max(_columns(row.label) for row in rows)
    for row in rows:
        yield f"{_INDENT}{row.label}{' ' * (width - _columns(row.label))}  {row.value}"


def _beside(text: str, amount: str) -> str:
    """A text with an amount at the right edge."""
    gap = _WIDTH - _columns(text) - max(_columns(amount), _AMOUNT_WIDTH)
    return f"{text}{' ' * max(gap, 1)}{amount:>{_AMOUNT_WIDTH}}"


def _columns(text: str) -> int:
    """How many columns of a terminal the text takes (UAX #11)."""
    return sum(2 if unicodedata.east_asian_width(character) in _WIDE else 1 for character in text)


def _plain(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)
