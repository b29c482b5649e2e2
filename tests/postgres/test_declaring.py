"""A site is seeded only when all that run count it: what they were started with says so, not what they ever knew."""

import pytest

from replication.errors import UsageError
from replication.postgres import applying, capturing
from replication.postgres.applying import Reading
from replication.snapshot.joining import require_declared
from tests.postgres.servers import Pair


def test_a_declaration_that_was_taken_back_does_not_count(pair: Pair) -> None:
    capturing.record_start(pair.alpha, "", ["beta", "gamma"])
    applying.know_sites(pair.alpha, {"alpha": 1, "beta": 2, "gamma": 3})
    applying.save_reading(pair.alpha, Reading("gamma"))
    require_declared({"alpha": pair.alpha}, "gamma")
    applying.know_sites(pair.alpha, {"alpha": 1, "beta": 2})
    with pytest.raises(UsageError, match="apply of alpha does not know gamma"):
        require_declared({"alpha": pair.alpha}, "gamma")
    capturing.record_start(pair.alpha, "", ["beta"])
    with pytest.raises(UsageError, match="capture of alpha does not know gamma"):
        require_declared({"alpha": pair.alpha}, "gamma")
