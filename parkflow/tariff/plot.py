"""Draws the fee against the length of the stay, a stepped line per entry, as SVG or PNG with the same bytes each time.

matplotlib is imported when something is drawn, so that other commands start without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from parkflow.core import Tariff
from parkflow.tariff.steps import FeeStep, Parker, fee_steps, stays_from

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS: Final = {".svg": "svg", ".png": "png"}
HOURS_MAX: Final = 336
WIDTH_INCHES: Final = 10
HEIGHT_INCHES: Final = 6
DOTS_PER_INCH: Final = 120

# Okabe and Ito's palette, told apart by people of every colour vision; yellow is left out, it vanishes on white.
COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#000000")
ENTRIES_MAX: Final = len(COLOURS)

_HOUR_S: Final = 3_600
# Distances of the marks of the time axis in hours; the first that gives few enough marks is taken.
_HOUR_MARKS: Final = (1, 2, 3, 4, 6, 12, 24, 48)
_HOUR_MARKS_MAX: Final = 14
# A level is labelled when the fee rests there for this part of the axis, and is this part of it away from the others.
_REST_PART: Final = 1 / 12
_LABEL_PART: Final = 1 / 26
_CHINESE_FONTS: Final = (
    "Noto Sans CJK SC",
    "Noto Serif CJK SC",
    "Noto Sans CJK JP",
    "Noto Serif CJK JP",
    "Source Han Sans SC",
    "WenQuanYi Micro Hei",
    "Microsoft YaHei",
    "SimHei",
    "PingFang SC",
)


@dataclass(frozen=True, slots=True)
class Curve:
    """The fees of all stays from one entry on."""

    entry_s: int
    label: str
    steps: Sequence[FeeStep]


def curves_of(tariff: Tariff, entries_s: Sequence[int], *, hours: int, parker: Parker) -> list[Curve]:
    """A curve for each entry, over stays up to `hours`. Raises TariffError when a stay cannot be priced."""
    return [
        Curve(entry_s, _entry_text(tariff, entry_s), fee_steps(stays_from(tariff, entry_s, parker), hours * _HOUR_S))
        for entry_s in entries_s
    ]


def draw(tariff: Tariff, curves: Sequence[Curve], *, hours: int, parker: Parker, out: Path) -> None:
    """Writes the picture to `out`, whose suffix names the format. Raises OSError when it cannot be written."""
    import matplotlib  # here, not above: it takes half a second
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    title = " · ".join([tariff.id, *([parker.vehicle_class] if parker.vehicle_class else []), *parker.tags])
    title, families = _drawable(title)
    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.08)
    with matplotlib.rc_context():
        # Whatever a user's own settings say, the same curves give the same bytes.
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(
            {"font.family": families, "font.size": 11, "svg.fonttype": "none", "svg.hashsalt": "parkflow"}
        )
        figure = Figure(figsize=(WIDTH_INCHES, HEIGHT_INCHES), dpi=DOTS_PER_INCH, layout=layout)
        _compose(figure, tariff, curves, hours)
        figure.axes[0].set_title(title, loc="left", fontsize=14, fontweight="bold", pad=12)
        kind = FORMATS[out.suffix]
        figure.savefig(out, format=kind, metadata={"Date": None} if kind == "svg" else {"Software": None})


def _compose(figure: Figure, tariff: Tariff, curves: Sequence[Curve], hours: int) -> None:
    axes = figure.add_subplot()
    unit = 10**tariff.minor_exponent
    # Curves that coincide stay visible: later ones are thinner and lie above. Dashes would swallow steps.
    for place, curve in enumerate(curves):
        times_s = [step.from_s for step in curve.steps]
        fees = [step.fee_minor / unit for step in curve.steps]
        axes.plot(
            [time_s / _HOUR_S for time_s in [*times_s, hours * _HOUR_S]],
            [*fees, fees[-1]],
            drawstyle="steps-post",
            color=COLOURS[place],
            linewidth=1.8 + 1.4 * (len(curves) - 1 - place),
            label=curve.label,
            gid=f"entry-{place + 1}",
            solid_joinstyle="miter",
        )
    top = max(step.fee_minor for curve in curves for step in curve.steps) / unit
    axes.set_xlim(0, hours)
    axes.set_ylim(0, top * 1.08 if top else 1)
    _mark_axes(axes, tariff, hours)
    _mark_levels(axes, tariff, levels(curves, hours * _HOUR_S))
    # Below the axes, where it hides no line.
    figure.legend(
        title=f"Entry, local time ({tariff.timezone})",
        loc="outside lower left",
        ncols=3,
        frameon=False,
        alignment="left",
    )


def _mark_axes(axes: Axes, tariff: Tariff, hours: int) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator

    marks = next((mark for mark in _HOUR_MARKS if hours / mark <= _HOUR_MARKS_MAX), _HOUR_MARKS[-1])
    axes.xaxis.set_major_locator(MultipleLocator(marks))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=8, integer=tariff.minor_exponent == 0))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.{tariff.minor_exponent}f}"))
    axes.set_xlabel("Length of stay (hours)")
    axes.set_ylabel(f"Fee ({tariff.currency})")
    axes.grid(visible=True, color="#DDDDDD", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _mark_levels(axes: Axes, tariff: Tariff, levels_minor: Sequence[int]) -> None:
    """A thin line and, at the right edge, the amount of each level."""
    for level_minor in levels_minor:
        height = level_minor / 10**tariff.minor_exponent
        axes.axhline(height, color="#777777", linewidth=0.8, linestyle=(0, (1, 3)), zorder=1)
        axes.annotate(
            f"{height:,.{tariff.minor_exponent}f}",
            xy=(1, height),
            xycoords=axes.get_yaxis_transform(),
            xytext=(6, 0),
            textcoords="offset points",
            verticalalignment="center",
            color="#333333",
            annotation_clip=False,
        )


def levels(curves: Sequence[Curve], last_s: int) -> list[int]:
    """The fees at which a curve rests for long, such as its maxima, and where it ends; those that rest longest win.

    Levels too close to be told apart are left out.
    """
    rests: dict[int, int] = {}
    for curve in curves:
        ends_s = [step.from_s for step in curve.steps[1:]] + [last_s]
        for step, end_s in zip(curve.steps, ends_s, strict=True):
            length_s = end_s - step.from_s
            if step.fee_minor and (length_s >= last_s * _REST_PART or end_s == last_s):
                rests[step.fee_minor] = max(rests.get(step.fee_minor, 0), length_s)
    top = max((step.fee_minor for curve in curves for step in curve.steps), default=0)
    chosen: list[int] = []
    for level in sorted(rests, key=lambda fee_minor: (-rests[fee_minor], fee_minor)):
        if all(abs(level - other) >= top * _LABEL_PART for other in chosen):
            chosen.append(level)
    return sorted(chosen)


def _entry_text(tariff: Tariff, entry_s: int) -> str:
    """`Mon 2026-06-01 08:00`, local; the seconds only where there are any."""
    local = datetime.fromisoformat(tariff.local_text(entry_s) or "")
    return f"{local:%a %Y-%m-%d %H:%M:%S}".removesuffix(":00")


def _drawable(text: str) -> tuple[str, list[str]]:
    """The text, and the font families that have its characters; what no font here has becomes a question mark."""
    from matplotlib import font_manager

    families = ["DejaVu Sans"]
    installed = {font.name for font in font_manager.fontManager.ttflist}
    missing = _missing(text, families)
    for family in _CHINESE_FONTS:
        if missing and family in installed and (still := _missing("".join(missing), [family])) != missing:
            families.append(family)
            missing = still
    return "".join("?" if character in missing else character for character in text), families


def _missing(text: str, families: Sequence[str]) -> set[str]:
    from matplotlib import font_manager

    fonts: list[Any] = [font_manager.get_font(font_manager.findfont(family)) for family in families]
    return {character for character in text if not any(font.get_char_index(ord(character)) for font in fonts)}
