"""`parkflow code verify` says what a gate would say."""

import json

import pytest
from click.testing import CliRunner

from parkflow import core
from parkflow.code_commands import CodeMalformed, KeyMalformed, code
from tests.unit.gate_sim.signed import ISSUER_SECRET, KID, NOW_S, phone_with_credential

KEY = f"{KID}:{core.public_key(ISSUER_SECRET).hex()}"
AT = "2017-10-20T12:00:00+0000"


def _verify(*arguments: str) -> tuple[int, str, BaseException | None]:
    result = CliRunner().invoke(code, ["verify", *arguments])
    return result.exit_code, result.output, result.exception


def test_a_good_code_is_accepted_and_read() -> None:
    phone, _ = phone_with_credential()
    exit_code, output, _ = _verify(phone.code_at(NOW_S), "--key", KEY, "--at", AT, "--json")
    assert exit_code == 0
    assert json.loads(output)["verdict"] == "accepted"
    assert json.loads(output)["issued_at"] == "2017-10-20T12:00:00Z"


def test_a_stale_code_is_refused_with_exit_code_1() -> None:
    phone, _ = phone_with_credential()
    exit_code, output, _ = _verify(phone.code_at(NOW_S), "--key", KEY, "--at", "2017-10-20T12:05:00+0000")
    assert exit_code == 1
    assert "code_stale" in output


@pytest.mark.parametrize("text", ["hello", "PF1:", "PF1:" + "0" * 294, "x" * 10_000])
def test_what_is_no_code_is_refused_in_one_line(text: str) -> None:
    error = _verify(text, "--key", KEY)[2]
    assert isinstance(error, CodeMalformed)
    assert "\n" not in error.message


@pytest.mark.parametrize("key", ["", "7", "7:zz", "7:00", "x:" + "00" * 32, f"{1 << 70}:" + "00" * 32])
def test_a_malformed_key_is_refused_in_one_line(key: str) -> None:
    phone, _ = phone_with_credential()
    assert isinstance(_verify(phone.code_at(NOW_S), "--key", key)[2], KeyMalformed)
