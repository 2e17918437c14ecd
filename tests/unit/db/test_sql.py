"""Rules of query files: named, one statement each, no name twice."""

from pathlib import Path

import pytest

from parkflow.db.sql import read


def write(folder: Path, text: str) -> Path:
    path = folder / "queries.sql"
    path.write_text(text)
    return path


def test_each_statement_is_found_by_its_name(tmp_path: Path) -> None:
    queries = read(
        write(tmp_path, "-- Of cats.\n-- name: one\n-- Why.\nselect 1;\n\n-- name: two\nselect ';'\n  -- in\n")
    )
    assert dict(queries) == {"one": "select 1", "two": "select ';'"}
    assert queries.one == "select 1"
    with pytest.raises(AttributeError, match="no query named three"):
        _ = queries.three


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("-- name: one\nselect 1\n-- name: one\nselect 2", "two queries are named one"),
        ("-- name: one\nselect 1; select 2", "more than one statement"),
        ("-- name: one\n-- Only words.\n", "is empty"),
        ("select 1\n-- name: one\nselect 2", "before the first"),
    ],
)
def test_a_file_that_could_be_misread_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read(write(tmp_path, text))
