"""`parkflow keys new` and `keys check`: secrets go into new files only, and PF-1 has the word on public keys."""

import os
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from parkflow import core
from parkflow.keys_commands import KeyFileRefused, PublicKeyNotHex, SecretNotShown, keys


def run(*arguments: str) -> Result:
    return CliRunner().invoke(keys, arguments)


def test_a_new_secret_goes_into_a_file_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "issuer.key"
    result = run("new", "--out", str(path))
    assert result.exit_code == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    secret = bytes.fromhex(path.read_text(encoding="ascii"))
    assert result.output == core.public_key(secret).hex() + "\n"


def test_an_existing_file_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "issuer.key"
    path.write_text("precious", encoding="ascii")
    error = run("new", "--out", str(path)).exception
    assert isinstance(error, KeyFileRefused)
    assert str(path) in error.message
    assert path.read_text(encoding="ascii") == "precious"


def test_a_link_is_not_followed_to_a_new_place(tmp_path: Path) -> None:
    os.symlink(tmp_path / "elsewhere", tmp_path / "link")
    assert isinstance(run("new", "--out", str(tmp_path / "link")).exception, KeyFileRefused)
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    error = run("new", "--out", str(tmp_path / "no" / "issuer.key")).exception
    assert isinstance(error, KeyFileRefused)
    assert "\n" not in error.message


def test_a_secret_is_shown_only_when_that_is_said(tmp_path: Path) -> None:
    assert isinstance(run("new").exception, SecretNotShown)
    assert isinstance(run("new", "--print-secret", "--out", str(tmp_path / "key")).exception, SecretNotShown)
    lines = dict(line.split() for line in run("new", "--print-secret").output.splitlines())
    assert core.public_key(bytes.fromhex(lines["secret"])).hex() == lines["public"]


def test_two_new_keys_differ() -> None:
    assert run("new", "--print-secret").output != run("new", "--print-secret").output


def test_a_good_public_key_is_good() -> None:
    result = run("check", core.public_key(bytes(32)).hex())
    assert (result.exit_code, result.output.split(":")[0]) == (0, "good")


@pytest.mark.parametrize(
    "public_key",
    # The identity, a point of order 8, a y that is not reduced, no point of the curve, and other lengths.
    [
        "01" + "00" * 31,
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ee" + "ff" * 30 + "7f",
        "02" + "00" * 31,
        "00" * 31,
        "",
    ],
)
def test_a_weak_or_malformed_public_key_is_refused_with_exit_code_1(public_key: str) -> None:
    result = run("check", public_key)
    assert result.exit_code == 1
    assert result.output.startswith("refused: ")
    assert result.output.count("\n") == 1


def test_a_public_key_is_written_in_hex() -> None:
    assert isinstance(run("check", "zz").exception, PublicKeyNotHex)
