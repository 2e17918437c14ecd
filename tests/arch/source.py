"""The source tree as the tidy tests see it: which files there are, and what each Python file contains."""

import ast
import functools
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

    @property
    def name(self) -> str:
        """Where it is, for messages: `parkflow/kit/ids.py`."""
        return self.path.relative_to(ROOT).as_posix()

    def imports(self) -> Iterator[str]:
        """Every module or name that it imports, absolute: `parkflow.card.store`."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module
                yield from (f"{node.module}.{alias.name}" for alias in node.names)

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        """All functions and methods."""
        return (node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))

    def docstrings(self) -> set[int]:
        """The ids of the constants that are docstrings."""
        owners = [node for node in ast.walk(self.tree) if isinstance(node, ast.Module | ast.ClassDef)]
        bodies = [node.body for node in [*owners, *self.functions()]]
        return {id(body[0].value) for body in bodies if body and isinstance(body[0], ast.Expr)}


@functools.cache
def modules(*folders: str) -> tuple[Module, ...]:
    """The Python files under `folders` (all of ours by default)."""
    paths = sorted(path for folder in folders or OURS for path in (ROOT / folder).rglob("*.py"))
    texts = [(path, path.read_text(encoding="utf-8")) for path in paths if "__pycache__" not in path.parts]
    return tuple(Module(path, text, ast.parse(text)) for path, text in texts)


@functools.cache
def text_files() -> tuple[Path, ...]:
    """Every file of ours that people read, golden vectors and results left out."""
    return tuple(
        path
        for path in sorted(ROOT.rglob("*"))
        if path.is_file()
        and path.suffix in _TEXT_SUFFIXES
        and not _FOREIGN & set(path.relative_to(ROOT).parts)
        and not any(part.startswith(".") and part != ".ci" for part in path.relative_to(ROOT).parts[:-1])
    )


def query_files() -> list[Path]:
    """The files of named queries."""
    return [path for path in sorted((ROOT / "parkflow").rglob("*.sql")) if path.parent.name != "migrations"]
