"""The page and the PDF of a receipt: nothing from outside, nothing unescaped, the same bytes every time."""

import re
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont

import parkflow.receipt
from parkflow.receipt.page import as_page
from parkflow.receipt.pdf import as_pdf
from parkflow.receipt.sheet import broken, width_of
from parkflow.receipt.texts import TEXTS
from parkflow.receipt.words import Statement, statement
from tests.receipts import hangzhou, library, receipt_of

HOSTILE = "</title><script>alert(1)</script><img src=x onerror=alert(1)> {{ 7*7 }} & \" ' \u202e"
FONT = Path(parkflow.receipt.__file__).with_name("font") / "NotoSansSC-Regular.ttf"
every_language = pytest.mark.parametrize("language", sorted(TEXTS))


class Tags(HTMLParser):
    """The elements and attributes of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def told(language: str, lot: str = "西湖大道 P1") -> Statement:
    receipt = receipt_of(library("cn-hangzhou-core"), "2026-03-02T18:10", "2026-03-02T21:05", lot=lot)
    return statement(receipt, language)


@every_language
def test_a_page_says_all_that_the_statement_says(language: str) -> None:
    shown = told(language)
    text = Tags(as_page(shown)).text
    wanted = [shown.lot, shown.operator, shown.total, shown.state, shown.verdict, shown.command, *shown.notes]
    wanted += [part for line in shown.lines for part in (line.title, line.detail, line.amount)]
    rows = [*shown.facts, *shown.payments, *shown.tariff, *shown.proof]
    wanted += [part for row in rows for part in (row.label, row.value, row.amount)]
    assert [part for part in wanted if part not in text] == []


def test_whatever_a_lot_is_called_stays_text() -> None:
    plain, hostile = Tags(as_page(told("en"))), Tags(as_page(told("en", HOSTILE)))
    assert hostile.elements == plain.elements
    assert {name for name, _ in hostile.attributes} == {name for name, _ in plain.attributes}
    assert HOSTILE in hostile.text


def test_a_page_needs_and_may_do_nothing_else() -> None:
    tags = Tags(as_page(told("zh")))
    assert not {"script", "link", "img", "iframe", "form", "a"} & set(tags.elements)
    assert not {"src", "href", "style", "action"} & {name for name, _ in tags.attributes}
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in tags.attributes
    assert not re.search(r"@import|url\(", as_page(told("zh")))


def test_the_document_in_the_page_is_the_receipt() -> None:
    assert hangzhou().to_json().strip() in Tags(as_page(statement(hangzhou(), "en"))).text


@every_language
def test_the_same_receipt_gives_the_same_bytes(language: str) -> None:
    assert as_page(told(language)) == as_page(told(language))
    first, second = as_pdf(told(language)), as_pdf(told(language))
    assert first == second
    assert first.startswith(b"%PDF-1.")


def test_documents_made_at_once_are_those_made_one_by_one() -> None:
    wanted = [told(language, f"P{number} 停车场") for number in range(8) for language in sorted(TEXTS)]
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(as_pdf, wanted)) == [as_pdf(one) for one in wanted]


def test_the_font_is_inside_and_only_what_is_used_of_it() -> None:
    pdf = as_pdf(told("zh"))
    assert b"/FontFile2" in pdf
    assert b"/Helvetica" not in pdf
    assert len(pdf) < 60_000


def test_the_font_has_every_character_of_our_texts() -> None:
    known = TTFont(FONT).getBestCmap()
    texts = "".join(text for language in TEXTS.values() for text in language.values()) + "−–×✓"
    # The page's check mark is not drawn in the PDF.
    assert {character for character in texts if ord(character) not in known} == {"✓"}
    assert {ord(character) for character in "停車場地铁站西湖香港灣仔堃"} - known.keys() <= {ord("堃")}


def test_a_long_receipt_goes_on_to_further_pages() -> None:
    receipt = receipt_of(library("cn-beijing-1"), "2026-03-02T06:10", "2026-04-02T09:31")
    pdf = as_pdf(statement(receipt, "en"))
    pages = len(re.findall(rb"/Type /Page\b", pdf))
    assert pages >= 3


def test_lines_are_broken_inside_the_width() -> None:
    text = "收费标准：白天（08:00–20:00）前一小时每30分钟5元，之后每30分钟6元。 " + "x" * 200 + " and words at the end"
    lines = broken(text, 10, 150)
    assert all(width_of(line, 10) <= 151 for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert not any(line[0] in "，。：）" for line in lines)
