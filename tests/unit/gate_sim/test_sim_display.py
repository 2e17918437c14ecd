"""Every decision has a line for the driver, in Chinese and in English."""

import re

import pytest

from gate_sim.display import JOURNAL_FULL, LIFTED, MEDIUM_NOT_ENABLED, NOTHING_READ, OWN_REASONS, line_of
from parkflow import core

REFUSALS = [name for name in core.GATE_REASONS.values() if name != "accepted"]
# Two lines of the small displays that are sold for gates.
ENGLISH_MAX, CHINESE_MAX = 52, 16


@pytest.mark.parametrize("direction", ["entry", "exit"])
@pytest.mark.parametrize("reason", [*REFUSALS, JOURNAL_FULL, MEDIUM_NOT_ENABLED, NOTHING_READ])
def test_every_refusal_says_what_to_do(reason: str, direction: str) -> None:
    line = line_of(reason, direction=direction, opened=False)
    assert 0 < len(line.en) <= ENGLISH_MAX
    assert 0 < len(line.zh) <= CHINESE_MAX
    assert line.en.isascii()
    assert not any(character.isascii() and character.isalpha() for character in line.zh)


@pytest.mark.parametrize("reason", [*core.GATE_REASONS.values(), *OWN_REASONS])
def test_every_open_barrier_greets(reason: str) -> None:
    assert line_of(reason, direction="entry", opened=True).en == "Welcome"
    assert line_of(reason, direction="exit", opened=True).en.startswith("Goodbye")


@pytest.mark.parametrize("reason", [*core.GATE_REASONS.values(), *OWN_REASONS])
def test_every_reason_is_a_word_that_a_batch_may_carry(reason: str) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]{0,39}", reason)


def test_the_reasons_of_a_gate_without_a_code_have_names_of_their_own() -> None:
    assert not set(OWN_REASONS) & set(core.GATE_REASONS.values())
    assert LIFTED in OWN_REASONS
