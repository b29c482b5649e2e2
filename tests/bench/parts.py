"""The benchmarks by name: what each measures, at which size, and the keys that it answers for."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.bench import (
    catch_up,
    conflicts,
    fuzz,
    large,
    latency,
    memory,
    page,
    repair,
    simulation,
    stamps,
    thin,
    thin_catch_up,
    write_cost,
)
from tests.bench.figures import Measured
from tests.chaos import run as chaos


@dataclass(frozen=True)
class Part:
    """One benchmark; `size` counts what `unit` says."""

    name: str
    keys: tuple[str, ...]
    measure: Callable[[int], Measured]
    size: int
    unit: str


SHORT = (
    Part("stamps", stamps.KEYS, stamps.measure, stamps.ROWS, "rows"),
    Part("catch-up", catch_up.KEYS, catch_up.measure, catch_up.CHANGES, "changes"),
    Part("latency", latency.KEYS, latency.measure, latency.CHANGES, "changes"),
    Part("thin", thin.KEYS, thin.measure, thin.CHANGES, "changes"),
    Part("write-cost", write_cost.KEYS, write_cost.measure, write_cost.SECONDS, "seconds a run"),
    Part("memory", memory.KEYS, memory.measure, memory.ROWS, "rows"),
    Part("page", page.KEYS, page.measure, page.VISITS, "visits"),
    Part("conflicts", conflicts.KEYS, conflicts.measure, conflicts.CHANGES, "changes"),
)
"""`make bench`: within 30 minutes."""

LONG = (
    Part("catch-up-long", catch_up.LONG_KEYS, catch_up.measure_long, 10 * catch_up.CHANGES, "changes"),
    Part("simulation", simulation.KEYS, simulation.measure, simulation.HISTORIES, "histories"),
    Part(
        "differential",
        simulation.DIFFERENTIAL_KEYS,
        simulation.measure_differential,
        simulation.DIFFERENTIAL,
        "histories",
    ),
    Part(
        "scenarios", simulation.SCENARIO_KEYS, simulation.measure_scenarios, simulation.SCENARIO_ORDERS, "orders a file"
    ),
    Part("repair", repair.KEYS, repair.measure, repair.ROWS, "rows"),
    Part("large-cut", large.CUT_KEYS, large.measure_cut, memory.ROWS, "rows"),
    Part("large-thin", large.THIN_KEYS, large.measure_thin, memory.ROWS, "rows"),
    Part("fuzz", fuzz.KEYS, fuzz.measure, fuzz.INPUTS, "inputs"),
    Part("memory-updates", memory.UPDATE_KEYS, memory.measure_updates, memory.ROWS, "rows"),
    Part("thin-catch-up", thin_catch_up.KEYS, thin_catch_up.measure, thin_catch_up.CUT_SECONDS, "seconds of a cut"),
    Part("chaos", chaos.KEYS, chaos.measure, chaos.MINUTES, "minutes"),
)
"""`make bench-long`: parts that were measured at the present commit are passed over."""
