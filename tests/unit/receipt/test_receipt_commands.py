"""`parkflow receipt`: output and exit codes."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from parkflow.kit.errors import ParkflowError
from parkflow.receipt_commands import receipt
from tests.receipts import GOLDEN

WRONG = GOLDEN.read_text("utf-8").replace('"fee_minor":2700', '"fee_minor":2600')


def run(*arguments: str, given: str | bytes | None = None) -> Result:
    return CliRunner().invoke(receipt, list(arguments), input=given)


@pytest.fixture
def wrong(tmp_path: Path) -> str:
    file = tmp_path / "wrong.json"
    file.write_text(WRONG, "utf-8")
    return str(file)


def test_the_same_is_exit_code_0() -> None:
    result = run("verify", str(GOLDEN))
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[-1].startswith("the same: 2700 minor units of CNY, 3 lines, tariff cn-hz-core ")


def test_a_difference_is_exit_code_1_and_named(wrong: str) -> None:
    result = run("verify", wrong)
    assert result.exit_code == 1
    first = "differs: record_differs: calculation.record.fee_minor says 2600, computed 2700"
    assert first in result.output.splitlines()


def test_standard_input_is_a_dash() -> None:
    assert run("verify", "-", given=GOLDEN.read_bytes()).exit_code == 0
    assert run("verify", "-", given=WRONG).exit_code == 1


def test_as_json_the_outcome_is_one_object(wrong: str) -> None:
    right = json.loads(run("verify", str(GOLDEN), "--json").output)
    assert (right["same"], right["fee_minor"], right["differences"]) == (True, 2_700, [])
    result = run("verify", wrong, "--json")
    assert result.exit_code == 1
    found = json.loads(result.output)
    assert (found["same"], found["fee_minor"], found["computed_fee_minor"]) == (False, 2_600, 2_700)
    assert found["differences"][0]["code"] == "record_differs"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (b"", "receipt_not_json"),
        (b"[" * 100_000, "receipt_not_json"),
        (b"{}", "receipt_malformed"),
        (b" " * 2_000_000, "receipt_too_large"),
    ],
)
def test_what_is_no_receipt_is_exit_code_2(given: bytes, code: str) -> None:
    refused = run("verify", "-", given=given)
    # `main` makes one line and exit code 2 of it.
    assert isinstance(refused.exception, ParkflowError)
    assert refused.exception.message.startswith(f"{code}: ")
    result = run("verify", "-", "--json", given=given)
    assert result.exit_code == 2
    assert json.loads(result.output)["error"]["code"] == code


def test_a_file_that_cannot_be_read_or_written_is_named(tmp_path: Path) -> None:
    for arguments in (["verify", str(tmp_path)], ["show", str(tmp_path / "absent")]):
        refused = run(*arguments)
        assert isinstance(refused.exception, ParkflowError)
        assert refused.exception.code == "receipt_file_unreadable"
    refused = run("show", str(GOLDEN), "--pdf", str(tmp_path / "absent" / "x.pdf"))
    assert isinstance(refused.exception, ParkflowError)
    assert refused.exception.code == "receipt_file_not_written"


def test_show_writes_text_a_page_or_a_pdf(tmp_path: Path) -> None:
    assert "应收金额" in run("show", str(GOLDEN), "--lang", "zh").output
    page, pdf = tmp_path / "receipt.html", tmp_path / "receipt.pdf"
    result = run("show", str(GOLDEN), "--html", str(page), "--pdf", str(pdf))
    assert result.exit_code == 0
    assert "27.00" in page.read_text("utf-8")
    assert pdf.read_bytes().startswith(b"%PDF")


def test_show_warns_of_a_receipt_that_does_not_recompute(wrong: str) -> None:
    result = run("show", wrong)
    assert result.exit_code == 1
    assert "Warning: computing this receipt again gives something else (record_differs)." in result.output


def test_another_language_is_wrong_use() -> None:
    assert run("show", str(GOLDEN), "--lang", "fr").exit_code == 2
