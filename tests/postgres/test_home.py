"""What uses the files beside a site's keys is refused on another site's host, before anything is touched."""

from argparse import Namespace
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from replication.commands import add_site, rejoin
from replication.errors import UsageError
from replication.initialising import initialise_site
from replication.keys import kept_incarnations
from replication.postgres import closing
from replication.snapshot.taking import take
from sitecfg import Config
from tests.postgres.servers import Pair


def on_alpha_s_host(pair: Pair) -> Config:
    """The configuration as it is there: the same paths everywhere, and the databases' addresses through tunnels."""
    alpha, beta = pair.config.sites.values()
    astray = beta.model_copy(update={"keys": alpha.keys})
    return replace(pair.config, sites={"alpha": alpha, "beta": astray})


@pytest.mark.parametrize(
    "work",
    [
        lambda config, _: rejoin.run(config, Namespace(name="beta", donor=None, file=None, timeout=1.0)),
        lambda config, _: add_site.run(config, Namespace(name="alpha", donor="beta", timeout=1.0)),
        lambda config, _: initialise_site(config.site("beta")),
        lambda config, folder: take(config, config.site("beta"), folder / "file", lambda _: None),
    ],
    ids=["rejoin", "add-site", "init", "snapshot"],
)
def test_it_is_refused_and_nothing_is_touched(
    pair: Pair, tmp_path: Path, work: Callable[[Config, Path], object]
) -> None:
    kept = kept_incarnations(pair.config.site("alpha"))
    with pytest.raises(UsageError, match="run it on beta's own host"):
        work(on_alpha_s_host(pair), tmp_path)
    assert kept_incarnations(pair.config.site("alpha")) == kept
    assert closing.closed(pair.beta) is None
    assert not list(tmp_path.iterdir())
