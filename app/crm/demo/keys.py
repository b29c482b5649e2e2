"""Where a sample row comes from, and the key that follows from it.

1. A row's key is a UUID made from what the row is in its source, so loading twice gives the same rows.
2. `source` of a row says how much of it is real:

| mark | what it means |
|---|---|
| `completejourney` | products, orders, lines: as the data say |
| `completejourney+made` | a real household with real demographics, whose name, phone and address are made up |
| `made` | companies, people, visits and calls: made up by the seeded generator |
"""

from typing import Final
from uuid import UUID, uuid5

REAL: Final = "completejourney"
REAL_AND_MADE: Final = "completejourney+made"
MADE: Final = "made"

_NAMESPACE: Final = UUID("6b75726f-7368-5f69-8a6f-75726e657900")


def key_of(kind: str, ref: object) -> UUID:
    """The key of the row of this kind that its source calls `ref`."""
    return uuid5(_NAMESPACE, f"{kind}:{ref}")
