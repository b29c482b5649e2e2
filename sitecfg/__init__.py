"""What a site is, and what the rules are: the one place that says so, for all programs.

A configuration is a directory: `sites/*.toml`, `rules/*.toml`, and `local.toml` where all sites
run on one machine. `load` checks it as a whole before anything connects and raises `ConfigError`
with every fault at once. Relative paths in the files start at that directory. Passwords stand in
files of their own, which are opened only when an address is asked for.

`sitecfg.database.check` compares the rules with what the sites' databases have.

`sitecfg.example.write` makes a private configuration of any number of sites, for tests.
"""

from .carriable import CARRIABLE, can_carry, is_text
from .config import Config, load
from .errors import ConfigError, Fault
from .local import Local
from .rules import ColumnRule, Mask, Rules, Share, TableRules, UniqueRule
from .site import Broker, Database, Keys, Limits, Metrics, Peer, Site, Web

__all__ = [
    "CARRIABLE",
    "Broker",
    "ColumnRule",
    "Config",
    "ConfigError",
    "Database",
    "Fault",
    "Keys",
    "Limits",
    "Local",
    "Mask",
    "Metrics",
    "Peer",
    "Rules",
    "Share",
    "Site",
    "TableRules",
    "UniqueRule",
    "Web",
    "can_carry",
    "is_text",
    "load",
]
