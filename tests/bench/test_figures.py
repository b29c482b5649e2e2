"""The file of figures: what is measured is merged, what failed is taken out, the rest stays."""

import json
from pathlib import Path

import pytest

from tests.bench.__main__ import run
from tests.bench.figures import META, Figures, commit
from tests.bench.pair import UnequalError
from tests.bench.parts import LONG, SHORT, Part


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "build" / "bench.json"


def failing(size: int) -> dict[str, tuple[float, dict[str, object]]]:
    raise UnequalError(f"{size} rows differ")


def test_figures_of_other_parts_stay_when_one_is_merged(file: Path) -> None:
    Figures(file).put({"first": (1.0, {})}, seconds=1)
    Figures(file).put({"second": (2.34567, {"runs": [2]})}, seconds=1)
    written = json.loads(file.read_text())
    assert (written["first"], written["second"]) == (1.0, 2.346)
    assert written[META]["second"]["runs"] == [2]
    assert written[META]["first"]["commit"] == commit()["commit"]


def test_a_part_whose_sites_are_unequal_leaves_no_figure(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Figures(file).put({"stale": (1.0, {}), "other": (2.0, {})}, seconds=1)
    assert not run(Part("broken", ("stale",), failing, 7, "rows"), 7, Figures(file))
    assert "7 rows differ" in capsys.readouterr().err
    written = json.loads(file.read_text())
    assert written.keys() == {"other", META}
    assert written[META].keys() == {"other"}


def test_a_part_is_known_as_measured_only_with_all_its_keys(file: Path) -> None:
    Figures(file).put({"one": (1.0, {})}, seconds=1)
    assert Figures(file).has(("one",))
    assert not Figures(file).has(("one", "two"))


def test_no_two_parts_answer_for_one_key() -> None:
    keys = [key for part in (*SHORT, *LONG) for key in part.keys]
    assert len(keys) == len(set(keys))
