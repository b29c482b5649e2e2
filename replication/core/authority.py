"""Who has authority over a cell that is written, and under which term: pure, as the generated triggers have it.

1. All sites join a cell by its column's one lattice, whoever owns the row and whoever wrote. So a clause for an owner
   or for a writer chooses among the rules that share that lattice (``latest``, ``site``, ``owner``: the greater stamp)
   and says only what a local write does: whether it raises the epoch.
2. A clause for the writer takes the place of the column's rule and of all clauses for owners.
3. The term is the column's, and no clause of a writer's takes it away: where a write of whomever may follow ``owner``,
   all carry the moment of the owner cell that they saw. Else who writes without authority, or with it in everybody's
   rows, would lose against a former owner who does not know of the move (pitfall P4).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple


class Owner(NamedTuple):
    """What a writer sees in the row's owner column: the site, and the moment of that cell; 0: as inserted."""

    site: str
    moment: int = 0


class Standing(NamedTuple):
    """How a site stands to a cell that it writes."""

    rule: str
    """By which it writes: one of the column's lattice."""
    authority: bool
    term: int


@dataclass(frozen=True, slots=True)
class Authority:
    """What the configuration says of one column; ``site`` is who has authority under the rule of that name."""

    rule: str = "latest"
    site: str | None = None
    owned_by: Mapping[str, "Authority"] = field(default_factory=dict)
    written_by: Mapping[str, str] = field(default_factory=dict)
    """Site -> the rule that its own writes follow."""

    def of(self, here: str, owner: Owner) -> Standing:
        """How ``here`` stands to a cell of a row with that owner."""
        ruled = self.owned_by.get(owner.site, replace(self, owned_by={}))
        written = Authority(self.written_by[here], here) if here in self.written_by else ruled
        has = {"site": written.site == here, "owner": owner.site == here}.get(written.rule, False)
        if "owner" not in {ruled.rule, *self.written_by.values()}:
            return Standing(written.rule, has, 0)
        return Standing("owner" if written.rule == "owner" else "site", has, owner.moment)
