"""A receipt as one HTML page that needs nothing else: no scripts, no other files, everything escaped."""

from functools import cache
from pathlib import Path
from typing import Final

from jinja2 import Environment, StrictUndefined, Template

from parkflow.receipt.words import Statement

MEDIA_TYPE: Final = "text/html"
# What the page may do where it is served; the page itself says the first part too, for when it is saved.
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def as_page(told: Statement) -> str:
    """The page; the same statement gives the same text."""
    return _template().render(told=told, text=told.text)


@cache
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=False)
    return environment.from_string(Path(__file__).with_name("page.html").read_text(encoding="utf-8"))
