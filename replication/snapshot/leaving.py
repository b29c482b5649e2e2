"""A site leaves for good: the others must have all that it wrote, and then stop waiting for it.

1. While the configuration still names it: it is closed, and every other reads its log to the end. Of a site that is
   lost, what one of them alone has of it is sent to all.
2. When no configuration names it any more, what it said is forgotten: claims, readings, what it had applied, and how
   tables compared with its. Its own position stays: tombstones may need that everybody was behind it.
"""

import time
from collections.abc import Mapping

from replication.core.progress import format_lsn
from replication.errors import TransientError, UsageError
from replication.postgres import closing, verifications
from replication.postgres.connect import Connection

_POLL_SECONDS = 0.2
Sites = Mapping[str, Connection]


def close_for_good(sites: Sites, name: str, patience_seconds: float) -> None:
    """Close a site, and wait until every other has applied all that was written there."""
    state = closing.close(sites[name])
    deadline = time.monotonic() + patience_seconds
    others = {other: connection for other, connection in sites.items() if other != name}
    while behind := [other for other, at in others.items() if closing.known(at).get(name, 0) < state.lsn]:
        if time.monotonic() > deadline:
            raise TransientError(
                f"{', '.join(behind)} has not had all that was written at {name}, up to {format_lsn(state.lsn)}:"
                " heal the lines and run this again"
            )
        time.sleep(_POLL_SECONDS)


def require_unknown(sites: Sites, gone: str) -> None:
    """Raise :class:`UsageError` where a daemon still runs with a configuration that names the site."""
    for name, connection in sites.items():
        row = connection.execute(
            "SELECT EXISTS (SELECT FROM kuroshio.capture WHERE %s = ANY (peers))", (gone,)
        ).fetchone()
        if row == (True,):
            raise UsageError(
                f"capture of {name} still waits for {gone}: take {gone}'s file out of sitecfg there and start the"
                f" daemons of {name} again"
            )
        parked = connection.execute("SELECT count(*) FROM kuroshio.parked WHERE origin = %s", (gone,)).fetchone()
        if parked and int(str(parked[0])):
            raise UsageError(
                f"{name} has set aside {parked[0]} changes of {gone}: settle these first."
                f" Next: python -m replication parked --site {name}, then retry, edit or discard --site {name} ID"
            )


def forget(sites: Sites, gone: str) -> None:
    """Forget what a site said that is not there any more."""
    newest = max((closing.known(connection).get(gone, 0) for connection in sites.values()), default=0)
    for connection in sites.values():
        with connection.transaction():
            verifications.forget(connection, gone)
            connection.execute("DELETE FROM kuroshio.claim WHERE reader = %s", (gone,))
            connection.execute("DELETE FROM kuroshio.reading WHERE origin = %s", (gone,))
            connection.execute("DELETE FROM kuroshio.peer_position WHERE %s IN (reader, origin)", (gone,))
            connection.execute("UPDATE kuroshio.position SET lsn = %s WHERE origin = %s", (format_lsn(newest), gone))
