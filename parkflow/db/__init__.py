"""The one way to Postgres: pool, transactions, named queries, guarded transitions, migrations."""
