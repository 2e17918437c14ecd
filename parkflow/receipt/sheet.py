"""Text flowing down A4 pages: measuring, breaking into lines and pages, and writing the PDF.

The font is embedded, only its used glyphs, so that Chinese is readable where no such font is installed. Nothing depends
on the clock: the same calls give the same bytes (PDF 1.4, ISO 32000-1's predecessor, as reportlab writes it).
"""

import io
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

# Lengths are whole points (1/72 inch) wherever parkflow sets them.
MARGIN: Final = 52
INK: Final = "#17202a"
SOFT: Final = "#5b6673"
LINE: Final = "#cfd5db"
GOOD: Final = "#1a6e3c"
BAD: Final = "#b3261e"
_FONT: Final = "parkflow-receipt"
_FOOT: Final = 30
_FILL, _FILL_AND_STROKE = 0, 2
_WRITING: Final = threading.Lock()


@dataclass(frozen=True, slots=True)
class Style:
    """Size in points, colour, and whether strokes are thickened (the font has one weight)."""

    size: int
    colour: str = INK
    bold: bool = False

    @property
    def leading(self) -> int:
        return self.size * 3 // 2


class Sheet:
    """Pages that fill from the top; `y` is where the next thing begins, counted from the bottom of the page."""

    def __init__(self) -> None:
        self.width = int(A4[0]) - 2 * MARGIN
        self._top = int(A4[1]) - MARGIN
        self._pages: list[list[Callable[[Canvas], None]]] = [[]]
        self.y = self._top

    def space(self, points: int) -> None:
        """Leave room, but not at the top of a page."""
        if self.y < self._top:
            self.y -= points

    def keep(self, points: int) -> None:
        """Begin a new page unless so much room is left."""
        if self.y - points < MARGIN:
            self._pages.append([])
            self.y = self._top

    def text(self, text: str, style: Style, *, indent: int = 0, width: int | None = None) -> None:
        """A paragraph, broken where it must be."""
        for line in broken(text, style.size, self.width - indent if width is None else width):
            self.keep(style.leading)
            self.y -= style.leading
            self._write(MARGIN + indent, self.y, line, style)

    def beside(self, text: str, value: str, style: Style, value_style: Style) -> None:
        """A line with an amount at the right edge, both on one base line."""
        leading = max(style.leading, value_style.leading)
        value_width = int(pdfmetrics.stringWidth(value, _font(), value_style.size)) + 1
        lines = broken(text, style.size, self.width - value_width - 12)
        self.keep(leading)
        self.y -= leading
        self._write(MARGIN, self.y, lines[0], style)
        self._write(MARGIN + self.width - value_width, self.y, value, value_style)
        for line in lines[1:]:
            self.keep(style.leading)
            self.y -= style.leading
            self._write(MARGIN, self.y, line, style)

    def row(self, label: str, value: str, style: Style, *, label_width: int) -> None:
        """A label with its value in a second column."""
        lines = broken(value, style.size, self.width - label_width)
        for index, line in enumerate(lines):
            self.keep(style.leading)
            self.y -= style.leading
            if index == 0:
                self._write(MARGIN, self.y, label, Style(style.size, SOFT))
            self._write(MARGIN + label_width, self.y, line, style)

    def rule(self, colour: str = LINE, *, thick: bool = False) -> None:
        """A line over the whole width."""
        y, right = self.y, MARGIN + self.width

        def draw(canvas: Canvas) -> None:
            canvas.setStrokeColor(HexColor(colour))
            canvas.setLineWidth(1 if thick else 0)
            canvas.line(MARGIN, y, right, y)

        self._pages[-1].append(draw)

    def pdf(self, *, title: str, author: str, language: str, page_text: Callable[[int, int], str]) -> bytes:
        """The document; `page_text` gives the foot of a page from its number and how many there are."""
        # The font's tables are read through one cursor, which two documents must not move at once.
        with _WRITING:
            return self._pdf(title, author, language, page_text)

    def _pdf(self, title: str, author: str, language: str, page_text: Callable[[int, int], str]) -> bytes:
        out = io.BytesIO()
        canvas = Canvas(out, pagesize=A4, invariant=1, pageCompression=1, lang=language, initialFontName=_font())
        canvas.setTitle(title)
        canvas.setAuthor(author)
        canvas.setCreator("parkflow")
        for number, drawings in enumerate(self._pages, start=1):
            for draw in drawings:
                draw(canvas)
            foot = page_text(number, len(self._pages))
            canvas.setFont(_font(), 8)
            canvas.setFillColor(HexColor(SOFT))
            canvas.drawRightString(MARGIN + self.width, _FOOT, foot)
            canvas.showPage()
        canvas.save()
        return out.getvalue()

    def _write(self, x: int, y: int, text: str, style: Style) -> None:
        def draw(canvas: Canvas) -> None:
            drawn = canvas.beginText(x, y)
            drawn.setFont(_font(), style.size)
            drawn.setFillColor(HexColor(style.colour))
            drawn.setStrokeColor(HexColor(style.colour))
            canvas.setLineWidth(style.size * 1 / 40)
            drawn.setTextRenderMode(_FILL_AND_STROKE if style.bold else _FILL)
            drawn.textOut(text)
            # The mode outlives the text otherwise.
            drawn.setTextRenderMode(_FILL)
            canvas.drawText(drawn)

        self._pages[-1].append(draw)


def broken(text: str, size: int, width: int) -> Sequence[str]:
    """The text in lines of at most `width` points: at spaces, between Chinese characters, and inside what is longer."""
    lines, line = [], ""
    for piece in _pieces("".join(character if character.isprintable() else " " for character in text)):
        if _fits(line + piece.rstrip(), size, width):
            line += piece
            continue
        if line:
            lines.append(line.rstrip())
            line = ""
        while not _fits(piece.rstrip(), size, width) and len(piece) > 1:
            head = _longest(piece, size, width)
            lines.append(piece[:head])
            piece = piece[head:]
        line = piece
    return [*lines, line.rstrip()] if line.strip() or not lines else lines


def width_of(text: str, size: int) -> int:
    """In points, rounded up."""
    return int(pdfmetrics.stringWidth(text, _font(), size)) + 1


def _pieces(text: str) -> list[str]:
    """What is not torn without need: words with the spaces after them, wide characters with their closing marks."""
    pieces: list[str] = []
    for character in text:
        if pieces and not _begins(pieces[-1], character):
            pieces[-1] += character
        else:
            pieces.append(character)
    return pieces


def _begins(before: str, character: str) -> bool:
    """Whether a line may be broken between a piece and the character after it."""
    if character in _CLOSING or character == " " or before[-1] in _OPENING:
        return False
    return before[-1] == " " or _is_wide(character) or _is_wide(before[-1])


_OPENING: Final = "（《“‘(["
_CLOSING: Final = "，。、；：？！）》”’.,;:?!)]%"
# From the CJK radicals on, which holds for all that our font can show.
_WIDE_FROM: Final = 0x2E80


def _is_wide(character: str) -> bool:
    return ord(character) >= _WIDE_FROM


def _fits(text: str, size: int, width: int) -> bool:
    return bool(pdfmetrics.stringWidth(text, _font(), size) <= width)


def _longest(text: str, size: int, width: int) -> int:
    """How many characters fit, at least one."""
    count = 1
    while count < len(text) and _fits(text[: count + 1], size, width):
        count += 1
    return count


@cache
def _font() -> str:
    """The name of the font, which is read once for the process."""
    pdfmetrics.registerFont(TTFont(_FONT, Path(__file__).with_name("font") / "NotoSansSC-Regular.ttf"))
    return _FONT
