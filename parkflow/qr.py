"""QR images (ISO/IEC 18004) of codes and of lot QRs, as SVG for print and as PNG of exactly the pixels asked."""

import struct
import zlib
from collections.abc import Iterator
from itertools import groupby
from typing import Final

import segno

from parkflow.kit.errors import ParkflowError

ALPHANUMERIC: Final = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:")
"""The characters that QR packs two into 11 bits (ISO/IEC 18004)."""

QUIET_ZONE_MODULES: Final = 4
"""White around a symbol that readers may rely on (ISO/IEC 18004)."""

CODE_VERSION: Final = 10
"""Version of every code's symbol: 57 x 57 modules hold 311 characters at level M, a code has 298; 9 would hold 262.

One version for all codes: whoever looks on sees nothing but that it is a code, and the layout around it stands still.
"""

CODE_PIXELS: Final = 200
MODULE_PIXELS_MIN: Final = 3
PIXELS_MAX: Final = 4_000
# Level Q mends a quarter of a dirty or torn sign; beyond version 10 its modules would get too small for that to help.
_LOT_QR_VERSION_AT_Q_MAX: Final = 10

_PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_WHITE, _BLACK = 1, 0


class QrTextRefused(ParkflowError):
    """A QR text of ours has only digits, capitals, spaces and $ % * + - . / : and fits into its symbol."""

    code = "qr_text_refused"
    status = 422


class QrPixelsRefused(ParkflowError):
    """A QR image needs at least 3 pixels for each module."""

    code = "qr_pixels_refused"
    status = 422


def code_svg(text: str) -> str:
    """The symbol of a code as an SVG document, one unit a module, quiet zone included. Raises QrTextRefused."""
    return _svg(_code_symbol(text))


def code_png(text: str, pixels: int = CODE_PIXELS) -> bytes:
    """The symbol of a code as a black and white PNG of `pixels` x `pixels`.

    Modules are whole pixels, as many as fit, and the symbol stands in the middle.
    Raises QrTextRefused, QrPixelsRefused.
    """
    return _png(_code_symbol(text), pixels)


def lot_qr_svg(text: str) -> str:
    """The symbol of a lot QR as an SVG document, to print at any size. Raises QrTextRefused."""
    return _svg(_lot_qr_symbol(text))


def lot_qr_png(text: str, pixels: int) -> bytes:
    """The symbol of a lot QR as a black and white PNG of `pixels` x `pixels`. Raises QrTextRefused, QrPixelsRefused."""
    return _png(_lot_qr_symbol(text), pixels)


def _code_symbol(text: str) -> segno.QRCode:
    return _symbol(text, error="m", version=CODE_VERSION)


def _lot_qr_symbol(text: str) -> segno.QRCode:
    """The smallest symbol that holds the text at level Q, or at M where Q would need a large one."""
    symbol = _symbol(text, error="q", version=None)
    if isinstance(symbol.version, int) and symbol.version <= _LOT_QR_VERSION_AT_Q_MAX:
        return symbol
    return _symbol(text, error="m", version=None)


def _symbol(text: str, *, error: str, version: int | None) -> segno.QRCode:
    if not text or not ALPHANUMERIC.issuperset(text):
        raise QrTextRefused
    try:
        return segno.make_qr(text, error=error, version=version, mode="alphanumeric", boost_error=False)
    except segno.DataOverflowError as overflow:
        raise QrTextRefused(f"{len(text)} characters are too many for the QR symbol") from overflow


def _svg(symbol: segno.QRCode) -> str:
    side = len(symbol.matrix) + 2 * QUIET_ZONE_MODULES
    runs = (
        f"M{QUIET_ZONE_MODULES + first} {QUIET_ZONE_MODULES + row}h{length}v1h-{length}z"
        for row, modules in enumerate(symbol.matrix)
        for first, length in _dark_runs(modules)
    )
    # A white ground of its own: on a dark page or a coloured sheet the quiet zone would be lost. Crisp edges: smoothing
    # would leave bright hairlines between the rows.
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}" shape-rendering="crispEdges">'
        f'<path fill="#fff" d="M0 0h{side}v{side}h-{side}z"/><path d="{"".join(runs)}"/></svg>'
    )


def _dark_runs(modules: bytearray) -> Iterator[tuple[int, int]]:
    """(first, length) of each run of dark modules in a row."""
    first = 0
    for is_dark, run in groupby(modules):
        length = len(list(run))
        if is_dark:
            yield first, length
        first += length


def _png(symbol: segno.QRCode, pixels: int) -> bytes:
    modules = len(symbol.matrix)
    scale = pixels // (modules + 2 * QUIET_ZONE_MODULES)
    if scale < MODULE_PIXELS_MIN or pixels > PIXELS_MAX:
        least = MODULE_PIXELS_MIN * (modules + 2 * QUIET_ZONE_MODULES)
        raise QrPixelsRefused(f"this QR image can have {least} to {PIXELS_MAX} pixels a side, not {pixels}")
    before = (pixels - scale * modules) // 2
    after = pixels - scale * modules - before
    blank = _scanline([_WHITE] * pixels)
    rows = [blank] * before
    for modules_of_row in symbol.matrix:
        dark = [_BLACK if module else _WHITE for module in modules_of_row for _ in range(scale)]
        rows += [_scanline([_WHITE] * before + dark + [_WHITE] * after)] * scale
    return _bilevel_png(rows + [blank] * after, pixels)


def _bilevel_png(scanlines: list[bytes], width: int) -> bytes:
    """A PNG (ISO/IEC 15948) of one bit a pixel, greyscale: what a QR symbol needs, and the same bytes every time."""
    header = struct.pack(">IIBBBBB", width, len(scanlines), 1, 0, 0, 0, 0)
    return (
        _PNG_SIGNATURE
        + _png_chunk(b"IHDR", header)
        + _png_chunk(b"IDAT", zlib.compress(b"".join(scanlines), 9))
        + _png_chunk(b"IEND", b"")
    )


def _scanline(bits: list[int]) -> bytes:
    """A row of a PNG: the number of its filter (0, none), then eight pixels a byte."""
    padded = [*bits, *([0] * (-len(bits) % 8))]
    return b"\0" + int("".join(map(str, padded)), 2).to_bytes(len(padded) // 8, "big")


def _png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
