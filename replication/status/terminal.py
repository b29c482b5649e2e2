"""Status for a terminal: aligned, coloured where that is wanted, the same words without."""

from collections.abc import Iterator, Sequence

from replication.status.advice import advice
from replication.status.operator import SiteReport, StatusReport
from replication.status.outlook import UNKNOWN, Outlook
from replication.status.views import LinkView

_COLOURS = {"up": "32", "late": "33", "cut": "31", "stopped": "31;1", "unknown": "35"}
_HEAD = ("link", "state", "lag", "changes behind", "WAL behind", "rate", "caught up in", "known")
_SITE_HEAD = ("site", "capture", "apply", "captured", "slot holds", "conflicts", "parked", "set aside", "tombstones")


def render(report: StatusReport, *, colour: bool) -> str:
    """The whole report."""
    lines = [*site_table(report), "", *link_table(report, report.links, colour=colour)]
    lines += ["", "positions (applied up to):", *_positions(report), "", *problems(report)]
    return "\n".join(lines)


def site_table(report: StatusReport) -> Iterator[str]:
    """A line for each site that answered."""
    return _table(_SITE_HEAD, [_site_row(name, site) for name, site in report.sites.items()], {})


def link_table(report: StatusReport, links: Sequence[LinkView], *, colour: bool) -> Iterator[str]:
    """A line for each of these links."""
    rows = [_link_row(link, report.outlooks.get((link.origin, link.reader), UNKNOWN)) for link in links]
    return _table(_HEAD, rows, _COLOURS if colour else {})


def problems(report: StatusReport) -> list[str]:
    """What to do next, or that there is nothing to do."""
    found = [f"! {problem}" for problem in advice(report)]
    return found or ["all links are up"]


def _site_row(name: str, site: SiteReport) -> tuple[str, ...]:
    view, detail = site.view, site.detail
    running = {True: "running", False: str(detail["capture_state"]), None: "not started"}[view.capture_running]
    if view.capture_running is False and running == "running":
        running = "silent"
    return (
        name,
        running,
        {True: "running", False: "silent", None: "not started"}[site.apply_running],
        f"{detail['changes_captured'] or 0:,}",
        _bytes(detail["slot_retained_bytes"]),
        f"{view.conflicts_total or 0:,}",
        f"{view.parked or 0:,}",
        f"{view.set_aside or 0:,}",
        f"{detail['tombstones']:,}",
    )


def _link_row(link: LinkView, outlook: Outlook) -> tuple[str, ...]:
    lag = None if link.state == "unknown" else link.lag_seconds  # what it was then is none now
    return (
        f"{link.origin} -> {link.reader}",
        link.state,
        "-" if lag is None else _seconds(lag),
        "-" if link.backlog_changes is None else f"{link.backlog_changes:,}",
        _bytes(link.backlog_bytes),
        "-" if outlook.rate is None else f"{outlook.rate:,.1f}/s",
        _catching_up(outlook),
        "never" if link.known_seconds is None else f"{_seconds(link.known_seconds)} ago",
    )


def _catching_up(outlook: Outlook) -> str:
    if outlook.grows:
        return "never so"
    if outlook.catch_up_seconds is None:
        return "unknown"
    return _seconds(outlook.catch_up_seconds) if outlook.catch_up_seconds else "-"


def _positions(report: StatusReport) -> Iterator[str]:
    for name, site in report.sites.items():
        for origin, at in site.positions.items():
            place = f"{at['lsn']} of {at['incarnation']}" if at["lsn"] else "nothing yet"
            lane = f", {at['lane']} lane" if at["lane"] else ""
            refused = f", {at['refused']} messages refused" if at["refused"] else ""
            yield f"  {name} has {origin} up to {place}{lane}{refused}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], colours: dict[str, str]) -> Iterator[str]:
    widths = [max(len(row[place]) for row in (head, *rows)) for place in range(len(head))]
    for row in (head, *rows):
        cells = [
            cell.ljust(width) if place < 2 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        if row[1] in colours:
            cells[1] = f"\033[{colours[row[1]]}m{cells[1]}\033[0m"
        yield "  ".join(cells).rstrip()


def _seconds(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _bytes(count: int | None) -> str:
    if count is None:
        return "-"
    size, units = float(count), ["B", "kB", "MB", "GB", "TB"]
    while size >= 1000 and len(units) > 1:
        size, units = size / 1000, units[1:]
    return f"{size:.0f} {units[0]}" if units[0] == "B" else f"{size:.1f} {units[0]}"
