"""The embedded servers: Postgres always, Valkey if it can run, shared by all parkflow processes of a data directory."""

from parkflow.servers.client import Servers, embedded_servers

__all__ = ["Servers", "embedded_servers"]
