"""The operator's commands reach each site's own database, or say that they do not."""

from replication.sites import reach
from tests.postgres.servers import Pair, Servers


def test_an_address_that_leads_to_another_site_s_database_is_not_taken_for_its_own(pair: Pair) -> None:
    alpha, beta = pair.config.sites.values()
    astray = beta.model_copy(update={"database": alpha.database})
    with reach([alpha, astray], purpose="test") as reached:
        assert list(reached.connections) == ["alpha"]
        assert dict(reached.unreachable) == {"beta": "the address of its database leads to that of alpha"}


def test_a_database_that_is_not_under_replication_yet_is_reached(servers: Servers) -> None:
    config = servers.database(initialised=False)
    with reach(list(config.sites.values()), purpose="test") as reached:
        assert list(reached.connections) == list(config.sites)
