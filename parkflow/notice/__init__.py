"""Notices: messages to people, written into an outbox with the change that they tell of and sent after it."""
