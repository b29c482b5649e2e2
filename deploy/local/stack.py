"""The local sites as one thing: up, down, reset. The command line and the tests use it.

Order: the clusters and brokers together; then databases and roles; then replication and the web nodes'
tables; then daemons and web nodes. Each step is a no-op where it is done already.
"""

import fcntl
import shutil
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from os import kill

from deploy.local import broker_home, contents, credentials, postgres, processes, rabbitmq, watching
from deploy.local.layout import Layout, is_taken, local_of
from deploy.local.programs import DAEMONS, EPMD, INFRASTRUCTURE, WAN, WEB, names, programs
from deploy.local.say import Say, StackError
from deploy.local.supervisor import Supervisor, configure, wait_until
from deploy.local.wan.client import WanClient
from sitecfg import Config, Site

SERVER_SECONDS = 120.0
DAEMON_SECONDS = 120.0
LOCK_HINT = "another command works on these sites; waiting for it"


class Stack:
    """The sites of one configuration on this machine."""

    def __init__(self, config: Config, say: Say | None = None, *, skewed: Iterable[str] = ()) -> None:
        """`skewed` sites read the time through libfaketime (see `Layout.clock`)."""
        self.config = config
        self.layout = Layout(local_of(config).state.resolve())
        self.supervisor = Supervisor(self.layout)
        self._say = say or Say(quiet=True)
        self._skewed = frozenset(skewed)

    @property
    def sites(self) -> list[Site]:
        return list(self.config.sites.values())

    def site(self, name: str) -> Site:
        return self.config.site(name)

    @property
    def watchers(self) -> list[str]:
        """The programs that watch, where something does: the sites go on without them."""
        every = programs(self.config, self.layout, self._skewed)
        return [one.name for one in every if one.name.endswith("-exporter") or one.name in watching.WATCHERS]

    @property
    def wan(self) -> WanClient:
        return WanClient(local_of(self.config).wan_control, self.config.sites)

    def up(self, *, infrastructure_only: bool = False) -> None:
        """Start what does not run, and return when it is ready for work."""
        postgres.check_installed()
        broker_home.check_installed()
        self.layout.make(list(self.config.sites))
        with self._alone():
            self._up_infrastructure()
            if not infrastructure_only:
                self._up_sites()

    def _up_infrastructure(self) -> None:
        credentials.make(self.config, self.layout)
        changed = self._configure()
        if changed and self.supervisor.is_running():
            self._say("the configuration has changed: stopping what runs with the old one")
            self._down()
        redefined = {site.name for site in self.sites if rabbitmq.define(site, self.config, self.layout)}
        is_running = self.supervisor.is_running()
        if not is_running:
            self._start_supervisor()
        self._start_servers()
        if is_running and redefined:
            self._say(f"telling the brokers of {', '.join(sorted(redefined))} who may do what")
            self._at_each_site(lambda site: self._tell(site) if site.name in redefined else None)

    def _configure(self) -> bool:
        broker_home.make(self.layout.broker_home, *rabbitmq.plugins(self.config))
        changed = [configure(self.layout, programs(self.config, self.layout, self._skewed))]
        changed.append(watching.configure(self.config, self.layout))
        for site in self.sites:
            changed.append(postgres.configure(site, self.layout))
            changed.append(rabbitmq.configure(site, self.config, self.layout))
        return any(changed)

    def _start_supervisor(self) -> None:
        orphans = processes.end_all(self.layout.state)
        if orphans:
            self._say(f"ended {orphans} processes whose supervisor had gone")
        self._check_ports()
        self._say("starting the supervisor")
        self.supervisor.start()

    def _check_ports(self) -> None:
        """Say now which port is taken, rather than let a server fail in a loop."""
        ports = list(local_of(self.config).ports.values())
        for site in self.sites:
            ports += [site.database.port, site.broker.port, site.broker.tls_port]
            ports += [peer.port for peer in site.peers.values()]
        taken = [str(port) for port in ports if is_taken(port)]
        if taken:
            raise StackError(f"taken by other programs: port {', '.join(taken)}")

    def _start_servers(self) -> None:
        self._say(f"starting what does not run of PostgreSQL and RabbitMQ of {', '.join(self.config.sites)}")
        self.supervisor.start_programs([EPMD, WAN])
        wait_until("epmd listens", lambda: is_taken(local_of(self.config).epmd_port), DAEMON_SECONDS)
        self.supervisor.start_programs(names(self.config, "broker"))
        self._at_each_site(lambda site: postgres.initialise(site, self.layout))
        self.supervisor.start_programs(names(self.config, "postgres"))
        self._at_each_site(self._provide_database)
        self._say("databases are ready; waiting for the brokers")
        self._at_each_site(self._await_broker)
        self.supervisor.wait_running([EPMD, WAN, *names(self.config, *INFRASTRUCTURE)], DAEMON_SECONDS)

    def _tell(self, site: Site) -> None:
        rabbitmq.tell(site, self.layout, local_of(self.config).epmd_port)

    def _provide_database(self, site: Site) -> None:
        wait_until(f"PostgreSQL of {site.name} answers", lambda: postgres.is_ready(site), SERVER_SECONDS)
        postgres.provide(site, self.layout.secret(f"{site.name}.app"))

    def _await_broker(self, site: Site) -> None:
        wait_until(f"the broker of {site.name} answers", lambda: rabbitmq.is_ready(site), SERVER_SECONDS)

    def _up_sites(self) -> None:
        contents.prepare(self.config, self.layout, self._say)
        wanted = names(self.config, *DAEMONS, *((WEB,) if local_of(self.config).app else ()))
        self._say("starting capture, apply and web nodes" if local_of(self.config).app else "starting capture, apply")
        self.supervisor.start_programs(wanted)
        self.supervisor.wait_running(wanted, DAEMON_SECONDS)
        if local_of(self.config).app:
            self._at_each_site(self._await_web)
        self._start_watching()

    def _start_watching(self) -> None:
        """Last, so that nothing is missed which is only not started yet; nobody waits for it."""
        self.supervisor.start_programs(self.watchers)

    def _await_web(self, site: Site) -> None:
        wait_until(f"the web node of {site.name} answers", lambda: _serves(site), DAEMON_SECONDS)

    def down(self) -> None:
        """Stop everything, also what a supervisor that was killed left behind."""
        if not self.layout.state.exists():
            processes.end_all(self.layout.state)
            return
        self.layout.make([])
        with self._alone():
            self._down()

    def _down(self) -> None:
        if self.supervisor.is_running():
            self._say("stopping daemons and web nodes")
            states = self.supervisor.states()
            servers = {EPMD, WAN, *(name for name in states if name.endswith(INFRASTRUCTURE))}
            self.supervisor.stop_programs(states.keys() - servers)
            self._say("stopping PostgreSQL and RabbitMQ")
            self.supervisor.stop_programs(servers - {EPMD})
            self.supervisor.stop_programs([EPMD])
            self.supervisor.shut_down()
            processes.await_gone(self.layout.state)
        orphans = processes.end_all(self.layout.state)
        self._say(f"stopped, with {orphans} processes whose supervisor had gone" if orphans else "stopped")

    def reset(self) -> None:
        """Stop, and forget everything: data, passwords, keys."""
        self.down()
        if self.layout.state.exists():
            self._say(f"deleting {self.layout.state}")
            shutil.rmtree(self.layout.state)

    def stop(self, *programs: str) -> None:
        """Stop programs that shall not come back by themselves."""
        self.supervisor.stop_programs(programs)

    def start(self, *programs: str) -> None:
        """Start programs that were stopped, and wait until they run."""
        self.supervisor.start_programs(programs)
        self.supervisor.wait_running(programs, DAEMON_SECONDS)

    def kill(self, program: str, number: signal.Signals = signal.SIGKILL) -> int:
        """Signal a program's first process; the supervisor starts again what ends.

        Returns its pid, or 0 when it does not run just now: signalling 0 would reach the caller's own process group.
        """
        pid = self.supervisor.pid(program)
        if pid:
            kill(pid, number)
        return pid

    def _at_each_site(self, step: Callable[[Site], None]) -> None:
        with ThreadPoolExecutor(len(self.sites)) as pool:
            list(pool.map(step, self.sites))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One command at a time works on a state folder."""
        with (self.layout.supervisor / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._say(LOCK_HINT)
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _serves(site: Site) -> bool:
    """Whether the web node answers a page with anything but a fault of its own."""
    try:
        with closing(HTTPConnection(site.web.host, site.web.port, timeout=10)) as connection:
            connection.request("GET", "/")
            return connection.getresponse().status < HTTPStatus.INTERNAL_SERVER_ERROR
    except (OSError, HTTPException):
        return False
