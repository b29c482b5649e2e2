"""Which PostgreSQL types a column under each rule may have."""

import re
from collections.abc import Mapping
from types import MappingProxyType

_EXACT = frozenset({"smallint", "integer", "bigint", "numeric(p,s)"})
_TIMES = frozenset(
    {"date"} | {f"timestamp{precision} {zone} time zone" for precision in ("", "(n)") for zone in ("with", "without")}
)
_ORDERED = _EXACT | _TIMES
_ELEMENTS = ("text", "character varying", "character varying(n)", "integer", "bigint", "uuid")

# Rule -> type names as format_type gives them, with n, p and s for its numbers; None: any type. A numeric counter needs
# a scale, so that all sites show one sum alike. What is appended has no bound on its length, which two additions that
# fit one by one would break together.
CARRIABLE: Mapping[str, frozenset[str] | None] = MappingProxyType(
    {
        "latest": None,
        "site": None,
        "owner": None,
        "counter": _EXACT,
        "set": frozenset(f"{element}[]" for element in _ELEMENTS),
        "append": frozenset({"text", "character varying"}),
        "greatest": _ORDERED,
        "least": _ORDERED,
        "frozen": None,
    }
)
# What a marked substitute, a hash or a part can stand in; citext by whatever schema it is in.
_TEXT = re.compile(r"text|character varying(\(n\))?|(.*\.)?citext")


def can_carry(rule: str, type_name: str) -> bool:
    """Say whether a column of a type, as format_type spells it, can follow a rule."""
    carriable = CARRIABLE[rule]
    return carriable is None or _shape(type_name) in carriable


def is_text(type_name: str) -> bool:
    """Say whether a type takes any text."""
    return _TEXT.fullmatch(_shape(type_name)) is not None


def _shape(type_name: str) -> str:
    with_scale = re.sub(r"\(\d+,-?\d+\)", "(p,s)", type_name)
    return re.sub(r"\(\d+\)", "(n)", with_scale)
