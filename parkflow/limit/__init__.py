"""Limits: how often something may be done in a time, counted in Valkey where there is one and else in Postgres."""
