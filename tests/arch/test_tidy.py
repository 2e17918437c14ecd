"""The house rules that a machine can check: sizes, names, and what belongs into which room."""

import ast
import re
from collections.abc import Callable

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
    "gate_sim/exit_decision.py": "how long a decision took is a figure, never a fact",
    "parkflow/demo/": "elapsed seconds, shown to people",
    "bench/": "measures real time",
    "tests/": "tests may look at the real clock",
}
FLOAT_ROOMS = {
    "parkflow/db/conn.py": "time-outs of asyncpg",
    "parkflow/servers/": "pauses between two looks",
    "parkflow/api/metrics.py": "Prometheus speaks floats",
    "parkflow/serving.py": "time-outs of sockets",
    "parkflow/gate/stages.py": "Prometheus speaks floats",
    "parkflow/worker.py": "pauses between two looks",
    "parkflow/jobs/": "pauses between two looks",
    "parkflow/limit/fallback.py": "the event loop's own clock",
    "parkflow/demo/": "progress and elapsed seconds, shown to people",
    "parkflow/tariff/apds.py": "another standard's decimal texts, made minor units digit by digit",
    "parkflow/tariff/plot.py": "drawing",
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
    "datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.time_ns", "time.monotonic",
    "time.monotonic_ns", "time.perf_counter", "time.perf_counter_ns", "time.localtime", "time.gmtime",
}  # fmt: skip
STATEMENT = re.compile(
    r"^\s*(select\b.+\bfrom\b|insert\s+into\b|update\s+\w+.*\bset\b|delete\s+from\b|(create|alter|drop)\s+(table|index|database)\b"
    r"|with\s+\w+\s+as\b)",
    re.IGNORECASE | re.DOTALL,
)

PURE_FILES = {"rules.py", "state.py", "money.py", "entries.py"}


def offences(
    find: Callable[[Module], object], *folders: str, but_not_in: dict[str, str] | None = None
) -> dict[str, object]:
    """What `find` finds in each file under `folders` (all of ours by default), files without anything left out.

    One test for all files: a rule is one sentence, and thousands of tests would cost more than the checks.
    """
    found = {module.name: find(module) for module in modules(*folders) if not in_room(module, but_not_in or {})}
    return {name: what for name, what in found.items() if what}


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


def test_a_file_is_short() -> None:
    def too_long(module: Module) -> int:
        lines = module.text.count("\n")
        return lines if lines > FILE_LINES_MAX else 0

    assert offences(too_long) == {}


def test_a_file_says_its_one_subject_first() -> None:
    assert offences(lambda module: not ast.get_docstring(module.tree)) == {}


def test_a_function_fits_on_a_screen() -> None:
    def too_long(module: Module) -> dict[str, int]:
        sizes = {function.name: lines_without_docstring(function) for function in module.functions()}
        return {name: lines for name, lines in sizes.items() if lines > FUNCTION_LINES_MAX}

    assert offences(too_long) == {}


def test_a_rust_file_is_short() -> None:
    paths = [path for path in (ROOT / "core_rs").rglob("*.rs") if "target" not in path.parts]
    sizes = {path.name: path.read_text(encoding="utf-8").count("\n") for path in paths}
    assert {name: lines for name, lines in sizes.items() if lines > RUST_FILE_LINES_MAX} == {}


def test_names_say_something() -> None:
    def empty_names(module: Module) -> set[str]:
        defined = {module.path.stem, *(function.name for function in module.functions())}
        for node in module.nodes:
            if isinstance(node, ast.ClassDef):
                defined.add(node.name)
            elif isinstance(node, ast.arg):
                defined.add(node.arg)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                defined.add(node.id)
        return {name for name in defined if is_empty(name)}

    assert offences(empty_names, "parkflow", "gate_sim") == {}


def is_empty(name: str) -> bool:
    """Whether a name is or contains one of the words that say nothing."""
    bare = name.lower().strip("_")
    words = {word.lower() for word in re.findall(r"[A-Z]?[a-z]+", name)}
    return bare in BANNED_WORDS or bare.startswith(BANNED_VERBS) or bool(words & {"utils", "helper", "manager"})


def test_only_the_clock_reads_the_clock() -> None:
    def readings(module: Module) -> list[str]:
        calls = [node.func for node in module.nodes if isinstance(node, ast.Call)]
        named = [call for call in calls if isinstance(call, ast.Attribute) and isinstance(call.value, ast.Name)]
        return [ast.unparse(call) for call in named if ast.unparse(call) in CLOCK_CALLS]

    assert offences(readings, but_not_in=CLOCK_ROOMS) == {}


def test_nothing_is_a_float() -> None:
    def lines_with_floats(module: Module) -> list[int]:
        return [
            node.lineno
            for node in module.nodes
            if (isinstance(node, ast.Constant) and isinstance(node.value, float))
            or (isinstance(node, ast.Name) and node.id in {"float", "Decimal"})
        ]

    assert offences(lines_with_floats, but_not_in=FLOAT_ROOMS) == {}


def test_rules_divide_whole_numbers_only() -> None:
    def divisions(module: Module) -> bool:
        return module.path.name in PURE_FILES and any(isinstance(node, ast.Div) for node in module.nodes)

    assert offences(divisions, "parkflow") == {}


def test_sql_lives_in_query_files() -> None:
    def lines_with_sql(module: Module) -> list[int]:
        docstrings = module.docstrings()
        texts = [node for node in module.nodes if isinstance(node, ast.Constant) and id(node) not in docstrings]
        return [node.lineno for node in texts if isinstance(node.value, str) and STATEMENT.match(node.value)]

    assert offences(lines_with_sql, but_not_in=SQL_ROOMS) == {}


def test_a_store_is_used_by_its_own_domain_only() -> None:
    def foreign_stores(module: Module) -> set[str]:
        own = ".".join(module.path.relative_to(ROOT).parent.parts)
        stores = {name for name in module.imports() if re.fullmatch(r"parkflow\.\w+\.store", name)}
        return stores - {f"{own}.store"}

    assert offences(foreign_stores, "parkflow", "gate_sim", but_not_in=STORE_ROOMS) == {}


def test_only_core_imports_the_extension() -> None:
    def bindings(module: Module) -> set[str]:
        return {name for name in module.imports() if name.startswith("parkflow._core")}

    assert set(offences(bindings)) == {"parkflow/core.py"}


def test_a_simulated_gate_knows_of_parkflow_only_the_core() -> None:
    def other_rooms(module: Module) -> set[str]:
        imported = {name for name in module.imports() if name.startswith("parkflow.")}
        return {name for name in imported if name.split(".")[1] != "core"}

    assert offences(other_rooms, "gate_sim") == {}


def test_nothing_is_left_for_later() -> None:
    found = {
        path.relative_to(ROOT).as_posix(): MARKERS.findall(path.read_text(encoding="utf-8", errors="replace"))
        for path in text_files()
    }
    assert {name: marks for name, marks in found.items() if marks} == {}
