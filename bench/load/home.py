"""Where a run of load keeps its things, and how they are reached."""

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Home:
    """Where a run keeps its things: the servers' data on a disk, what is only sent in memory where there is room."""

    data_dir: Path
    outbox: Path
    dsn: str
    master_key: bytes

    @property
    def keeper_pid(self) -> int:
        """The process whose children are Postgres and Valkey."""
        return int(json.loads((self.data_dir / "servers.json").read_text(encoding="utf-8"))["keeper_pid"])
