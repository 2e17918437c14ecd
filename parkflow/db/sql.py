"""Named queries: `SQL = load(__file__)` reads the `queries.sql` beside a store and gives each statement by its name.

A query is `-- name: claim_due`, then comment lines (why, and what $1 … are), then one statement.
"""

import re
from collections.abc import Iterator
from pathlib import Path

_NAME = re.compile(r"^-- name: (\w+)[ \t]*$", re.MULTILINE)
# Quoted text and comments, in which a semicolon ends nothing.
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|--[^\n]*|/\*.*?\*/", re.DOTALL)


class Queries:
    """The statements of one file; `queries.claim_due` is the text of `-- name: claim_due`."""

    def __init__(self, path: Path, statements: dict[str, str]) -> None:
        self.path = path
        self._statements = statements

    def __getattr__(self, name: str) -> str:
        try:
            return self._statements[name]
        except KeyError:
            raise AttributeError(f"{self.path} has no query named {name}") from None

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._statements.items())

    def __len__(self) -> int:
        return len(self._statements)


def load(module_file: str, file_name: str = "queries.sql") -> Queries:
    """The queries of `file_name` in the folder of the calling module (pass `__file__`)."""
    return read(Path(module_file).with_name(file_name))


def read(path: Path) -> Queries:
    """The queries of one file.

    Raises ValueError when two have one name, when one is empty or two statements, or when text stands before the first.
    """
    parts = _NAME.split(path.read_text(encoding="utf-8"))
    if _statement(parts[0]):
        raise ValueError(f"{path}: a statement stands before the first `-- name:`")
    statements: dict[str, str] = {}
    for name, text in zip(parts[1::2], parts[2::2], strict=True):
        statement = _statement(text)
        if name in statements:
            raise ValueError(f"{path}: two queries are named {name}")
        if not statement:
            raise ValueError(f"{path}: query {name} is empty")
        if ";" in _QUOTED.sub("", statement):
            raise ValueError(f"{path}: query {name} has more than one statement")
        statements[name] = statement
    return Queries(path, statements)


def _statement(text: str) -> str:
    # Whole-line comments are for people; the server need not parse and log them.
    lines = (line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("--"))
    return "\n".join(lines).strip().removesuffix(";").rstrip()
