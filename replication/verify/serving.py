"""What a site answers of its tables to a peer that compares them with its own: digests and positions, never a value.

Only what the rules let the peer have is in the digests, and only keys of such rows are named.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from replication.core.ranges import Ask, Range, Reply
from replication.errors import UsageError
from replication.postgres.connect import Connection
from replication.verify.between import digests_between, dropped, enlisted, shape_of, vector_of
from replication.verify.parts import Parts
from sitecfg import Config, Site

MOST_ASKS = 32
MOST_PARTS = 64
MOST_ROWS = 200_000
"""That one answer is made from."""
MOST_KEYS = 256

KeyText = Annotated[list[str], Field(min_length=1, max_length=32)]

AskedRange = Annotated[tuple[KeyText | None, KeyText | None, int, int], Field(strict=False)]


class Request(BaseModel):
    """What letters ask: checked, with nothing in it that is not known."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class WantedTable(Request):
    """``table``: is it the same here?"""

    table: tuple[str, str] = Field(strict=False)


class Compared(WantedTable):
    """Which rows and columns of a table are compared."""

    rules: str
    shape: str
    dropped: list[str] = Field(max_length=1600)
    scope: Annotated[int, Field(ge=0)]


class WantedParts(Compared):
    """``parts``: (after, up to, rows a part, parts at most) for each range."""

    asks: list[AskedRange] = Field(max_length=MOST_ASKS)


class WantedStates(Compared):
    """``states``: the digests of the rows with these keys."""

    keys: list[KeyText] = Field(max_length=MOST_KEYS)


class WantedPositions(Request):
    """``positions``: where this site stands."""

    fence: bool


@dataclass(frozen=True, slots=True)
class Tables:
    """The services; for one connection."""

    connection: Connection
    config: Config
    site: Site

    def table(self, _: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """What a table is here."""
        table = enlisted(self.connection, WantedTable.model_validate(body).table)
        return {"shape": shape_of(table), "dropped": sorted(dropped(self.connection, table))}

    def parts(self, peer: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The parts of ranges, as far as they are summed at once."""
        wanted = WantedParts.model_validate(body)
        parts, room, replies = self._compared(peer, wanted), MOST_ROWS, list[Any]()
        for after, upto, rows, most in wanted.asks:
            fits = min(most, MOST_PARTS, max(room // max(rows, 1), 1))
            if not 0 < rows <= MOST_ROWS or fits < 1:
                raise UsageError(f"{rows} rows a part cannot be asked for")
            reply = parts.cut(Ask(Range(_key(after), _key(upto)), rows), fits)
            replies.append(_as_json(reply))
            room -= sum(part.sum.rows for part in reply.parts)
            if room <= 0:
                break
        return {"replies": replies}

    def states(self, peer: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The digests of single rows."""
        wanted = WantedStates.model_validate(body)
        parts = self._compared(peer, wanted)
        return {"states": parts.states([tuple(key) for key in wanted.keys])}

    def positions(self, _: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Where this site stands."""
        wanted = WantedPositions.model_validate(body)
        return vector_of(self.connection, self.site.name, fence=wanted.fence).as_json()

    def _compared(self, peer: str, wanted: Compared) -> Parts:
        rules = self.config.rules
        if wanted.rules != rules.version:
            raise UsageError(
                f"{self.site.name} runs under other rules: it can be compared when both run under the same"
            )
        table = enlisted(self.connection, wanted.table)
        if shape_of(table) != wanted.shape:
            raise UsageError(f"{table} is another table at {self.site.name}: its columns or its key differ")
        scopes = digests_between(table, rules, (self.site.name, peer), tuple(wanted.dropped))
        if wanted.scope >= len(scopes):
            raise UsageError(f"{table} has no scope {wanted.scope}")
        return Parts(self.connection, scopes[wanted.scope])


def _key(texts: list[str] | None) -> tuple[str, ...] | None:
    return None if texts is None else tuple(texts)


def _as_json(reply: Reply) -> list[Any]:
    return [[[list(part.last), *part.sum] for part in reply.parts], reply.is_whole]
