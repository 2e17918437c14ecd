"""Reading receipts from strangers: one form of the bytes, and a clear refusal for everything else."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parkflow.receipt.document import DOCUMENT_BYTES_MAX, ReceiptUnreadable, calculation_sha256, canonical, read
from tests.receipts import GOLDEN, hangzhou

TEXT = GOLDEN.read_bytes()


def changed(path: tuple[str | int, ...], value: object) -> bytes:
    """The golden receipt with one value replaced."""
    document = json.loads(TEXT)
    place: Any = document
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    return json.dumps(document).encode()


def refusal(text: bytes) -> str:
    with pytest.raises(ReceiptUnreadable) as caught:
        read(text)
    message = caught.value.message
    assert message.startswith(f"{caught.value.code}: ")
    assert message.isprintable()
    return message


def test_the_golden_receipt_is_what_is_made_today() -> None:
    """tests/golden/receipts/cn-hangzhou-car.json, but for the tz database, which may be newer today."""
    made = hangzhou().document
    golden = json.loads(TEXT)
    for document in (made, golden):
        del document["calculation"]["record"]["tzdata_version"], document["calculation_sha256"]
    assert made == golden


def test_a_receipt_keeps_its_bytes() -> None:
    assert read(TEXT).to_json().encode() == TEXT


def test_spacing_and_order_do_not_change_the_hash() -> None:
    document = json.loads(TEXT)
    shuffled = json.dumps(dict(reversed(document.items())), indent=3).encode()
    receipt = read(shuffled)
    assert calculation_sha256(receipt.document["calculation"]) == receipt.calculation_sha256
    assert receipt.to_json().encode() == TEXT


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff\xfe",
        b"not json",
        TEXT[:-30],
        b"[" * 100_000,
        b'{"a":' * 50 + b"1" + b"}" * 50,
        b'{"a": 1, "a": 1}',
        b'{"a": 1.0}',
        b'{"a": 1e9}',
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": ' + b"9" * 5_000 + b"}",
        b'{"a": "\\ud800"}',
    ],
)
def test_what_is_no_plain_json_is_refused(text: bytes) -> None:
    assert refusal(text).startswith("receipt_not_json: ")


def test_a_file_that_is_too_large_is_refused_unread() -> None:
    assert refusal(b" " * (DOCUMENT_BYTES_MAX + 1)).startswith("receipt_too_large: ")
    assert read(TEXT.rstrip() + b" " * (DOCUMENT_BYTES_MAX - len(TEXT.rstrip()))).calculation.stay_id


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (("format",), "parkflow receipt 2", "format"),
        (("calculation", "record", "fee_minor"), "2700", "calculation.record.fee_minor"),
        (("calculation", "record", "fee_minor"), True, "calculation.record.fee_minor"),
        (("calculation", "record", "fee_minor"), 2**63, "calculation.record.fee_minor"),
        (("calculation", "record", "lines", 1, "units"), None, "calculation.record.lines[1].units"),
        (("calculation", "record", "lines", 1, "more"), 1, "calculation.record.lines[1].more"),
        (("calculation", "record", "lines"), {}, "calculation.record.lines"),
        (("calculation", "record", "vouchers"), [["percent"]], "calculation.record.vouchers[0]"),
        (("calculation", "record", "vouchers"), [["percent", True]], "calculation.record.vouchers[0]"),
        (("calculation", "record", "covered"), [[1, 2, 3]], "calculation.record.covered[0]"),
        (("calculation", "entry", "at"), "2026-13-02T10:10:00.000Z", "calculation.entry.at"),
        (("calculation", "entry", "at"), "2026-03-02T10:10:00.000Z\n", "calculation.entry.at"),
        (("calculation", "entry", "seq"), -1, "calculation.entry.seq"),
        (("calculation_sha256",), "AB" * 32, "calculation_sha256"),
        (("settlement", "state"), "gone", "settlement.state"),
        (("phone",), "+8613800138000", "phone"),
    ],
)
def test_a_field_of_another_shape_is_named(path: tuple[str | int, ...], value: object, named: str) -> None:
    message = refusal(changed(path, value))
    assert message.startswith("receipt_malformed: ")
    assert named in message


@pytest.mark.parametrize("text", ["[]", "1", "null", '"x"', "{}"])
def test_another_kind_of_json_is_refused(text: str) -> None:
    assert refusal(text.encode()).startswith("receipt_malformed: ")


@given(st.binary(max_size=60) | st.tuples(st.integers(0, len(TEXT) - 1), st.binary(max_size=3)))
def test_no_bytes_make_it_fail_otherwise(change: bytes | tuple[int, bytes]) -> None:
    text = change if isinstance(change, bytes) else TEXT[: change[0]] + change[1] + TEXT[change[0] + 1 :]
    try:
        receipt = read(text)
    except ReceiptUnreadable:
        return
    assert canonical(receipt.document)
