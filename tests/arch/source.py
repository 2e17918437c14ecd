"""The source tree as the tidy tests see it: which files there are, and what each Python file contains."""

import ast
import functools
import gc
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
OURS = ("parkflow", "gate_sim", "bench", "tests")
_TEXT_SUFFIXES = {".py", ".pyi", ".rs", ".sql", ".md", ".toml", ".yaml", ".yml", ".js", ".css", ".html", ".sh", ""}
_FOREIGN = {".git", ".venv", "target", "__pycache__", "golden", ".parkflow", "dist", "node_modules", "results"}


@dataclass(frozen=True)
class Module:
    """One Python file."""

    path: Path
    text: str
    tree: ast.Module
    # All nodes of the tree: a dozen rules look at every one.
    nodes: tuple[ast.AST, ...]

    @property
    def name(self) -> str:
        """Where it is, for messages: `parkflow/kit/ids.py`."""
        return self.path.relative_to(ROOT).as_posix()

    def imports(self) -> Iterator[str]:
        """Every module or name that it imports, absolute: `parkflow.card.store`."""
        for node in self.nodes:
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module
                yield from (f"{node.module}.{alias.name}" for alias in node.names)

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        """All functions and methods."""
        return (node for node in self.nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))

    def docstrings(self) -> set[int]:
        """The ids of the constants that are docstrings."""
        owners = [node for node in self.nodes if isinstance(node, ast.Module | ast.ClassDef)]
        bodies = [node.body for node in [*owners, *self.functions()]]
        return {id(body[0].value) for body in bodies if body and isinstance(body[0], ast.Expr)}


def modules(*folders: str) -> tuple[Module, ...]:
    """The Python files under `folders` (all of ours by default)."""
    return tuple(module for folder in folders or OURS for module in _modules_under(folder))


@functools.cache
def _modules_under(folder: str) -> tuple[Module, ...]:
    paths = sorted(path for path in (ROOT / folder).rglob("*.py") if "__pycache__" not in path.parts)
    # Millions of nodes that all stay: the collector would look through them again and again and find nothing.
    gc.collect()
    gc.disable()
    try:
        return tuple(_parsed(path) for path in paths)
    finally:
        gc.freeze()
        gc.enable()


def _parsed(path: Path) -> Module:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    return Module(path, text, tree, tuple(ast.walk(tree)))


def text_files() -> Iterator[Path]:
    """Every file of ours that people read, golden vectors and results left out."""
    for folder, inner, names in os.walk(ROOT):
        # Not even entered: a built tree has more foreign files than ours by far.
        inner[:] = [name for name in inner if name not in _FOREIGN and (name[0] != "." or name == ".ci")]
        paths = [Path(folder) / name for name in names if name not in _FOREIGN]
        yield from (path for path in paths if path.suffix in _TEXT_SUFFIXES)


def query_files() -> list[Path]:
    """The files of named queries."""
    return [path for path in sorted((ROOT / "parkflow").rglob("*.sql")) if path.parent.name != "migrations"]
