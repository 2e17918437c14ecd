"""Locust: a peak of exits by an agenda that was made before; `python -m bench.load peak` or `steady` makes one.

One user is the whole city. It starts each act when it is due and never waits for an answer to start the next one, so
that a slow service is met by as many arrivals as a fast one.
"""

import os
from urllib.parse import urlsplit

from locust import FastHttpUser, task

from bench.load.agenda import AGENDA_VARIABLE
from bench.load.city import City, read_agenda


class Town(FastHttpUser):
    """The dispatcher; its connections are as many as there are requests under way, which the agenda bounds."""

    fixed_count = 1
    concurrency = 2_000
    connection_timeout = 60.0
    network_timeout = 60.0

    @task
    def carry_out_the_agenda(self) -> None:
        """Once; then the test is over."""
        agenda = read_agenda(os.environ[AGENDA_VARIABLE])
        City(self.client, agenda, authority=urlsplit(self.host or "").netloc).run()
        assert self.environment.runner is not None, "Locust has a runner while it runs"
        self.environment.runner.quit()
