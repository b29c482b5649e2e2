"""Captures row changes from the WAL, ships them over the message bus, applies them at the other sites."""
