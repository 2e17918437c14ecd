"""Files of past stays: CSV, also compressed, or Parquet; what cannot be read is named by its line."""

import csv
import gzip
import importlib
import re
import zlib
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any, Final, cast

from parkflow.kit.errors import ParkflowError
from parkflow.tariff.shadow import PastStay

REQUIRED: Final = ("entry", "exit")
OPTIONAL: Final = ("vehicle_class", "tags", "account", "id")
_SECONDS: Final = re.compile(r"-?[0-9]{1,12}")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ROWS_AT_ONCE: Final = 10_000


class StaysFileInvalid(ParkflowError):
    """A file of stays is CSV (.csv, .csv.gz) or Parquet (.parquet) with the columns entry and exit."""

    code = "stays_file_invalid"
    status = 422


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that is no stay; lines of CSV count from 1 with the head, rows of Parquet from 1."""

    line: int
    reason: str


def read_stays(path: Path) -> Iterator[PastStay | BadLine]:
    """The stays of a file in its order, one by one.

    `entry` and `exit` are ISO 8601 with offset or seconds since 1970; `tags` are parted by `;`. Raises StaysFileInvalid
    when the file as a whole cannot be used, also in the middle of it.
    """
    rows = _parquet_rows(path) if path.suffix == ".parquet" else _csv_rows(path)
    try:
        for line, row in rows:
            yield _stay(line, row) if isinstance(row, Mapping) else BadLine(line, row)
    except OSError as error:
        raise StaysFileInvalid(f"{path}: {error.strerror or error}") from None
    except (EOFError, zlib.error) as error:
        raise StaysFileInvalid(f"{path}: the compressed file is cut off or damaged: {error}") from None
    except UnicodeDecodeError:
        raise StaysFileInvalid(f"{path}: is not UTF-8 text") from None
    except csv.Error as error:
        raise StaysFileInvalid(f"{path}: is not CSV: {error}") from None


def _csv_rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    """(line, its cells by column, or what is wrong with it)."""
    with closing(_opened(path)) as text:
        reader = csv.reader(text, strict=True)
        head = [name.strip() for name in next(reader, [])]
        _require_columns(path, head)
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(head):
                yield reader.line_num, f"has {len(cells)} cells, but the head has {len(head)}"
            else:
                yield reader.line_num, dict(zip(head, cells, strict=True))


def _opened(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return cast(IO[str], gzip.open(path, "rt", encoding="utf-8-sig", newline=""))
    return path.open(encoding="utf-8-sig", newline="")


def _parquet_rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    try:
        parquet = importlib.import_module("pyarrow.parquet")
        errors = importlib.import_module("pyarrow").ArrowException
    except ImportError:
        raise StaysFileInvalid(f"{path}: Parquet is read by pyarrow; install it, or give CSV") from None
    try:
        with parquet.ParquetFile(path) as file:
            names = list(file.schema_arrow.names)
            _require_columns(path, names)
            known = [name for name in names if name in REQUIRED + OPTIONAL]
            line = 0
            for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE, columns=known):
                for row in batch.to_pylist():
                    line += 1
                    yield line, row
    except errors as error:
        raise StaysFileInvalid(f"{path}: is not Parquet: {str(error).splitlines()[0]}") from None


def _require_columns(path: Path, names: list[str]) -> None:
    missing = [name for name in REQUIRED if name not in names]
    if missing:
        raise StaysFileInvalid(f"{path}: needs the column {missing[0]} (it may have {', '.join(OPTIONAL)} too)")
    twice = [name for name in REQUIRED + OPTIONAL if names.count(name) > 1]
    if twice:
        raise StaysFileInvalid(f"{path}: has the column {twice[0]} twice")


def _stay(line: int, row: Mapping[str, Any]) -> PastStay | BadLine:
    instants = []
    for name in REQUIRED:
        instant_s = _instant_s(row[name])
        if instant_s is None:
            shown = str(row[name])[:40]
            return BadLine(line, f"{name} {shown!r} is neither ISO 8601 with offset nor seconds since 1970")
        instants.append(instant_s)
    tags = row.get("tags") or ()
    return PastStay(
        label=_text(row.get("id")) or f"line {line}",
        entry_s=instants[0],
        exit_s=instants[1],
        vehicle_class=_text(row.get("vehicle_class")),
        tags=tuple(
            tag.strip() for tag in (tags.split(";") if isinstance(tags, str) else map(str, tags)) if tag.strip()
        ),
        account=_text(row.get("account")),
    )


def _text(value: object) -> str | None:
    """A cell's text; an empty one says nothing."""
    return (str(value).strip() or None) if value is not None else None


def _instant_s(value: object) -> int | None:
    if isinstance(value, int):
        return value if _SECONDS.fullmatch(str(value)) else None
    if isinstance(value, str):
        text = value.strip()
        if _SECONDS.fullmatch(text):
            return int(text)
        try:
            value = datetime.fromisoformat(text)
        except ValueError:
            return None
    if not isinstance(value, datetime) or value.tzinfo is None:
        return None
    return (value - _EPOCH) // timedelta(seconds=1)
