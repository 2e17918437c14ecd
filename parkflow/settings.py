"""Settings: one frozen object, read once at the start from `PARKFLOW_…` variables and passed down."""

import os
import secrets
from datetime import time
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from parkflow.kit.errors import ParkflowError

_KEY_BYTES: Final = 32
Positive = Annotated[int, Field(gt=0)]


class SettingsRefused(ParkflowError):
    """A PARKFLOW_… variable has a value that cannot be used."""

    code = "settings_refused"
    status = 500


class Settings(BaseSettings):
    """Everything that may differ between two installations; what differs between operators is in their rows.

    Each field is the variable `PARKFLOW_<FIELD>`; lists are written as JSON (`[5, 15, 60]`).
    """

    model_config = SettingsConfigDict(env_prefix="PARKFLOW_", frozen=True, extra="ignore")

    # Where things are.
    data_dir: Path = Path(".parkflow")
    database_url: str | None = None
    redis_url: str | None = None
    pg_bin: Path | None = None
    valkey_bin: Path | None = None
    api_host: str = "127.0.0.1"
    api_port: Annotated[int, Field(ge=0, le=65535)] = 8000
    # 32 bytes in hex; left out, `master_key` makes one in the data directory.
    master_key_hex: Annotated[SecretStr | None, Field(validation_alias="PARKFLOW_MASTER_KEY")] = None

    # Gates and codes.
    upload_interval_seconds: Positive = 60
    scan_batch_max: Positive = 2_000
    body_bytes_max: Annotated[int, Field(gt=0, le=8 * 1024 * 1024)] = 1024 * 1024
    request_age_max_seconds: Annotated[int, Field(gt=0, le=600)] = 60
    code_refresh_seconds: Positive = 15
    credential_lifetime_minutes: Annotated[int, Field(gt=0, le=72 * 60)] = 24 * 60
    bundle_interval_seconds: Positive = 60
    # Verified credentials that the service keeps in memory, about 300 bytes each: a day of a city's cards.
    credential_cache_max: Annotated[int, Field(ge=2)] = 65_536
    # Uploads. A flush is one transaction: large enough that its overhead does not count, small enough for an answer
    # within a second. What waits is bounded in all and per gate; the rest stays in the gates' journals.
    ingest_flush_scans_max: Positive = 2_000
    ingest_flush_wait_milliseconds: Annotated[int, Field(ge=0)] = 10
    ingest_queue_scans_max: Positive = 20_000
    ingest_batches_per_gate_max: Positive = 4
    # What stands before the token in the QR code of a lot's sign. Capitals, since QR's alphanumeric mode has no others;
    # scheme and host mean the same in capitals.
    lot_qr_base_url: Annotated[str, Field(max_length=100, pattern=r"^HTTPS?://[0-9A-Z.:/-]+/$")] = (
        "HTTPS://PARK.EXAMPLE/L/"
    )

    # Taking the money.
    deduct_delay_seconds: Annotated[int, Field(ge=0)] = 120
    channel_timeout_seconds: Positive = 10
    # The last one repeats until the bill of the day after settles it.
    unknown_query_schedule_seconds: tuple[Positive, ...] = (5, 15, 60, 300, 1_800, 3_600)
    # Days after the first decline, at the operator's local time.
    decline_retry_days: tuple[Positive, ...] = (1, 3, 7)
    decline_retry_local_time: time = time(9)
    declines_per_24_hours_max: Positive = 10
    declines_per_30_days_max: Positive = 15
    prepaid_exit_grace_minutes: Positive = 15
    refunds_per_charge_max: Positive = 50
    refund_within_days: Positive = 365
    return_wait_hours: Annotated[int, Field(ge=0)] = 72

    # Logging in.
    otp_digits: Annotated[int, Field(ge=4, le=10)] = 6
    otp_lifetime_minutes: Positive = 5
    otp_tries_max: Positive = 5
    otp_per_hour_max: Positive = 5
    otp_per_day_max: Positive = 10
    session_lifetime_days: Positive = 30

    # Workers. One bucket a statement keeps each write on one shard of a distributed database.
    buckets_per_statement: Annotated[int, Field(gt=0, le=1024)] = 1024
    lease_seconds: Positive = 15
    # How far a worker gives way to the API on one machine (nice, 0 to 19); on one of its own it changes nothing.
    worker_niceness: Annotated[int, Field(ge=0, le=19)] = 10
    # For how long stays and charges may wait while live uploads need the database; 0: never.
    worker_gives_way_seconds: Annotated[int, Field(ge=0, le=3600)] = 300
    pool_size_max: Positive = 10

    # What one `parkflow serve` takes in at once. A body has the grace, and time for each byte that has come.
    head_seconds_max: Positive = 10
    body_grace_seconds: Positive = 10
    body_seconds_max: Positive = 120
    body_bytes_per_second_min: Positive = 8 * 1024
    bodies_bytes_max: Annotated[int, Field(ge=8 * 1024 * 1024)] = 32 * 1024 * 1024


def load_settings() -> Settings:
    """The settings of this process's environment. Raises SettingsRefused naming the variable that is wrong."""
    try:
        settings = Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).removeprefix("PARKFLOW_").upper()
        raise SettingsRefused(f"PARKFLOW_{name}: {first['msg']}") from error
    return settings.model_copy(update={"data_dir": settings.data_dir.absolute()})


def master_key(settings: Settings) -> bytes:
    """The 32-byte key under which personal data and secrets are sealed.

    From PARKFLOW_MASTER_KEY, else from `master.key` in the data directory, which is made (mode 0600) at the first call.
    Raises SettingsRefused when it is not 32 bytes of hex.
    """
    if settings.master_key_hex is not None:
        return _key_from_hex(settings.master_key_hex.get_secret_value(), "PARKFLOW_MASTER_KEY")
    path = settings.data_dir / "master.key"
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        _create_once(path, secrets.token_hex(_KEY_BYTES))
    return _key_from_hex(path.read_text(encoding="ascii").strip(), str(path))


def _create_once(path: Path, text: str) -> None:
    # Written whole under another name first: a second process sees no key or the whole key, and the first one wins.
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    draft.touch(mode=0o600, exist_ok=False)
    try:
        with draft.open("w", encoding="ascii") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _key_from_hex(text: str, where: str) -> bytes:
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise SettingsRefused(f"{where} must be {_KEY_BYTES} bytes in hex ({2 * _KEY_BYTES} characters)")
    return key
