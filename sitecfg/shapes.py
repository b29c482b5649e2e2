"""The parts that the files' shapes share: strict tables, ports, names, paths."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictInt,
    StrictStr,
    ValidationInfo,
)
from pydantic_core import PydanticCustomError

LOOPBACK = "127.0.0.1"
NAME = r"[a-z][a-z0-9_]{0,30}"


class Table(BaseModel):
    """A TOML table: no unknown keys, no change after it was read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def refuse(message: str, hint: str) -> PydanticCustomError:
    """Make the error by which a validator refuses a value."""
    return PydanticCustomError("refused", "{reason}", {"reason": message, "hint": hint})


def _below_directory(path: Path, info: ValidationInfo) -> Path:
    """Resolve a path of the files: relative ones start at the configuration directory."""
    context: Mapping[str, Path] = info.context or {}
    return (context["directory"] / path).resolve()


def _text(value: Any) -> Any:
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise refuse("not a path", "a path in quotes, relative to the configuration directory")
    return value


def as_tuple(value: Any) -> Any:
    """Take TOML's arrays for tuples, which do not change."""
    return tuple(value) if isinstance(value, list) else value


def _no_space(value: str) -> str:
    if not value or any(character.isspace() or character in "/@" for character in value):
        raise refuse(f"{value!r} is not a host", "a host name or an address, without a port")
    return value


Port = Annotated[StrictInt, Field(ge=1, le=65535)]
Host = Annotated[StrictStr, AfterValidator(_no_space)]
SiteName = Annotated[StrictStr, Field(pattern=f"^{NAME}$")]
PathBelow = Annotated[Path, BeforeValidator(_text), AfterValidator(_below_directory)]
Text = Annotated[StrictStr, Field(min_length=1)]
Texts = Annotated[tuple[Text, ...], BeforeValidator(as_tuple), Field(min_length=1)]
