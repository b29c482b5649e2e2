"""What to do next about what status shows: one line for each problem, with a command where there is one."""

from collections.abc import Iterator

from replication.status.operator import SiteReport, StatusReport
from replication.status.views import LinkView

_STACK = "`make up` starts what does not run"


def advice(report: StatusReport) -> Iterator[str]:
    """The problems, gravest first."""
    for name, reason in report.unreachable.items():
        yield f"{name} cannot be asked ({reason}): start its PostgreSQL; on the local stack, {_STACK}"
    for name, site in report.sites.items():
        yield from _of_site(name, site)
    for link in report.links:
        if all(name not in report.sites or _runs(report.sites[name]) for name in (link.origin, link.reader)):
            yield from _of_link(link)


def _runs(site: SiteReport) -> bool:
    """Where a daemon does not run, its links are silent for that reason."""
    return bool(site.view.capture_running and site.apply_running)


def _of_site(name: str, site: SiteReport) -> Iterator[str]:
    capture = f"python -m replication capture --site {name}"
    if site.detail["capture_state"] == "fenced":
        yield f"capture of {name} refuses to run: {site.detail['capture_reason']}"
    elif not site.view.capture_running:
        yield f"capture of {name} does not run, so nothing leaves it: see its log, then {capture}; {_STACK}"
    if not site.apply_running:
        apply = f"python -m replication apply --site {name}"
        yield f"apply of {name} does not run, so nothing arrives there: see its log, then {apply}; {_STACK}"
    if site.view.set_aside:
        yield f"{name} could not take {site.view.set_aside} changes: python -m replication verify says which and why"
    if site.view.parked:
        yield f"{site.view.parked} changes wait at {name} for others to arrive: python -m replication verify names them"


def _of_link(link: LinkView) -> Iterator[str]:
    name = f"{link.origin} -> {link.reader}"
    if link.state == "stopped":
        yield f"{name} stopped, nothing was skipped: {link.reason}"
    elif link.state in ("cut", "unknown"):
        yield (
            f"{name} is silent: mend the line (`make wan-heal` for an emulated one),"
            f" or start the broker of {link.origin}; {_STACK}"
        )
    elif link.state == "late":
        yield f"{name} is catching up: python -m replication wait --timeout 60 says when it is done"
