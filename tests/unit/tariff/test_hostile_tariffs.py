"""Hostile tariffs and stays through the Python face: a refusal with a stable code or an exact fee, soon, no panic.

A panic of the core would come as a BaseException that is no Exception, so none of these tests could pass it over.
"""

import json
import random
import re
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import pytest

from bench.tariff_oracle import fee_minor
from parkflow.core import AccountHistory, Tariff, TariffError, Terms

LIBRARY: Final = {
    path.stem: path.read_text(encoding="utf-8")
    for path in sorted((Path(__file__).parents[3] / "parkflow" / "tariff" / "library").glob("*.yaml"))
}
TEXT_CODES: Final = {"tariff_syntax", "tariff_invalid", "tariff_unsupported"}
STAY_CODES: Final = {
    "exit_before_entry", "instant_out_of_range", "stay_too_long", "no_plan", "too_many_items", "fee_too_large",
    "history_needed", "outside_validity",
}  # fmt: skip
MUTANTS: Final = 2_000
NOON_S: Final = 1_792_497_600
DAY_S: Final = 86_400
INSTANT_MAX_S: Final = 4_102_444_800
I64_MAX: Final = 2**63 - 1
# Each call takes milliseconds; a busy machine is given a thousand times that.
CALL_SECONDS_MAX: Final = 5
FEE_MINOR_MAX: Final = I64_MAX

T = TypeVar("T")


class Watch:
    """Keeps the slowest call, so that a failure names it."""

    def __init__(self) -> None:
        self.slowest = (0.0, "")

    def call(self, what: str, work: Callable[[], T]) -> T | str:
        """The result, or the code of the refusal."""
        refusal: TariffError | None = None
        begun = time.perf_counter()
        try:
            return work()
        except TariffError as error:
            refusal = error
        finally:
            self.slowest = max(self.slowest, (time.perf_counter() - begun, what))
        text = str(refusal)
        assert refusal.code in TEXT_CODES | STAY_CODES, refusal.code
        assert text == refusal.message
        assert "\n" not in text
        assert 0 < len(text) < 600
        return refusal.code

    def check(self) -> None:
        seconds, what = self.slowest
        print(f"slowest: {seconds:.4f} s, {what}")
        assert seconds < CALL_SECONDS_MAX, self.slowest


@pytest.fixture
def watch() -> Watch:
    """A watch that is read when the test is over."""
    return Watch()


def load(watch: Watch, text: str) -> Tariff | str:
    loaded = watch.call(f"load {text[:60]!r}", lambda: Tariff.load(text))
    assert isinstance(loaded, Tariff) or loaded in TEXT_CODES
    return loaded


def settle(watch: Watch, tariff: Tariff, entry_s: int, exit_s: int) -> int | str:
    """A car's fee, or the code of the refusal; the lines have to add up."""

    def price() -> int:
        fee = tariff.settle(
            entry_s=entry_s, exit_s=exit_s, vehicle_class="car", terms=Terms(), history=AccountHistory()
        )
        assert sum(line.amount_minor for line in fee.lines) == fee.fee_minor
        return fee.fee_minor

    outcome = watch.call(f"{tariff.id} from {entry_s} to {exit_s}", price)
    assert outcome in STAY_CODES or (isinstance(outcome, int) and 0 <= outcome <= FEE_MINOR_MAX)
    return outcome


def with_bytes_changed(chance: random.Random, text: str) -> str:
    raw = bytearray(text.encode())
    for _ in range(chance.randrange(1, 4)):
        place = chance.randrange(len(raw))
        match chance.randrange(3):
            case 0:
                raw[place] = chance.randrange(256)
            case 1:
                del raw[place : place + chance.randrange(1, 9)]
            case _:
                raw[place:place] = bytes(chance.choices(b"{}[],:&*!|>'\"%@`#-? \t\n0123456789eE\x00\xff", k=3))
    return raw.decode("utf-8", errors="replace")


def with_lines_changed(chance: random.Random, text: str) -> str:
    lines = text.splitlines()
    first, second = chance.randrange(len(lines)), chance.randrange(len(lines))
    match chance.randrange(4):
        case 0:
            del lines[first]
        case 1:
            lines.insert(second, lines[first])
        case 2:
            lines[first], lines[second] = lines[second], lines[first]
        case _:
            lines[first] = " " * chance.randrange(9) + lines[first].lstrip()
    return "\n".join(lines)


TOKENS: Final = (
    "0", "-1", "1e9", "0.5", "1000000000000", "9223372036854775807", "9223372036854775808", "1s", "10y", "null", "~",
    "true", "all", "stay", "cycle", "occurrence", "total", "carry", "lowest", '"24:00"', '"25:00"', "[]", "{}",
    "[[[]]]", "!!binary",
    "&a", "*a", "<<", "{every: 1s}", '{daily: "00:00"}', "{from: 8}", "[mon-sun]", "mon", "2026-02-30",
    "\u202e", "car",
)  # fmt: skip


def with_tokens_changed(chance: random.Random, text: str) -> str:
    tokens = re.split(r"(\s+|[{}\[\],:])", text)
    words = [place for place, token in enumerate(tokens) if token.strip(" \n{}[],:")]
    for _ in range(chance.randrange(1, 4)):
        tokens[chance.choice(words)] = chance.choice((*TOKENS, tokens[chance.choice(words)]))
    return "".join(tokens)


@pytest.mark.parametrize("change", [with_bytes_changed, with_lines_changed, with_tokens_changed])
def test_a_changed_library_tariff_is_refused_or_priced(
    watch: Watch, change: Callable[[random.Random, str], str]
) -> None:
    chance = random.Random(change.__name__)
    good = 0
    for number in range(MUTANTS // 3 + 1):
        text = change(chance, chance.choice(list(LIBRARY.values())))
        tariff = load(watch, text)
        if isinstance(tariff, Tariff):
            good += 1
            length_s = chance.choice((0, 59, 3_600, 100_000, 30 * DAY_S, 3_650 * DAY_S if number % 20 == 0 else 60))
            settle(watch, tariff, NOON_S, NOON_S + length_s)
    watch.check()
    # Changes that break everything, or nothing, would test little.
    assert 20 < good < MUTANTS // 3


@pytest.mark.parametrize("name", LIBRARY)
@pytest.mark.parametrize("years", [10, 20])
def test_a_stay_of_many_years_is_priced_exactly_or_refused(watch: Watch, name: str, years: int) -> None:
    tariff = Tariff.load(LIBRARY[name])
    days = years * 365
    whole = settle(watch, tariff, NOON_S, NOON_S + days * DAY_S)
    watch.check()
    if isinstance(whole, int):
        # A stay that long costs at least the days within it, and no more than a little over their share.
        month = settle(watch, tariff, NOON_S, NOON_S + 28 * DAY_S)
        assert isinstance(month, int)
        if month == settle(watch, tariff, NOON_S, NOON_S + 21 * DAY_S):
            # One price for a ride or a visit, however long it takes.
            assert whole == month
            return
        assert month * (days // 28) * 9 // 10 <= whole <= month * (days // 28 + 1) * 11 // 10
    else:
        assert whole in {"too_many_items", "no_plan"}


@pytest.mark.parametrize("name", ["cn-hangzhou-core", "cn-shenzhen-1"])
def test_a_stay_of_ten_years_costs_what_the_plain_evaluator_says(watch: Watch, name: str) -> None:
    tariff = Tariff.load(LIBRARY[name])
    exit_s = NOON_S + 3_652 * DAY_S
    expected = fee_minor(json.loads(tariff.canonical_json), NOON_S, exit_s, "car")
    assert settle(watch, tariff, NOON_S, exit_s) == expected


@pytest.mark.parametrize("name", LIBRARY)
def test_instants_at_every_limit_are_refused_or_priced(watch: Watch, name: str) -> None:
    tariff = Tariff.load(LIBRARY[name])
    instants_s = (
        -(2**63), -I64_MAX, -1, 0, 1, 59, 60, NOON_S, NOON_S + 1, 2**31 - 1, 2**31, INSTANT_MAX_S - 1, INSTANT_MAX_S,
        INSTANT_MAX_S + 1, 2**53, I64_MAX - 1, I64_MAX,
    )  # fmt: skip
    for entry_s in instants_s:
        for exit_s in instants_s:
            outcome = settle(watch, tariff, entry_s, exit_s)
            if not (0 <= entry_s <= INSTANT_MAX_S and 0 <= exit_s <= INSTANT_MAX_S):
                assert outcome == "instant_out_of_range"
            elif entry_s > exit_s + 60:
                assert outcome == "exit_before_entry"
    watch.check()
    for beyond in (2**63, -(2**63) - 1, 10**40):
        with pytest.raises(OverflowError):
            tariff.price(entry_s=beyond, exit_s=NOON_S)


def text_of(plan: str, band: str) -> str:
    return (
        "{ptl: 1, id: t, currency: CNY, minor_exponent: 2, timezone: Asia/Shanghai, "
        "plans: [{id: p, cycle: stay, edge: split, "
        f"{plan} bands: [{{id: b, {band}}}]}}]}}"
    )


USUAL: Final = text_of("", "ladder: [{unit: 1h, price: 100}]")


def test_prices_that_no_amount_can_hold_are_refused(watch: Watch) -> None:
    for price, code in (("1000000000001", "tariff_invalid"), ("-1", "tariff_invalid"), ("9" * 400, "tariff_syntax")):
        assert load(watch, text_of("", f"ladder: [{{unit: 1s, price: {price}}}]")) == code
    dear = load(watch, text_of("entry_fee: 1000000000000,", "ladder: [{unit: 1s, price: 1000000000000}]"))
    assert isinstance(dear, Tariff)
    assert settle(watch, dear, NOON_S, NOON_S + 9_000_000) == 9_000_001 * 10**12
    assert settle(watch, dear, NOON_S, NOON_S + 3_650 * DAY_S) == "fee_too_large"
    limit = f"caps: [{{max: 1000000000000, over: {{every: 1}}}}], min: {10**12}, "
    capped = load(watch, text_of(limit, "ladder: [{unit: 7s, price: 999999999999, bill: 1s}]"))
    assert isinstance(capped, Tariff)
    settle(watch, capped, NOON_S, NOON_S + 3_650 * DAY_S)
    watch.check()


def test_texts_that_are_large_deep_or_odd_are_refused_in_bounded_time(watch: Watch) -> None:
    band = "{id: b, ladder: []},"
    odd = {
        "a million bands": USUAL.replace("bands: [", "bands: [" + band * 1_000_000),
        "65 bands": USUAL.replace("bands: [", "bands: [" + band * 65),
        "a million empty bands": USUAL.replace("bands: [", "bands: [" + "{}," * 20_000),
        "a deep list": "[" * 200_000,
        "a deep map": "{a: " * 100_000,
        "nothing": "",
        "blanks": " \n" * 1_000,
        "a zero byte": USUAL.replace("id: t", "id: 't\x00'"),
        "a byte order mark in the middle": USUAL.replace("id: t", "id: \ufefft\ufeff"),
        "an unknown zone": USUAL.replace("Asia/Shanghai", "Mars/Olympus"),
        "a zone by a path": USUAL.replace("Asia/Shanghai", "../../etc/localtime"),
        "a zone in small letters": USUAL.replace("Asia/Shanghai", "asia/shanghai"),
        "laughs": "a: &a [x]\nb: &b [*a,*a]\nc: [*b,*b]\n" * 3,
        "many documents": "---\n" * 50_000,
        "a long name": USUAL.replace("id: t", "id: " + "t" * 100_000),
        "a long number": USUAL.replace("ptl: 1", "ptl: " + "1" * 100_000),
        "empty plans": re.sub(r"plans: .*", "plans: []}", USUAL),
        "empty bands": re.sub(r"bands: .*", "bands: []}]}", USUAL),
        "an empty limit": USUAL.replace("bands:", "caps: [{max: [], over: stay}], bands:"),
        "no unit": USUAL.replace("unit: 1h", "unit: 0"),
        "a loop of nothing": USUAL.replace("ladder: [{unit: 1h, price: 100}]", "ladder: [], loop: 0"),
    }
    for what, text in odd.items():
        assert isinstance(load(watch, text), str), what
    watch.check()


def test_a_text_that_is_no_unicode_never_reaches_the_core() -> None:
    with pytest.raises(UnicodeEncodeError):
        Tariff.load(USUAL.replace("id: t", "id: \ud800"))


def test_empty_and_uneven_columns(watch: Watch) -> None:
    tariff = Tariff.load(USUAL)
    assert tariff.price_many([], []) == []
    with pytest.raises(ValueError, match=r"\S"):
        tariff.price_many([NOON_S], [])
    assert watch.call("a bad row", lambda: tariff.price_many([NOON_S, 1], [NOON_S, 0])) == "exit_before_entry"


def test_terms_at_every_limit_are_refused_or_priced(watch: Watch) -> None:
    tariff = Tariff.load(USUAL)
    limits = (-(2**63), -1, 0, 1, NOON_S, I64_MAX)

    def due(terms: Terms) -> int:
        return tariff.settle(
            entry_s=NOON_S, exit_s=NOON_S + 7_200, vehicle_class="car", terms=terms, history=AccountHistory()
        ).fee_minor

    for low in limits:
        with pytest.raises(ValueError, match="not negative"):
            Terms(paid=[(low, -1)])
        for high in limits:
            covered = Terms(covered=[(low, high)])
            assert watch.call(f"covered from {low} to {high}", partial(due, covered)) in (0, 200)
            paid = Terms(paid=[(low, max(0, high)), (high, 1)])
            assert watch.call(f"paid {high} at {low}", partial(due, paid)) in (0, 198, 199, "fee_too_large")
    for kind in ("minutes", "percent", "amount", "points"):
        for value in limits[2:]:
            vouchers = Terms(vouchers=[(kind, value)] * 2)
            outcome = watch.call(f"{kind} {value}", partial(due, vouchers))
            assert outcome == "fee_too_large" or (isinstance(outcome, int) and 0 <= outcome <= 200)
    for count in (1_000, 1_001):
        passes = Terms(covered=[(NOON_S + 2 * place, NOON_S + 2 * place + 1) for place in range(count)])
        outcome = watch.call(f"{count} passes", partial(due, passes))
        assert (outcome == "too_many_items") == (count > 1_000)
    watch.check()
