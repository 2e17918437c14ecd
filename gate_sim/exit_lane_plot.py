"""Draws how many cars are at an exit against the time, a stepped line for each way to run it, as SVG.

The same runs give the same bytes. matplotlib is imported when something is drawn: other commands start without it.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

from gate_sim.exit_lane import SECOND_US, Outcome, Way

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH_INCHES: Final = 10
HEIGHT_INCHES: Final = 5
# Okabe and Ito's vermilion, green and blue, told apart by people of every colour vision; each line is also named.
COLOURS: Final = {"manual": "#D55E00", "kiosk": "#009E73", "qr": "#0072B2"}
_MINUTE_US: Final = 60 * SECOND_US


def draw(outcomes: Mapping[Way, Outcome], *, title: str, out: Path) -> None:
    """Writes the picture to `out`. Raises OSError when it cannot be written."""
    import matplotlib  # here, not above: it takes half a second
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    with matplotlib.rc_context():
        # Whatever a user's own settings say, the same runs give the same bytes.
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({"font.size": 11, "svg.fonttype": "none", "svg.hashsalt": "parkflow"})
        layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.08)
        figure = Figure(figsize=(WIDTH_INCHES, HEIGHT_INCHES), layout=layout)
        axes = figure.add_subplot()
        _compose(axes, outcomes)
        axes.set_title(title, loc="left", fontsize=14, fontweight="bold", pad=12)
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None})
    out.write_text(_told(drawn.getvalue(), title, described(outcomes)), encoding="utf-8")


def described(outcomes: Mapping[Way, Outcome]) -> str:
    """What the picture shows, for those who do not see it."""
    return "Cars at the exit, over time. " + " ".join(
        f"{way.title[0].upper()}{way.title[1:]}: at most {outcome.longest} cars at once, the last one gone"
        f" after {duration(outcome.total_us)}."
        for way, outcome in outcomes.items()
    )


def duration(time_us: int) -> str:
    """`54 min 10 s`; below a minute with a tenth."""
    if time_us < _MINUTE_US:
        return f"{time_us / SECOND_US:.1f} s"
    minutes, seconds = divmod(round(time_us / SECOND_US), 60)
    return f"{minutes} min {seconds} s"


def _compose(axes: Axes, outcomes: Mapping[Way, Outcome]) -> None:
    from matplotlib.ticker import MaxNLocator

    last_us = max(outcome.passages[-1].left_us for outcome in outcomes.values())
    top = max(outcome.longest for outcome in outcomes.values())
    for way, outcome in outcomes.items():
        steps = outcome.lengths()
        times = [at_us / _MINUTE_US for at_us, _ in steps]
        cars = [count for _, count in steps]
        name = f"{way.title}: {duration(outcome.total_us)}"
        axes.plot(
            times, cars, drawstyle="steps-post", color=COLOURS[way.name], linewidth=2, gid=f"way-{way.name}", label=name
        )
    axes.set_xlim(0, last_us / _MINUTE_US * 1.02)
    axes.set_ylim(0, top * 1.06)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=12, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    axes.set_xlabel("Minutes since the first car came")
    axes.set_ylabel("Cars at the exit")
    axes.grid(visible=True, color="#DDDDDD", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper right", frameon=False, title="Until the last car is gone", alignment="left")


def _told(svg: str, title: str, description: str) -> str:
    """The picture with its name and description in words, which screen readers say."""
    head, opening, rest = svg.partition("<svg ")
    attributes, closing, body = rest.partition(">")
    words = f'\n <title id="title">{escape(title)}</title>\n <desc id="desc">{escape(description)}</desc>'
    return f'{head}{opening}role="img" aria-labelledby="title desc" {attributes}{closing}{words}{body}'
