"""Every named query is valid against the schema, used, and obeys what a distributed database allows."""

import ast
import re
from collections import defaultdict
from pathlib import Path

import asyncpg

from parkflow.db.sql import read
from tests.arch.source import ROOT, modules, query_files

NAMED = [(path, name, text) for path in query_files() for name, text in read(path)]
NAME_IDS = [f"{path.relative_to(ROOT).parent}:{name}" for path, name, _ in NAMED]
# Not the same on every shard or replica, so a distributed update refuses them; ids and times are given as parameters.
VOLATILE = re.compile(r"\b(clock_timestamp|gen_random_uuid|random|uuidv7|statement_timestamp)\s*\(", re.IGNORECASE)
WRITES = re.compile(r"\b(?:insert\s+into|update|delete\s+from)\s+([a-z_]+)", re.IGNORECASE)


async def test_every_query_prepares_against_the_schema(dsn: str) -> None:
    conn = await asyncpg.connect(dsn)
    failures = {}
    try:
        for (_, _, text), where in zip(NAMED, NAME_IDS, strict=True):
            # The migrator's own table is made by a query of its own.
            await conn.execute("create table if not exists schema_migration (version int)")
            try:
                await conn.prepare(text)
            except asyncpg.PostgresError as error:
                failures[where] = str(error)
    finally:
        await conn.close()
    assert failures == {}


def test_every_query_is_used_in_its_own_folder() -> None:
    used: dict[Path, set[str]] = defaultdict(set)
    for module in modules("parkflow"):
        used[module.path.parent] |= {node.attr for node in module.nodes if isinstance(node, ast.Attribute)}
        # A list of queries may be walked through as a whole, e.g. that of the invariants.
        if re.search(r"\bin (SQL|QUERIES|_SQL)\b|\bdict\((SQL|QUERIES)\)", module.text):
            used[module.path.parent].add("*")
    unused = [
        where for (path, name, _), where in zip(NAMED, NAME_IDS, strict=True) if not {name, "*"} & used[path.parent]
    ]
    assert unused == []


def test_a_query_runs_on_one_server_and_on_many() -> None:
    for (_, _, text), where in zip(NAMED, NAME_IDS, strict=True):
        assert not VOLATILE.search(text), f"{where}: pass ids and times as parameters"
        assert "skip locked" not in text.lower(), f"{where}: leases make it needless"
        if re.search(r"\bfor\s+(no\s+key\s+)?update\b", text, re.IGNORECASE):
            assert not re.search(r"bucket\s*=\s*any", text, re.IGNORECASE), f"{where}: lock one bucket and one key"


def test_a_state_is_only_changed_from_an_expected_one() -> None:
    updates = [
        (where, part)
        for (_, _, text), where in zip(NAMED, NAME_IDS, strict=True)
        for part in re.split(r"(?=\bupdate\s+[a-z_]+)", text, flags=re.IGNORECASE)
        if re.match(r"update\b", part)
    ]
    for where, part in updates:
        written, _, condition = re.sub(r"\s+", " ", part).partition(" where ")
        if re.search(r"\bset\b.*\bstate\s*=", written):
            assert re.search(r"\bstate\b", condition), f"{where}: guard the state"


def test_a_table_has_one_writing_domain() -> None:
    writers: dict[str, set[str]] = defaultdict(set)
    for path, _, text in NAMED:
        for table in WRITES.findall(re.sub(r"\bfor\s+(no\s+key\s+)?update\b|\bdo\s+update\b", "", text)):
            writers[table.lower()].add(path.parent.relative_to(ROOT).as_posix())
    assert {table: sorted(domains) for table, domains in writers.items() if len(domains) > 1} == {}


async def test_every_table_can_be_distributed(dsn: str) -> None:
    conn = await asyncpg.connect(dsn)
    try:
        keys = await conn.fetch(
            """select c.relname, i.indisprimary, i.indisunique,
                      (select attname from pg_attribute where attrelid = c.oid and attnum = i.indkey[0]) as first,
                      exists (select from pg_attribute where attrelid = c.oid and attname = 'bucket') as bucketed
                 from pg_class c left join pg_index i on i.indrelid = c.oid and (i.indisprimary or i.indisunique)
                where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace"""
        )
        triggers = await conn.fetchval("select count(*) from pg_trigger where not tgisinternal")
        functions = await conn.fetchval("select count(*) from pg_proc where pronamespace = 'public'::regnamespace")
    finally:
        await conn.close()
    assert (triggers, functions) == (0, 0)
    primary = {key["relname"] for key in keys if key["indisprimary"]}
    assert {key["relname"] for key in keys} - primary == set(), "every table has a primary key"
    late = {key["relname"] for key in keys if key["bucketed"] and key["indisunique"] and key["first"] != "bucket"}
    assert late == set(), "the keys of account-scoped tables begin with bucket"
