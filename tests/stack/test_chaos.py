"""The chaos run itself, for a third of a minute: `make chaos` goes on for as long as one likes."""

from tests.chaos.run import measure


def test_nothing_is_lost_and_all_are_equal_after_a_third_of_a_minute_of_chaos() -> None:
    measured = measure(minutes=0.3, seed=923)
    assert {key: number for key, (number, _) in measured.items() if key != "chaos_max_write_stall_ms"} == {
        "chaos_lost": 0,
        "chaos_divergent": 0,
    }
    [details] = {id(details): details for _, details in measured.values()}.values()
    assert sum(details["faults"].values()) > 5
    assert details["acknowledged"] > 100
