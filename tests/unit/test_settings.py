"""Rules of settings: frozen, named with units, wrong values named in one line."""

import stat
from pathlib import Path

import pytest

from parkflow.settings import Settings, SettingsRefused, load_settings, master_key


def test_a_variable_changes_its_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARKFLOW_DEDUCT_DELAY_SECONDS", "7")
    monkeypatch.setenv("PARKFLOW_UNKNOWN_QUERY_SCHEDULE_SECONDS", "[1, 2]")
    settings = load_settings()
    assert settings.deduct_delay_seconds == 7
    assert settings.unknown_query_schedule_seconds == (1, 2)
    assert settings.data_dir.is_absolute()


@pytest.mark.parametrize(
    ("name", "value"), [("PARKFLOW_API_PORT", "99999"), ("PARKFLOW_CHANNEL_TIMEOUT_SECONDS", "soon")]
)
def test_a_wrong_value_is_refused_by_the_variables_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsRefused, match=name):
        load_settings()


def test_the_master_key_is_made_once_and_private(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "new")
    key = master_key(settings)
    assert len(key) == 32
    assert master_key(settings) == key
    assert stat.S_IMODE((tmp_path / "new" / "master.key").stat().st_mode) == 0o600


def test_a_given_master_key_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PARKFLOW_MASTER_KEY", "ab" * 32)
    settings = Settings(data_dir=tmp_path)
    assert master_key(settings) == b"\xab" * 32
    assert "ab" * 32 not in repr(settings)
    assert not (tmp_path / "master.key").exists()


@pytest.mark.parametrize("text", ["", "ab", "zz" * 32, "ab" * 33])
def test_a_master_key_of_another_length_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str) -> None:
    monkeypatch.setenv("PARKFLOW_MASTER_KEY", text)
    with pytest.raises(SettingsRefused, match="32 bytes in hex"):
        master_key(Settings(data_dir=tmp_path))
