"""Chance that always falls alike: each thing that is made up has its own, from the seed and its name."""

import random
from typing import Final

SEED: Final = 1


def chance(*names: object) -> random.Random:
    """Chance for one thing, whatever else is made before it."""
    return random.Random(":".join(map(str, (SEED, *names))))  # noqa: S311 (names of sample data, no secret)
