"""Reading the files: TOML into the shapes, and what could not be read into faults."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from .errors import Fault
from .local import Local
from .rules_file import RulesFile
from .shape_faults import shape_faults
from .site import Site

Shape = TypeVar("Shape", bound=BaseModel)
SYNTAX_PLACE = re.compile(r"(?P<what>.*) \(at (?P<where>.*)\)", re.DOTALL)


@dataclass
class Files:
    """What a directory holds, by file, as far as it could be read.

    `site_names` has every name that some site file claims, also of files with faults, so that
    one fault does not make others.
    """

    sites: dict[str, Site] = field(default_factory=dict)
    rules: dict[str, RulesFile] = field(default_factory=dict)
    local: dict[str, Local] = field(default_factory=dict)
    site_names: set[str] = field(default_factory=set)
    faults: list[Fault] = field(default_factory=list)


def read_files(directory: Path) -> Files:
    """Read a configuration directory; every file is read, whatever is wrong with another."""
    files = Files()
    for path in sorted(directory.glob("sites/*.toml")):
        _read(directory, path, Site, files.sites, files)
    for path in sorted(directory.glob("rules/*.toml")):
        _read(directory, path, RulesFile, files.rules, files)
    if (directory / "local.toml").exists():
        _read(directory, directory / "local.toml", Local, files.local, files)
    if not files.site_names and not files.faults:
        hint = "a configuration directory has sites/*.toml, and may have rules/*.toml"
        files.faults.append(Fault(str(directory), "", "no site files", hint))
    return files


def _read(directory: Path, path: Path, shape: type[Shape], into: dict[str, Shape], files: Files) -> None:
    name = path.relative_to(directory).as_posix()
    document = _toml(path, name, files.faults)
    if shape is Site:
        files.site_names |= {path.stem, str((document or {}).get("name", path.stem))}
    if document is None:
        return
    try:
        into[name] = shape.model_validate(document, context={"directory": directory})
    except ValidationError as error:
        files.faults.extend(shape_faults(name, shape, error))


def _toml(path: Path, name: str, faults: list[Fault]) -> Mapping[str, Any] | None:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        found = SYNTAX_PLACE.fullmatch(str(error))
        what, where = (found["what"], found["where"]) if found else (str(error), "")
        faults.append(Fault(name, where, what, "the file is not TOML: https://toml.io"))
    except UnicodeDecodeError as error:
        faults.append(Fault(name, f"byte {error.start}", "not UTF-8", "save the file as UTF-8"))
    except OSError as error:
        faults.append(Fault(name, "", error.strerror or str(error), "the file must be readable"))
    return None
