"""`parkflow code qr`, `lot-qr` and `check-lot-qr`: one clear line, exit code 1 when refused, 2 on wrong use."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from parkflow import core, qr
from parkflow.cli import main
from tests.unit.gate_sim.signed import NOW_S, OPERATOR, ROOT_SECRET, phone_with_credential

LOT, LANE = "lot_000000000001g", "lane_0000000000001"
ROOT_KEY = core.public_key(ROOT_SECRET).hex()
ADDRESS = "HTTPS://PARK.EXAMPLE/L/"
OTHER_ADDRESS = "HTTPS://CITY.EXAMPLE/L/"
CODE = phone_with_credential()[0].code_at(NOW_S)


class Run(NamedTuple):
    """What came of a command line."""

    exit_code: int
    out: str
    err: str


Command = Callable[..., Run]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs `parkflow code …`."""

    def run(*arguments: str) -> Run:
        with pytest.raises(SystemExit) as ended:
            main(["code", *arguments])
        captured = capsys.readouterr()
        return Run(int(ended.value.code or 0), captured.out, captured.err)

    return run


@pytest.fixture
def sign(run: Command, tmp_path: Path) -> Command:
    """Runs `parkflow code lot-qr` with a good secret and a good place, which further options may override."""
    path = tmp_path / "root.secret"
    path.write_text(ROOT_SECRET.hex() + "\n", encoding="ascii")
    place = ("--operator", OPERATOR, "--lot", LOT, "--lane", LANE, "--purpose", "entry")
    return lambda *more: run("lot-qr", "--root-secret-file", str(path), *place, *more)


def assert_wrong_use(done: Run, words: str) -> None:
    assert (done.exit_code, done.out) == (2, "")
    assert words in done.err


def test_a_code_is_drawn_as_its_file_name_says(run: Command, tmp_path: Path) -> None:
    for name, options, image in [
        ("code.png", [], qr.code_png(CODE, 200)),
        ("large.png", ["--pixels", "400"], qr.code_png(CODE, 400)),
        ("code.svg", [], qr.code_svg(CODE).encode()),
    ]:
        assert run("qr", CODE, "--out", str(tmp_path / name), *options) == (0, "", "")
        assert (tmp_path / name).read_bytes() == image


@pytest.mark.parametrize(
    ("text", "name", "options", "words"),
    [
        ("PF1:HELLO", "x.png", [], "this is not a parkflow code"),
        (CODE, "x.gif", [], "ends in .svg or .png"),
        (CODE, "no/such/folder/x.png", [], "No such file or directory"),
        (CODE, "x.png", ["--pixels", "194"], "195 to 4000 pixels"),
        (CODE, "x.png", ["--pixels", "many"], "--pixels"),
    ],
)
def test_what_cannot_be_drawn_is_wrong_use(
    run: Command, tmp_path: Path, text: str, name: str, options: list[str], words: str
) -> None:
    assert_wrong_use(run("qr", text, "--out", str(tmp_path / name), *options), words)
    assert list(tmp_path.iterdir()) == []


def test_a_lot_qr_is_signed_drawn_and_checked(run: Command, sign: Command, tmp_path: Path) -> None:
    signed = sign("--out", str(tmp_path / "sign.png"))
    text = signed.out.strip()
    assert (signed.exit_code, signed.err) == (0, "")
    assert text.startswith(ADDRESS)
    assert (tmp_path / "sign.png").read_bytes() == qr.lot_qr_png(text, 1_000)
    for shown in (text, text.removeprefix(ADDRESS)):
        checked = run("check-lot-qr", shown, "--root-key", ROOT_KEY)
        assert (checked.exit_code, checked.err) == (0, "")
        assert checked.out.startswith(f"good: entry, operator {OPERATOR}, lot {LOT}, lane {LANE}, issued 20")
        assert checked.out.count("\n") == 1


def test_the_address_of_the_installation_stands_before_the_token(
    run: Command, sign: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARKFLOW_LOT_QR_BASE_URL", OTHER_ADDRESS)
    text = sign().out.strip()
    assert text.startswith(OTHER_ADDRESS)
    assert run("check-lot-qr", text, "--root-key", ROOT_KEY).exit_code == 0
    # A stranger's page before a genuine token is not our sign.
    monkeypatch.delenv("PARKFLOW_LOT_QR_BASE_URL")
    assert run("check-lot-qr", text, "--root-key", ROOT_KEY) == (1, "refused: bad_base32\n", "")


@pytest.mark.parametrize("address", ["https://park.example/l/", "HTTPS://PARK.EXAMPLE", "FTP://PARK.EXAMPLE/L/", "/L/"])
def test_an_address_that_a_sign_cannot_bear_is_refused(
    sign: Command, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("PARKFLOW_LOT_QR_BASE_URL", address)
    assert_wrong_use(sign(), "PARKFLOW_LOT_QR_BASE_URL")


def test_a_fake_sign_is_refused_with_exit_code_1(run: Command, sign: Command) -> None:
    text = sign().out.strip()
    stranger = core.public_key(b"s" * 32).hex()
    for shown, key, reason in [
        (text, stranger, "bad_signature"),
        (text[:-1], ROOT_KEY, "bad_base32"),
        ("PARKFLOW", ROOT_KEY, "bad_length"),
        ("A" * 5_000, ROOT_KEY, "too_long"),
    ]:
        assert run("check-lot-qr", shown, "--root-key", key) == (1, f"refused: {reason}\n", "")


def test_a_number_that_is_no_id_is_shown_as_it_is(run: Command) -> None:
    fields = core.LotQrFields(operator_id=-1, lot_id=-(2**63), lane_id=1, purpose="exit", issued_at_s=0)
    done = run("check-lot-qr", core.sign_lot_qr(ROOT_SECRET, fields), "--root-key", ROOT_KEY)
    shown = f"good: exit, operator -1, lot {-(2**63)}, lane {LANE}, issued 1970-01-01T00:00:00Z\n"
    assert done == (0, shown, "")


@pytest.mark.parametrize("key", ["", "zz", "00" * 31, "00" * 32, "01" + "00" * 31])
def test_what_is_no_root_key_is_wrong_use(run: Command, sign: Command, key: str) -> None:
    done = run("check-lot-qr", sign().out.strip(), "--root-key", key)
    assert_wrong_use(done, "--root-key: ")
    assert done.err.count("\n") == 1


def test_what_cannot_be_signed_is_wrong_use(sign: Command, tmp_path: Path) -> None:
    assert_wrong_use(sign("--root-secret-file", str(tmp_path / "missing")), "does not exist")
    assert_wrong_use(sign("--lot", "lot_x"), "lot_ and 13 characters")
    assert_wrong_use(sign("--purpose", "dance"), "dance")
    bad = tmp_path / "bad.secret"
    bad.write_bytes(b"\xff" * 10_000)
    refused = sign("--root-secret-file", str(bad))
    assert_wrong_use(refused, "32 bytes in hex")
    assert refused.err.count("\n") == 1
