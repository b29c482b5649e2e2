"""What stands for a value that must not leave its site: pure.

A hash is an HMAC under a key that stays at its site, so that nobody else can find the value by trying; equal values of
one site show equal hashes. A part of a value that is no longer than the part would be all of it, and shows nothing.
"""

import hashlib
import hmac

from replication.core.views import Mask

HASH_CHARACTERS = 16


def conceal(
    value: bytes | None, mask: Mask, key: bytes, empty: bytes | None, longest: int | None = None
) -> bytes | None:
    """The mask of a value. ``empty`` is what the column shows for nothing; ``longest`` how many characters it takes."""
    if mask.kind == "nothing":
        return empty
    if value is None:
        return None
    if mask.kind == "hash":
        return hmac.new(key, value, hashlib.sha256).hexdigest()[:HASH_CHARACTERS][:longest].encode()
    text = value.decode()
    return text[-mask.kept :].encode() if len(text) > mask.kept else b""
