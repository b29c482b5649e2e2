"""What monitoring/ holds, taken apart: alarms, paragraphs, cases, and every expression that is asked of Prometheus."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MONITORING = Path(__file__).resolve().parents[2] / "monitoring"
RULES = sorted((MONITORING / "rules").glob("*.yml"))
CASES = sorted((MONITORING / "cases").glob("*.yml"))
DASHBOARDS = sorted((MONITORING / "dashboards").glob("*.json"))
VARIABLES = {"$site": ".*", "$origin": ".*"}


@dataclass(frozen=True)
class Alarm:
    """One alert rule: its text has everything."""

    name: str
    text: str

    def annotation(self, name: str) -> str:
        found = re.search(rf"^ +{name}: (.*)$", self.text, re.MULTILINE)
        assert found, f"{self.name} has no {name}"
        return found[1].strip('"')


def alarms() -> list[Alarm]:
    text = (MONITORING / "rules" / "alerts.yml").read_text()
    parts = re.split(r"^      - alert: ", text, flags=re.MULTILINE)[1:]
    return [Alarm(part.split("\n", 1)[0].strip(), part) for part in parts]


def paragraphs() -> dict[str, str]:
    """By the alarm's name, in one line each."""
    parts = re.split(r"^### ", (MONITORING / "ALERTS.md").read_text(), flags=re.MULTILINE)[1:]
    return {
        name: " ".join(text.split("\n## ")[0].split()) for name, _, text in (part.partition("\n") for part in parts)
    }


def recorded() -> set[str]:
    """What the recording rules make."""
    return {name for path in RULES for name in re.findall(r"record: (\S+)", path.read_text())}


def expressions(path: Path) -> Iterator[str]:
    """Every expression of a file of rules or of a dashboard; a dashboard's variables stand for all."""
    if path.suffix == ".json":
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel["targets"]:
                yield re.sub(r"\$(site|origin)", lambda found: VARIABLES[found[0]], target["expr"])
    else:
        for found in re.finditer(r"^( +)expr: (?:>-\n((?:\1 .*\n)+)|(.*)$)", path.read_text(), re.MULTILINE):
            yield " ".join((found[2] or found[3]).split())


def metrics_in(expression: str) -> set[str]:
    """The names of the metrics that an expression reads."""
    bare = re.sub(r'"[^"]*"', '""', expression)
    bare = re.sub(r"\b(by|on|without|ignoring|group_left|group_right) *\([^)]*\)", " ", bare)
    bare = re.sub(r"\{[^}]*\}|\[[^]]*\]", " ", bare)
    words = re.findall(r"(?<![\w.])[a-zA-Z_][\w:]*\b(?! *\()", bare)
    return {word for word in words if word not in {"and", "or", "unless", "bool", "offset", "by", "on", "Inf"}}
