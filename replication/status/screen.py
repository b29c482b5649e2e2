"""Status as one screen that is drawn again and again, as ``top`` does: the links that need somebody first, and no line
that the terminal has no room for."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from replication.status.operator import StatusReport
from replication.status.terminal import link_table, problems, site_table
from replication.status.views import LinkView, State

HOME, CLEAR_LINE, CLEAR_BELOW = "\033[H", "\033[K", "\033[J"

_GRAVEST: Sequence[State] = ("stopped", "cut", "unknown", "late", "up")
_COLOUR = re.compile(r"\033\[[\d;]*m")


def draw(report: StatusReport, *, columns: int, rows: int, colour: bool) -> str:
    """The screen, over what was there before: nothing flickers."""
    lines = [*_lines(report, colour=colour)]
    if len(lines) > rows - 1:
        left_out = len(lines) - rows + 2
        lines = [*lines[: rows - 2], f"and {left_out} lines more: python -m replication status"]
    return HOME + "".join(f"{clip(line, columns)}{CLEAR_LINE}\n" for line in lines) + CLEAR_BELOW


def _lines(report: StatusReport, *, colour: bool) -> Iterator[str]:
    yield summary(report)
    yield from ("", *problems(report), "")
    yield from link_table(report, _gravest_first(report.links), colour=colour)
    yield ""
    yield from site_table(report)


def summary(report: StatusReport) -> str:
    """The whole in one line, with the time of the figures."""
    counts = Counter(link.state for link in report.links)
    states = ", ".join(f"{counts[state]} {state}" for state in reversed(_GRAVEST) if counts[state])
    when = f"{report.now:%Y-%m-%d %H:%M:%S} UTC" if report.now else "now"
    sites = len(report.sites) + len(report.unreachable)
    return f"{when}: {len(report.sites)} of {sites} sites answer; links: {states or 'none'}"


def _gravest_first(links: Sequence[LinkView]) -> list[LinkView]:
    return sorted(links, key=lambda link: (_GRAVEST.index(link.state), -(link.backlog_changes or 0)))


def clip(line: str, columns: int) -> str:
    """The line's first columns; what colours it takes no room, and ends with it."""
    if len(_COLOUR.sub("", line)) <= columns:
        return line
    shown, place, end = 0, 0, 0
    for mark in _COLOUR.finditer(line):
        if shown + mark.start() - place >= columns:
            break
        shown, place, end = shown + mark.start() - place, mark.end(), mark.end()
    cut = line[: end + columns - shown]
    return cut + "\033[0m" if _COLOUR.search(cut) else cut
