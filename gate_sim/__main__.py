"""The `gate-sim` command: simulated people and machines around parkflow."""

import click

from gate_sim.channel.cli import channel
from gate_sim.exit_lane_command import queue
from gate_sim.fleet_command import fleet
from gate_sim.gate_command import gate, post
from gate_sim.traffic import run


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def gate_sim() -> None:
    """Simulated gates, phones and a payment channel, over HTTP, from one seed."""


gate_sim.add_command(channel)
gate_sim.add_command(fleet)
gate_sim.add_command(gate)
gate_sim.add_command(post)
gate_sim.add_command(queue)
gate_sim.add_command(run)


def main() -> None:
    """Run the command line and exit."""
    gate_sim(prog_name="gate-sim")


if __name__ == "__main__":
    main()
