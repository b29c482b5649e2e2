"""pgbench's TPC-B: each site moves money in its own branches; every site's books balance, at every moment."""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deploy.local.postgres import BIN
from deploy.local.wan.client import Lines
from tests.stack.proof.sites import Sites

TABLES = ("bank.branches", "bank.tellers", "bank.accounts", "bank.history")
ACCOUNTS, TELLERS = 500, 10
TRANSACTIONS, CLIENTS = 150, 2

SCHEMA = f"""
CREATE SCHEMA bank;
CREATE TABLE bank.branches (bid int PRIMARY KEY, bbalance int NOT NULL, filler char(88));
CREATE TABLE bank.tellers (tid int PRIMARY KEY, bid int NOT NULL, tbalance int NOT NULL, filler char(84));
CREATE TABLE bank.accounts (aid int PRIMARY KEY, bid int NOT NULL, abalance int NOT NULL, filler char(84));
CREATE TABLE bank.history (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tid int, bid int, aid int, delta int,
  mtime timestamp, filler char(22));
INSERT INTO bank.branches SELECT g, 0 FROM generate_series(1, 4) g;
INSERT INTO bank.tellers SELECT g, (g - 1) / {TELLERS} + 1, 0 FROM generate_series(1, 4 * {TELLERS}) g;
INSERT INTO bank.accounts SELECT g, (g - 1) / {ACCOUNTS} + 1, 0, '' FROM generate_series(1, 4 * {ACCOUNTS}) g"""

TPC_B = f"""
\\set aid random(1 + {ACCOUNTS} * (:branch - 1), {ACCOUNTS} * :branch)
\\set tid random(1 + {TELLERS} * (:branch - 1), {TELLERS} * :branch)
\\set delta random(-5000, 5000)
BEGIN;
UPDATE bank.accounts SET abalance = abalance + :delta WHERE aid = :aid;
SELECT abalance FROM bank.accounts WHERE aid = :aid;
UPDATE bank.tellers SET tbalance = tbalance + :delta WHERE tid = :tid;
UPDATE bank.branches SET bbalance = bbalance + :delta WHERE bid = :branch;
INSERT INTO bank.history (tid, bid, aid, delta, mtime) VALUES (:tid, :branch, :aid, :delta, CURRENT_TIMESTAMP);
END;
"""

BALANCES = """
SELECT b.bid, bbalance,
       (SELECT sum(tbalance) FROM bank.tellers t WHERE t.bid = b.bid),
       (SELECT sum(abalance) FROM bank.accounts a WHERE a.bid = b.bid),
       coalesce((SELECT sum(delta) FROM bank.history h WHERE h.bid = b.bid), 0)
  FROM bank.branches b ORDER BY 1"""


@pytest.fixture(scope="module")
def bank(four_sites: Sites) -> tuple[str, ...]:
    """The tables are loaded alike at every site before they are put under replication."""
    four_sites.everywhere(SCHEMA)
    four_sites.add_tables(*TABLES)
    return TABLES


def pgbench(sites: Sites, site: str, script: Path) -> None:
    branch = sites.names.index(site) + 1
    command = [str(BIN / "pgbench"), "--no-vacuum", f"--define=branch={branch}", f"--file={script}"]
    command += [f"--client={CLIENTS}", f"--transactions={TRANSACTIONS}", sites.stack.site(site).dsn()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def unbalanced(sites: Sites, site: str) -> list[tuple[object, ...]]:
    """Branches whose four sums differ, read in one snapshot."""
    return [row for row in sites.run(site, BALANCES) if len(set(row[1:])) > 1]


def test_every_site_s_books_balance_at_every_moment_and_agree_in_the_end(
    sites: Sites, bank: tuple[str, ...], tmp_path: Path
) -> None:
    script = tmp_path / "tpc-b.sql"
    script.write_text(TPC_B)
    looks = 0
    with ThreadPoolExecutor(len(sites.names)) as pool:
        runs = [pool.submit(pgbench, sites, site, script) for site in sites.names]
        sites.stack.wan.cut(Lines(site="us", peer="taipei"))
        sites.stack.kill("shanghai-apply")
        while not all(run.done() for run in runs):
            for site in sites.names:
                assert unbalanced(sites, site) == [], f"part of a transaction is visible at {site}"
            looks += 1
        sites.stack.wan.heal()
    for run in runs:
        run.result()
    sites.converge(*bank)
    assert looks > 3
    for site in sites.names:
        assert unbalanced(sites, site) == []
        assert sites.value(site, "SELECT count(*) FROM bank.history") == 4 * TRANSACTIONS * CLIENTS
        assert sites.value(site, "SELECT count(*) FROM bank.branches WHERE bbalance <> 0") > 2
