"""Rules of the command line: each listed command exists and explains itself."""

import click
import pytest
from click.testing import CliRunner

from parkflow.cli import COMMANDS, parkflow


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_listed_command_exists_and_explains_itself(name: str) -> None:
    command = parkflow.get_command(click.Context(parkflow), name)
    assert command is not None
    assert command.help
    result = CliRunner().invoke(parkflow, [name, "--help"])
    assert result.exit_code == 0
    assert "Usage:" in result.output
