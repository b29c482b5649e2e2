"""What replication costs a local writer: pgbench inserts and updates on a table with trigger and column as shipped,
against the same table without, in one database that has the slot. Overhead is the time that a transaction takes longer.
"""

import os
import re
import subprocess
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from psycopg.conninfo import conninfo_to_dict

from deploy.local.postgres import BIN
from tests.bench import backlog
from tests.bench.figures import Measured, median_of
from tests.bench.pair import Pair, running_pair

PAIRS = 7
SECONDS = 20
CAPTURING_PAIRS = 3
CLIENTS = 4
ROWS = 50_000
PLAIN, SHIPPED = "customer_plain", "customer"

KEYS = ("write_overhead", "write_overhead_capturing")

FILL = """insert into {table} (id, name, phone, credit, tags, note)
  select md5(number::text)::uuid, '陳志明' || number, '+886-2-' || number, number, %s, %s
    from generate_series(1, %s) as number"""
INSERT = f"""insert into {{table}} (name, phone, credit, tags, note) values ('陳志明' || (random() * 100000)::int,
  '+886-2-' || (random() * 10000000)::int, (random() * 1000000)::int, '{{{backlog.TAGS}}}', '{backlog.NOTE}');
"""
UPDATE = f"""\\set row random(1, {ROWS})
update {{table}} set phone = '+886-2-' || (random() * 10000000)::int, updated = now() where id = md5(:row::text)::uuid;
"""


def measure(seconds: int = SECONDS) -> Measured:
    """Alternate the two tables with capture stopped; then again, the shipped one with capture running."""
    with running_pair() as pair, TemporaryDirectory() as folder:
        _make_tables(pair)
        pair.stop_daemons()
        bench = Writers(pair, Path(folder), seconds)
        quiet = [bench.overhead(SHIPPED if turn % 2 else PLAIN) for turn in range(PAIRS)]
        capturing = [_overhead_capturing(pair, bench) for _ in range(CAPTURING_PAIRS)]
        pair.start_daemons()
        pair.settle()
        pair.verify()
    details = {"seconds": seconds, "clients": CLIENTS, "transactions_per_s": bench.medians()}
    return {
        "write_overhead": median_of(quiet, details),
        "write_overhead_capturing": median_of(capturing, details),
    }


def _make_tables(pair: Pair) -> None:
    pair.create(SHIPPED)
    backlog.create(pair.at_origin, PLAIN)
    for table in (PLAIN, SHIPPED):
        pair.at_origin.execute(FILL.format(table=table), (backlog.TAGS, backlog.NOTE, ROWS))
        pair.at_origin.execute(f"vacuum analyze {table}")
    pair.settle()


class Writers:
    """pgbench at the origin."""

    def __init__(self, pair: Pair, folder: Path, seconds: int) -> None:
        self._pair = pair
        self._folder = folder
        self._seconds = seconds
        self._rates: dict[str, list[float]] = {PLAIN: [], SHIPPED: []}

    def overhead(self, first: str) -> float:
        """One pair of runs, beginning with this table."""
        rates = {table: self.rate(table) for table in (first, *({PLAIN, SHIPPED} - {first}))}
        for table, rate in rates.items():
            self._rates[table].append(rate)
        return rates[PLAIN] / rates[SHIPPED] - 1

    def rate(self, table: str) -> float:
        """Transactions a second of half inserts, half updates."""
        self._pair.at_origin.execute("checkpoint")
        command = [str(BIN / "pgbench"), "--no-vacuum", "--protocol=prepared", f"--time={self._seconds}"]
        command += [f"--client={CLIENTS}", "--jobs=2", *self._scripts(table)]
        done = subprocess.run(command, env=self._environment(), capture_output=True, text=True, check=True)
        return float(re.search(r"^tps = ([0-9.]+)", done.stdout, re.MULTILINE)[1])  # type: ignore[index]

    def medians(self) -> dict[str, int]:
        """Each table's median rate."""
        return {table: round(median(rates)) for table, rates in self._rates.items()}

    def _scripts(self, table: str) -> list[str]:
        options = []
        for name, text in (("insert", INSERT), ("update", UPDATE)):
            script = self._folder / f"{name}-{table}.sql"
            script.write_text(text.format(table=table))
            options.append(f"--file={script}@1")
        return options

    def _environment(self) -> dict[str, str]:
        database = self._pair.origin.database
        return {
            **os.environ,
            "PGHOST": database.host,
            "PGPORT": str(database.port),
            "PGDATABASE": database.name,
            "PGUSER": database.user,
            "PGPASSWORD": str(conninfo_to_dict(self._pair.origin.dsn())["password"]),
        }


def _overhead_capturing(pair: Pair, bench: Writers) -> float:
    """The plain table alone, against the shipped one while the origin's capture reads what is written."""
    plain = bench.rate(PLAIN)
    capture = f"{pair.origin.name}-capture"
    pair.stack.start(capture)
    pair.await_captured()
    shipped = bench.rate(SHIPPED)
    pair.stack.stop(capture)
    return plain / shipped - 1
