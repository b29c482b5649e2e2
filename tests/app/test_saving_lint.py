"""No bare `save()`: it writes every column, and with it what a peer changed meanwhile (P7)."""

import ast
from collections.abc import Iterator
from pathlib import Path

import crm

CODE = Path(crm.__file__).parent
NEVER = {"save_base", "bulk_update"}


def bare_saves(source: str) -> Iterator[int]:
    """The lines that save a row without naming its columns."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        named = {keyword.arg for keyword in node.keywords}
        if node.func.attr == "save" and not named & {"update_fields", "force_insert"}:
            yield node.lineno
        if node.func.attr in NEVER | {"update_or_create"}:
            yield node.lineno


def test_nothing_in_the_application_saves_whole_rows() -> None:
    found = [f"{path.relative_to(CODE)}:{line}" for path in CODE.rglob("*.py") for line in bare_saves(path.read_text())]
    assert found == []


def test_the_lint_catches_what_it_is_for() -> None:
    assert list(bare_saves("row.save()")) == [1]
    assert list(bare_saves("Row.objects.update_or_create(pk=1)")) == [1]
    assert list(bare_saves("row.save(update_fields=['name'])")) == []
