"""The one fault after which capture does not try again by itself."""

from replication.errors import KuroshioError


class FencedError(KuroshioError):
    """This database must not send: what it would say may contradict what it has said. A person must look."""


class RestoredError(FencedError):
    """This database is an earlier one than its log was written by. It stays so until the site has rejoined."""
