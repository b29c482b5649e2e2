"""Adding a site to those that run, as an operator does."""

from deploy.local.programs import DAEMONS
from tests.stack.proof.sites import Sites

OLD = ("taipei", "kaohsiung")
ADDED = "us"
LIMITS = 'held_wal_bytes = "2MB"'
"""Little, so that a test can pass it."""


def daemons(*sites: str) -> list[str]:
    return [f"{site}-{daemon}" for site in sites for daemon in DAEMONS]


def on_record(sites: Sites, site: str, command: str) -> bool:
    """Does a site know that this was done?"""
    query = "SELECT EXISTS (SELECT FROM kuroshio.request WHERE action = %s AND outcome = 'done' AND asked_by <> '')"
    return bool(sites.value(site, query, (command,)))


def add(sites: Sites) -> str:
    """Add the third site and start its daemons; returns what the command said."""
    added = sites.replication("add-site", ADDED)
    assert added.returncode == 0, added.stdout + added.stderr + sites.logs()
    sites.stack.start(*daemons(ADDED))
    return added.stdout + added.stderr
