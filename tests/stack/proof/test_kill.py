"""Kill -9 at random points under load: nothing acknowledged is lost, and all sites are equal in the end."""

import random
import threading
from collections import Counter

from deploy.local.stack import Stack
from tests.stack.proof.load import TABLE, load, make_table
from tests.stack.proof.sites import Sites, until

SEED = 20260601
KILLS = {"capture": 30, "apply": 30, "postgres": 30, "broker": 10}
LONGEST_LIFE_SECONDS = 1.5
"""A program is killed at a random moment within this time of its start: while it starts, catches up, or is at rest."""


class Killer(threading.Thread):
    """Kills one kind of program again and again, at a site chosen anew each time."""

    def __init__(self, stack: Stack, kind: str, names: list[str]) -> None:
        super().__init__(name=f"killer of {kind}", daemon=True)
        self._stack, self._kind, self._names = stack, kind, names
        self._random = random.Random(f"{SEED} {kind}")
        self.killed: Counter[str] = Counter()
        self.fault: BaseException | None = None

    def run(self) -> None:
        pause = threading.Event()
        try:
            for _ in range(KILLS[self._kind]):
                program = f"{self._random.choice(self._names)}-{self._kind}"
                until(f"{program} is started", lambda: self._stack.supervisor.pid(program))  # noqa: B023
                pause.wait(self._random.random() * LONGEST_LIFE_SECONDS)
                before = until(f"{program} is killed", lambda: self._stack.kill(program))  # noqa: B023
                until(f"{program} is another", lambda: self._stack.supervisor.pid(program) not in (0, before))  # noqa: B023
                self.killed[program] += 1
        except BaseException as fault:  # noqa: BLE001  the test raises it
            self.fault = fault


def test_nothing_is_lost_and_all_are_equal_wherever_programs_are_killed(sites: Sites) -> None:
    make_table(sites)
    killers = [Killer(sites.stack, kind, sites.names) for kind in KILLS]
    with load(sites, SEED) as running:
        for killer in killers:
            killer.start()
        for killer in killers:
            killer.join(300)
    for killer in killers:
        assert killer.fault is None, f"{killer.name}: {killer.fault!r}"
    assert {killer.name.split()[-1]: killer.killed.total() for killer in killers} == KILLS
    assert sum(user.failures for user in running.users.values()) > 10, "no user noticed a killed PostgreSQL"
    sites.converge(TABLE, seconds=120)
    running.require_kept(least=300)
