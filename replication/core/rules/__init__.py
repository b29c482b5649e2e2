"""The rules that settle concurrent writes: the closed registry.

Every rule for a cell is a lattice: its join is commutative, associative and idempotent, so that the merged value is a
function of the *set* of writes (invariant 3). The names are declared in :mod:`sitecfg`; a test holds both lists equal.

===================  ================================================================  =====================
rule                 state and join                                                    module
===================  ================================================================  =====================
latest, site, owner  stamp and value; the greater stamp                                :mod:`.ordered`
greatest, least      epoch, value, moment; in this order                               :mod:`.ordered`
frozen               stamp and value; the least stamp of a value                       :mod:`.ordered`
counter              each site's count of changes and their sum; site by site          :mod:`.counter`
set                  each element's additions and the removals that saw them           :mod:`.elements`
append               fragments by moment, and which of them were replaced              :mod:`.fragments`
===================  ================================================================  =====================

A delete carries the stamps that it saw; a write is concurrent with it when its own is above them. ``DELETES`` says when
a row that was deleted lives on.
"""

from collections.abc import Callable, Mapping

from replication.core.rules.cells import NO_PARTS, Cell, Parts, Rule, Write, may_be_written, parts_from_json
from replication.core.rules.counter import COUNTER
from replication.core.rules.elements import SET
from replication.core.rules.fragments import APPEND
from replication.core.rules.ordered import FROZEN, GREATEST, LATEST, LEAST, OWNER, SITE

__all__ = [
    "BY_VALUE",
    "CELL_RULES",
    "DELETES",
    "HAS_PARTS",
    "NO_PARTS",
    "RAISES_EPOCH",
    "Cell",
    "Parts",
    "Rule",
    "Write",
    "may_be_written",
    "parts_from_json",
]

CELL_RULES: Mapping[str, Rule] = {
    "latest": LATEST,
    "site": SITE,
    "owner": OWNER,
    "greatest": GREATEST,
    "least": LEAST,
    "frozen": FROZEN,
    "counter": COUNTER,
    "set": SET,
    "append": APPEND,
}

BY_VALUE = frozenset({"greatest", "least", "frozen"})
"""Rules under which a write with a lesser stamp may win over one with a greater."""

HAS_PARTS = frozenset({"counter", "set", "append"})
"""Rules whose state is more than a stamp and a value."""

RAISES_EPOCH = frozenset({"site", "owner", "greatest", "least"})
"""Rules under which a write may carry an epoch or a term."""

Survives = Callable[[bool, bool], bool]
DELETES: Mapping[str, Survives] = {
    "wins": lambda concurrent, later: False,
    "loses": lambda concurrent, later: concurrent,
    "stamp": lambda concurrent, later: later,
}
"""Delete rule -> does the row live on, given that some write is concurrent with the delete, and that some write is
later than it."""
