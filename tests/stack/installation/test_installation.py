"""The playbook makes two sites of two bare machines; a second run finds nothing to do; an upgrade goes site by site."""

import pytest

from deploy.release import release
from tests.stack.installation.conftest import PROGRAMS, SITES, sql, words
from tests.stack.installation.machine import Machine
from tests.stack.installation.sites import Playbook
from tests.stack.proof.sites import until

EXPOSURE = 20  # in tenths, of systemd's own scale from 0 (nothing may go wrong) to 10


def test_a_dry_run_on_a_bare_machine_says_what_would_be_done_and_does_nothing(
    bare_machines: dict[str, Machine], playbook: Playbook
) -> None:
    counted = playbook.run("--check", "--diff")
    assert all(counted[name]["changed"] > 5 for name in SITES)
    for machine in bare_machines.values():
        assert machine.try_to("ls /opt/kuroshio /etc/kuroshio").stdout == ""


def test_what_is_written_at_one_host_shows_at_the_other(hosts: dict[str, Machine]) -> None:
    taipei, us = hosts.values()
    sql(taipei, "create table public.proof (id int primary key, said text)")
    sql(us, "create table public.proof (id int primary key, said text)")
    for host in (taipei, us):
        host.run(
            "kuroshio replication add-table public.proof --site $(sed -n s/KUROSHIO_SITE=//p /etc/kuroshio/site.env)"
        )
    sql(taipei, "insert into public.proof values (1, '台北')")
    sql(us, "insert into public.proof values (2, 'us')")
    for host in (taipei, us):
        until(
            f"{host.name} has both",
            lambda: sql(host, "select string_agg(said, ' ' order by id) from public.proof") == "台北 us",  # noqa: B023
            30,
            lambda: words(host),  # noqa: B023
        )


def test_a_second_run_changes_nothing(hosts: dict[str, Machine], playbook: Playbook) -> None:
    counted = playbook.run()
    assert playbook.changes == []
    assert {name: (counts["changed"], counts["failed"]) for name, counts in counted.items()} == dict.fromkeys(
        SITES, (0, 0)
    )


def test_a_dry_run_on_an_installed_host_finds_nothing_to_change(hosts: dict[str, Machine], playbook: Playbook) -> None:
    assert {counts["changed"] for counts in playbook.run("--check").values()} == {0}


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_that_is_killed_comes_back(hosts: dict[str, Machine], program: str) -> None:
    host = hosts["us"]
    before = host.run(f"systemctl show --property=MainPID --value {program}").strip()
    host.run(f"kill -KILL {before}")
    until(
        f"{program} is another process",
        lambda: host.run(f"systemctl show --property=MainPID --value {program}").strip() not in ("0", before),
        30,
    )


def test_programs_run_as_a_user_who_may_write_to_their_state_alone(hosts: dict[str, Machine]) -> None:
    host = hosts["taipei"]
    for program in PROGRAMS:
        user = "kuroshio-web\n" if program == "kuroshio-web" else "kuroshio\n"
        assert host.run(f"stat -c %U /proc/$(systemctl show --property=MainPID --value {program})") == user
    tried = "for f in /etc/kuroshio/x /opt/kuroshio/current/x /tmp/x /var/lib/kuroshio/x; do touch $f && echo $f; done"
    properties = host.run("systemctl show kuroshio-web --property=ProtectSystem --property=NoNewPrivileges")
    assert "strict" in properties
    assert "NoNewPrivileges=yes" in properties
    done = host.try_to(
        "systemd-run --quiet --pipe --wait --property=User=kuroshio --property=ProtectSystem=strict"
        f" --property=ReadWritePaths=/var/lib/kuroshio --property=PrivateTmp=yes sh -c '{tried}' 2>/dev/null"
    )
    assert done.stdout.split() == ["/tmp/x", "/var/lib/kuroshio/x"]


def test_secrets_are_read_by_the_site_s_user_alone(hosts: dict[str, Machine]) -> None:
    for host in hosts.values():
        modes = host.run(
            "find /etc/kuroshio/secrets /var/lib/kuroshio/keys -type f"
            " ! -name '*.pub' ! -name incarnation -printf '%m %u %f\\n'"
        )
        assert modes.count("600 kuroshio ") == len(modes.splitlines()) > 5
        for user, secret in (
            ("postgres", "/etc/kuroshio/secrets/broker"),
            ("kuroshio-web", "/etc/kuroshio/secrets/database"),
            ("kuroshio-web", "/var/lib/kuroshio/keys/tls.pem"),
            ("kuroshio", "/var/lib/kuroshio-web/django.key"),
        ):
            host.run(f"test -f {secret}")
            assert host.try_to(f"runuser -u {user} -- cat {secret}").returncode != 0


def test_a_user_whom_no_site_file_names_is_gone_from_the_broker(hosts: dict[str, Machine], playbook: Playbook) -> None:
    host = hosts["taipei"]
    host.run("rabbitmqctl --quiet add_user paris paris-was-a-site")
    playbook.run("--limit", "taipei")
    assert "paris" not in host.run("rabbitmqctl --quiet list_users")


def test_a_password_is_another_once_its_file_was_removed(hosts: dict[str, Machine], playbook: Playbook) -> None:
    """A role's, the administrator's, and that of a peer's user at the broker, which goes to the peer."""
    taipei, us = hosts["taipei"], hosts["us"]
    secrets = "/etc/kuroshio/secrets"
    before = taipei.run(f"cat {secrets}/database {secrets}/database.apply {secrets}/taipei.us").split()
    taipei.run(f"rm {secrets}/database {secrets}/database.apply {secrets}/taipei.us")
    playbook.run()
    after = taipei.run(f"cat {secrets}/database {secrets}/database.apply {secrets}/taipei.us").split()
    assert not set(before) & set(after)
    assert us.run(f"cat {secrets}/taipei.us").strip() == after[2]
    sql(taipei, "insert into public.proof values (-1, 'after')")
    sql(us, "insert into public.proof values (-2, 'after')")
    for host in hosts.values():
        until("both show both", lambda: sql(host, "select count(*) from public.proof where id < 0") == "2", 60)  # noqa: B023


def test_the_web_node_answers_and_the_firewall_lets_in_who_may(hosts: dict[str, Machine]) -> None:
    taipei, us = hosts["taipei"], hosts["us"]
    until(
        "the web node answers", lambda: status_of(taipei, "http://127.0.0.1:8000/") == "302", 60, lambda: words(taipei)
    )
    assert opens(us, taipei.address, 5671), "a peer does not reach the broker"
    for port in (5432, 5672, 8000, 9101, 4369, 25672):
        assert not opens(us, taipei.address, port), f"port {port} is open to a peer"


def status_of(host: Machine, url: str) -> str:
    return host.try_to(f"curl --silent --output /dev/null --write-out '%{{http_code}}' {url}").stdout


def opens(host: Machine, address: str, port: int) -> bool:
    return host.try_to(f"timeout 2 bash -c '</dev/tcp/{address}/{port}'").returncode == 0


def test_an_upgrade_lays_the_new_release_beside_the_old_one_and_goes_site_by_site(
    hosts: dict[str, Machine], playbook: Playbook
) -> None:
    """One site runs the new release, the other still the old one, and what either writes arrives."""
    newer = release("tested-next")
    playbook.run("--limit", "us", "--extra-vars", f"kuroshio_release={newer}")
    assert hosts["us"].run("readlink /opt/kuroshio/current").strip() == "releases/kuroshio-tested-next"
    assert hosts["taipei"].run("readlink /opt/kuroshio/current").strip() == "releases/kuroshio-tested"
    sql(hosts["us"], "insert into public.proof values (3, 'next')")
    sql(hosts["taipei"], "insert into public.proof values (4, 'before')")
    for host in hosts.values():
        until("both show both", lambda: sql(host, "select count(*) from public.proof where id > 2") == "2", 30)  # noqa: B023
    assert hosts["us"].run("ls /opt/kuroshio/releases").split() == ["kuroshio-tested", "kuroshio-tested-next"]


def test_systemd_finds_nothing_wrong_with_the_units_and_holds_them_for_safe(hosts: dict[str, Machine]) -> None:
    units = " ".join(f"{program}.service" for program in PROGRAMS)
    assert hosts["us"].try_to(f"systemd-analyze verify {units} kuroshio_backup_full.timer 2>&1").stdout == ""
    hosts["us"].run(f"systemd-analyze security --threshold={EXPOSURE} {units}")
