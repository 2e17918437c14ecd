"""`parkflow code issue` makes codes by hand, `verify` judges them by a gate's settings, `explain` knows each reason."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from parkflow import core
from parkflow.cli import main
from parkflow.code_commands import CodeNotMade, OptionRefused, SecretFileMalformed, UnknownReason, code
from parkflow.kit.ids import to_text
from parkflow.reason_texts import TEXTS

VECTOR: dict[str, Any] = json.loads((Path(__file__).parents[1] / "golden" / "code_v1.json").read_text(encoding="ascii"))
AT = "2026-10-20T12:00:00+0000"
KID = str(VECTOR["fields"]["kid"])
KEY = f"{KID}:{VECTOR['issuer_public_key']}"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(code, arguments)


@pytest.fixture
def key_files(tmp_path: Path) -> dict[str, str]:
    """The golden file's secrets, each in a file."""
    for name in ("issuer_secret", "code_secret", "subject_key"):
        (tmp_path / name).write_text(VECTOR[name] + "\n", encoding="ascii")
    return {name: str(tmp_path / name) for name in ("issuer_secret", "code_secret", "subject_key")}


def golden(files: dict[str, str]) -> list[str]:
    """What makes the golden code, but for its subject."""
    fields = VECTOR["fields"]
    return [
        *("issue", "--issuer-secret-file", files["issuer_secret"], "--kid", KID),
        *("--code-secret-file", files["code_secret"], "--at", AT, "--not-before", "2026-10-20T11:00:00+0000"),
        *("--lifetime-minutes", str(fields["lifetime_minutes"]), "--product", str(fields["product"])),
        *("--ceiling", str(fields["ceiling"]), "--nonce", str(VECTOR["nonce"])),
    ]


def test_issue_makes_the_golden_code_byte_for_byte(key_files: dict[str, str]) -> None:
    card = to_text("card", VECTOR["card_id"])
    sealed = ["--card", card, "--serial", str(VECTOR["serial"]), "--subject-key-file", key_files["subject_key"]]
    for subject in (sealed, ["--subject", VECTOR["fields"]["subject"]]):
        result = run(*golden(key_files), *subject)
        assert (result.exit_code, result.stdout) == (0, VECTOR["text"] + "\n")


def test_with_defaults_a_code_is_good_at_once_and_the_lost_key_is_told(key_files: dict[str, str]) -> None:
    made = run("issue", "--issuer-secret-file", key_files["issuer_secret"], "--kid", "7")
    assert "a fresh code key is used, its secret is not kept" in made.stderr
    said = core.decode_code(made.stdout.strip())
    assert said.credential.code_key.hex() in made.stderr
    result = run("verify", made.stdout.strip(), "--key", f"7:{VECTOR['issuer_public_key']}", "--json")
    assert (result.exit_code, json.loads(result.stdout)["verdict"]) == (0, "accepted")


def test_no_secret_is_ever_shown(key_files: dict[str, str]) -> None:
    result = run(*golden(key_files))
    assert not any(VECTOR[name] in result.output for name in ("issuer_secret", "code_secret", "subject_key"))


@pytest.mark.parametrize("content", ["", "00", "zz" * 32, "0" * 63, "00" * 33, "é" * 64])
def test_a_malformed_secret_file_is_refused_without_its_content(
    key_files: dict[str, str], tmp_path: Path, content: str
) -> None:
    path = tmp_path / "bad"
    path.write_text(content, encoding="utf-8")
    error = run(*golden(key_files | {"issuer_secret": str(path)})).exception
    assert isinstance(error, SecretFileMalformed)
    assert "\n" not in error.message
    assert not content or content not in error.message


@pytest.mark.parametrize(
    "options",
    [
        ["--subject", "00"],
        ["--subject", "zz"],
        ["--card", "card_0000000000001"],
        ["--serial", "1"],
        ["--subject", "00" * 16, "--card", "card_0000000000001", "--serial", "1", "--subject-key-file", "SUBJECT_KEY"],
    ],
)
def test_options_that_do_not_fit_are_refused_in_one_line(key_files: dict[str, str], options: list[str]) -> None:
    options = [key_files["subject_key"] if option == "SUBJECT_KEY" else option for option in options]
    error = run(*golden(key_files), *options).exception
    assert isinstance(error, OptionRefused)
    assert "\n" not in error.message


def test_a_moment_before_1970_makes_no_code(key_files: dict[str, str]) -> None:
    error = run(*golden(key_files), "--at", "1969-12-31T23:00:00+0000").exception
    assert isinstance(error, CodeNotMade)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ([], "accepted"),
        (["--denied", "00" * 16, "--denied", VECTOR["fields"]["subject"]], "denied"),
        (["--denied", "00" * 16], "accepted"),
        (["--product", "1"], "accepted"),
        (["--product", "2"], "wrong_product"),
        (["--fee-due", "200"], "accepted"),
        (["--fee-due", "201"], "over_ceiling"),
        (["--at", "2026-10-20T12:01:01+0000"], "code_stale"),
        (["--at", "2026-10-20T12:01:01+0000", "--age-max", "31"], "accepted"),
        (["--at", "2026-10-20T11:59:29+0000"], "code_from_future"),
        (["--at", "2026-10-20T11:59:29+0000", "--skew", "31"], "accepted"),
    ],
)
def test_verify_obeys_the_gates_settings_and_says_why(options: list[str], reason: str) -> None:
    result = run("verify", VECTOR["text"], "--key", KEY, "--at", AT, *options)
    number = next(number for number, name in core.REASONS.items() if name == reason)
    assert result.exit_code == (0 if reason == "accepted" else 1)
    lines = dict(line.split(maxsplit=1) for line in result.output.splitlines())
    assert lines["verdict"] == reason
    assert (lines["reason"], lines["meaning"]) == (str(number), TEXTS[reason].meaning)


def test_a_text_that_is_no_code_is_told_with_number_and_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["code", "verify", "hello", "--key", KEY])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "2 bad_prefix: the text does not begin with PF1:" in said
    assert said.count("\n") == 1


def test_a_denied_subject_has_16_bytes() -> None:
    assert isinstance(run("verify", VECTOR["text"], "--key", KEY, "--denied", "00").exception, OptionRefused)


def test_every_reason_is_explained_and_nothing_else() -> None:
    assert set(TEXTS) == set(core.GATE_REASONS.values())
    assert all(line and "\n" not in line for text in TEXTS.values() for line in text)


@pytest.mark.parametrize(("number", "name"), sorted(core.GATE_REASONS.items()))
def test_explain_knows_a_reason_by_number_and_by_name(number: int, name: str) -> None:
    by_number, by_name = run("explain", str(number)), run("explain", name)
    assert by_number.output == by_name.output
    assert by_number.output.startswith(f"{number} {name}: ")
    assert json.loads(run("explain", name, "--json").output)["reason"] == number


@pytest.mark.parametrize("reason", ["18", "31", "38", "code-stale", "", "²", "9" * 5_000])
def test_an_unknown_reason_is_refused_in_one_line(reason: str) -> None:
    error = run("explain", reason).exception
    assert isinstance(error, UnknownReason)
    assert "\n" not in error.message
