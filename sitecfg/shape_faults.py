"""Pydantic's errors, told as faults: the key as the file spells it, and a hint for a person."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from .errors import Fault

SECRET_KEYS = frozenset({"password", "passwd", "pass", "secret"})
MESSAGES = {"missing": "missing", "extra_forbidden": "unknown key"}


def shape_faults(file: str, model: type[BaseModel], error: ValidationError) -> Iterator[Fault]:
    """Turn each of Pydantic's errors about a file into a fault."""
    for detail in error.errors(include_url=False):
        location = tuple(part for part in detail["loc"] if part != "[key]")
        yield Fault(file, dotted(location), _message(detail), _hint(model, location, detail))


def dotted(location: tuple[str | int, ...]) -> str:
    """Write a place as TOML writes a key."""
    return ".".join(_part(str(part)) for part in location)


def _part(name: str) -> str:
    bare = name.replace("-", "").replace("_", "").isalnum() and name.isascii()
    return name if bare else f'"{name}"'


def _message(detail: ErrorDetails) -> str:
    return MESSAGES.get(detail["type"]) or detail["msg"]


def _hint(model: type[BaseModel], location: tuple[str | int, ...], detail: ErrorDetails) -> str:
    context: Mapping[str, Any] = detail.get("ctx") or {}
    if "hint" in context:
        return str(context["hint"])
    if detail["type"] == "extra_forbidden":
        return _unknown_key_hint(_table_at(model, location[:-1]), str(location[-1]))
    return _description(model, location)


def _unknown_key_hint(table: type[BaseModel] | None, key: str) -> str:
    known = list(table.model_fields) if table else []
    if key.lower() in SECRET_KEYS:
        return "a password stands in a file of its own: name that file as password_file"
    close = get_close_matches(key, known, n=1)
    return f"did you mean {close[0]}?" if close else f"the keys are {', '.join(known)}"


def _description(model: type[BaseModel], location: tuple[str | int, ...]) -> str:
    """Return what the nearest described field on the way says about itself."""
    for end in range(len(location), 0, -1):
        table = _table_at(model, location[: end - 1])
        field = table.model_fields.get(str(location[end - 1])) if table else None
        if field is not None:
            return field.description or ""
    return ""


def _table_at(model: type[BaseModel], location: tuple[str | int, ...]) -> type[BaseModel] | None:
    """Walk down the shape to the table at a place, if it is one."""
    kind: Any = model
    for part in location:
        if _is_table(kind):
            field = kind.model_fields.get(str(part))
            kind = _unwrapped(field.annotation) if field else None
        elif get_origin(kind) is dict:
            kind = _unwrapped(get_args(kind)[1])
        else:
            return None
    return kind if _is_table(kind) else None


def _is_table(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _unwrapped(kind: Any) -> Any:
    """Take the type out of `Annotated`, and out of `… | None`."""
    if hasattr(kind, "__metadata__"):
        return _unwrapped(get_args(kind)[0])
    options = [option for option in get_args(kind) if option is not NoneType]
    return options[0] if get_origin(kind) in (Union, UnionType) and len(options) == 1 else kind
