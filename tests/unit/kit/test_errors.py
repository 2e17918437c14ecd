"""Rules of refusals: a stable code, a status, one line."""

import pytest

from parkflow.kit.errors import DatabaseUnavailable, ParkflowError


def test_a_refusal_without_words_says_what_its_rule_says() -> None:
    assert DatabaseUnavailable().message.startswith("The database does not answer")
    assert str(DatabaseUnavailable("port 5 is closed")) == "port 5 is closed"


def test_a_code_that_is_not_snake_case_is_refused_at_definition() -> None:
    with pytest.raises(AssertionError, match="snake_case"):
        type("Bad", (ParkflowError,), {"code": "Not-Stable"})
