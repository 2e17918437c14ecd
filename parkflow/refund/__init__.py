"""Refunds: money given back under one refund number, however often it has to be asked for."""
