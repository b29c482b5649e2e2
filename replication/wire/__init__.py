"""What is read from a slot and what travels between sites: bytes to values and back, and nothing else.

Pure like ``core``: no driver, socket, clock, random or logging.
Everything malformed is a :class:`~replication.errors.DecodeError`.
"""
