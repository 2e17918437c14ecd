"""Payment channels: the port that adapters implement, the registry of accounts, and lots being taken on."""
