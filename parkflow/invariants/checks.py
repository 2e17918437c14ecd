"""Running every invariant against the database; each gives the number of rows that break it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from parkflow.cutoff import service as cutoff
from parkflow.db.conn import Conn, Pool
from parkflow.db.sql import load
from parkflow.invariants import prices

QUERIES: Final = load(__file__)
_NAME: Final = re.compile(r"([il])(\d\d)_(\w+)")


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found. invariant: its number (`I-8`); rule: what must hold; violations: 0 when it does."""

    invariant: str
    rule: str
    violations: int


async def run(pool: Pool, *, now: datetime) -> Sequence[Finding]:
    """All checks at one moment, in order of their numbers."""
    async with pool.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
        return await run_on(conn, now=now)


async def run_on(conn: Conn, *, now: datetime) -> Sequence[Finding]:
    """All checks on a connection whose transaction decides what they see."""
    found = []
    for name, statement in dict(QUERIES).items():
        violations = await conn.fetchval(statement, *([now] if "$1" in statement else []))
        found.append(_finding(name, int(violations)))
    found.append(_finding("i14_a_fee_is_what_its_tariff_version_gives", await prices.count_differing(conn)))
    found.append(_finding("i15_a_closed_day_counts_up_to_the_same_bytes", len(await cutoff.differing_days(conn))))
    return sorted(found, key=lambda finding: (finding.invariant[0], int(finding.invariant[2:]), finding.rule))


def violated(findings: Sequence[Finding]) -> int:
    """How many rows break an invariant."""
    return sum(finding.violations for finding in findings)


def _finding(name: str, violations: int) -> Finding:
    match = _NAME.fullmatch(name)
    assert match is not None, f"a check is named like i08_what_must_hold, not {name}"
    letter, number, rule = match.groups()
    return Finding(f"{letter.upper()}-{int(number)}", rule.replace("_", " "), violations)
