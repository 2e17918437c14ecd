"""A vector that nothing reads protects nothing: golden files are read by a test, and ours by both languages."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"
OURS = sorted(GOLDEN.glob("*.json"))
PUBLISHED = sorted(path for path in (GOLDEN / "vectors").iterdir() if path.suffix in (".json", ".128"))


def texts(*patterns: str) -> str:
    paths = (path for pattern in patterns for path in ROOT.glob(pattern) if path != Path(__file__))
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)


RUST = texts("core_rs/*/tests/**/*.rs", "core_rs/*/src/**/*.rs")
PYTHON = texts("tests/**/test_*.py")


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_our_vectors_are_read_by_rust_and_by_python(path: Path) -> None:
    assert path.name in RUST
    assert path.name in PYTHON


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.name)
def test_published_vectors_are_read_by_a_test(path: Path) -> None:
    assert path.name in RUST + PYTHON
