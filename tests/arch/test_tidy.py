"""The house rules that a machine can check: sizes, names, and what belongs into which room."""

import ast
import re
from pathlib import Path

import pytest

from tests.arch.source import ROOT, Module, modules, text_files

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 50
RUST_FILE_LINES_MAX = 500

BANNED_WORDS = {"utils", "util", "helpers", "helper", "manager", "managers", "data", "info", "common", "misc"}
BANNED_VERBS = ("handle_", "do_", "process_")
# Assembled, so that this file does not contain what it looks for.
MARKERS = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]) + r")\b")

# The rooms where a rule does not hold, each with its reason.
CLOCK_ROOMS = {
    "parkflow/kit/clock.py": "the one reader of the system clock",
    "parkflow/api/metrics.py": "how long a request took is a figure, never a fact",
    "gate_sim/channel/": "the channel is another company's process with a clock of its own",
    "parkflow/demo/": "elapsed seconds, shown to people",
    "bench/": "measures real time",
    "tests/": "tests may look at the real clock",
}
FLOAT_ROOMS = {
    "parkflow/db/conn.py": "time-outs of asyncpg",
    "parkflow/servers/": "pauses between two looks",
    "parkflow/api/metrics.py": "Prometheus speaks floats",
    "parkflow/serving.py": "time-outs of sockets",
    "parkflow/worker.py": "pauses between two looks",
    "parkflow/jobs/": "pauses between two looks",
    "parkflow/limit/fallback.py": "the event loop's own clock",
    "parkflow/demo/": "progress and elapsed seconds, shown to people",
    "gate_sim/": "time-outs and pauses of simulated clients",
    "bench/": "measures",
    "tests/": "measures",
}
SQL_ROOMS = {
    "parkflow/db/transition.py": "composes statements from a machine's table",
    "parkflow/db/pool.py": "session settings",
    "parkflow/servers/postgres.py": "makes the database in which queries run",
    "gate_sim/": "the simulated channel and gates keep books of their own",
    "bench/": "seeds",
    "tests/": "look at rows",
}
STORE_ROOMS = {
    "parkflow/services.py": "composition root",
    "parkflow/app.py": "composition root",
    "parkflow/worker.py": "composition root",
}

CLOCK_CALLS = {
    ("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today"), ("time", "time"),
    ("time", "time_ns"), ("time", "monotonic"), ("time", "monotonic_ns"), ("time", "perf_counter"),
    ("time", "perf_counter_ns"), ("time", "localtime"), ("time", "gmtime"),
}  # fmt: skip
STATEMENT = re.compile(
    r"^\s*(select\b.+\bfrom\b|insert\s+into\b|update\s+\w+.*\bset\b|delete\s+from\b|(create|alter|drop)\s+(table|index|database)\b"
    r"|with\s+\w+\s+as\b)",
    re.IGNORECASE | re.DOTALL,
)

every_module = pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
every_product_module = pytest.mark.parametrize(
    "module", modules("parkflow", "gate_sim"), ids=lambda module: module.name
)


def in_room(module: Module, rooms: dict[str, str]) -> bool:
    return any(module.name == room or (room.endswith("/") and module.name.startswith(room)) for room in rooms)


def lines_without_docstring(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first = function.body[0]
    assert function.end_lineno is not None
    lines = function.end_lineno - function.lineno + 1
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        assert first.end_lineno is not None
        lines -= first.end_lineno - first.lineno + 1
    return lines


@every_module
def test_a_file_is_short_and_says_what_it_is(module: Module) -> None:
    assert module.text.count("\n") <= FILE_LINES_MAX
    assert ast.get_docstring(module.tree), "the first line says the file's one subject"


@every_module
def test_a_function_fits_on_a_screen(module: Module) -> None:
    sizes = {function.name: lines_without_docstring(function) for function in module.functions()}
    assert {name: lines for name, lines in sizes.items() if lines > FUNCTION_LINES_MAX} == {}


def test_a_rust_file_is_short() -> None:
    paths = [path for path in (ROOT / "core_rs").rglob("*.rs") if "target" not in path.parts]
    sizes = {path.name: path.read_text(encoding="utf-8").count("\n") for path in paths}
    assert {name: lines for name, lines in sizes.items() if lines > RUST_FILE_LINES_MAX} == {}


@every_product_module
def test_names_say_something(module: Module) -> None:
    defined = {module.path.stem, *(function.name for function in module.functions())}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ClassDef):
            defined.add(node.name)
        elif isinstance(node, ast.arg):
            defined.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            defined.add(node.id)
    words = {name: set(re.findall(r"[A-Z]?[a-z]+", name)) for name in defined}
    bare = {name: name.lower().strip("_") for name in defined}
    bad = {name for name in defined if bare[name] in BANNED_WORDS or bare[name].startswith(BANNED_VERBS)}
    bad |= {name for name, parts in words.items() if {part.lower() for part in parts} & {"utils", "helper", "manager"}}
    assert bad == set()


@every_module
def test_only_the_clock_reads_the_clock(module: Module) -> None:
    calls = {
        (node.func.value.id, node.func.attr)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name)
    }
    assert in_room(module, CLOCK_ROOMS) or calls & CLOCK_CALLS == set()


@every_module
def test_nothing_is_a_float(module: Module) -> None:
    if in_room(module, FLOAT_ROOMS):
        return
    floats = [
        node.lineno
        for node in ast.walk(module.tree)
        if (isinstance(node, ast.Constant) and isinstance(node.value, float))
        or (isinstance(node, ast.Name) and node.id in {"float", "Decimal"})
    ]
    assert floats == [], f"{module.name} uses floats in lines {floats}"


@pytest.mark.parametrize(
    "module",
    [each for each in modules("parkflow") if each.path.name in {"rules.py", "state.py", "money.py", "entries.py"}],
    ids=lambda module: module.name,
)
def test_rules_divide_whole_numbers_only(module: Module) -> None:
    assert [node for node in ast.walk(module.tree) if isinstance(node, ast.Div)] == []


@every_module
def test_sql_lives_in_query_files(module: Module) -> None:
    if in_room(module, SQL_ROOMS):
        return
    docstrings = module.docstrings()
    statements = [
        node.lineno
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in docstrings
        and STATEMENT.match(node.value)
    ]
    assert statements == [], f"{module.name} has SQL in lines {statements}; put it into queries.sql"


@every_product_module
def test_a_store_is_used_by_its_own_domain_only(module: Module) -> None:
    if in_room(module, STORE_ROOMS):
        return
    own = ".".join(module.path.relative_to(ROOT).parent.parts)
    stores = {name for name in module.imports() if re.fullmatch(r"parkflow\.\w+\.store", name)}
    assert {store for store in stores if store != f"{own}.store"} == set()


@every_module
def test_only_core_imports_the_extension(module: Module) -> None:
    imported = {name for name in module.imports() if name.startswith("parkflow._core")}
    assert module.name == "parkflow/core.py" or imported == set()


@pytest.mark.parametrize("module", modules("gate_sim"), ids=lambda module: module.name)
def test_a_simulated_gate_knows_of_parkflow_only_the_core(module: Module) -> None:
    imported = {name for name in module.imports() if name.startswith("parkflow")}
    allowed = {"parkflow", "parkflow.core"}
    assert {name for name in imported if name not in allowed and not name.startswith("parkflow.core.")} == set()


@pytest.mark.parametrize("path", text_files(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_is_left_for_later(path: Path) -> None:
    found = MARKERS.findall(path.read_text(encoding="utf-8", errors="replace"))
    assert found == []
