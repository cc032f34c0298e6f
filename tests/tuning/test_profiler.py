from __future__ import annotations

import pytest

from counterpoint.costs.store import Store
from counterpoint.measure.sampling import SamplingSettings
from counterpoint.tuning.profiler import Profiler, _cuts, _line, _runs, _spread, crossing_bytes
from counterpoint.tuning.subject import subject_of
from tests.tuning.small_network import CHANNELS, EDGE, small_network
from tests.tuning.wrapped_engine import WrappedEngine, machine

QUICK = SamplingSettings(warmup_ns=0, budget_ns=2_000_000, min_count=3, max_count=5)


def profiler(store: Store, *engines: WrappedEngine) -> Profiler:
    platform, by_name = machine(*engines)
    return Profiler(small_network(), platform, by_name, store, settings=QUICK)


def test_every_layer_has_a_cost_and_they_add_up_to_the_whole() -> None:
    store = Store.in_memory()
    meter = profiler(store, WrappedEngine("a"))
    (unit,) = meter.platform.units
    profile = meter.unit_profile(unit)
    assert profile.ranges == ((0, 5),)
    assert set(profile.layer_ns) == set(range(5))
    inside = profile.range_ns[0] - profile.costs.entry_ns
    assert sum(profile.layer_ns.values()) == pytest.approx(inside, abs=5)
    table = meter.table([unit])
    assert [row[0] for row in table.layer_ns] == [profile.layer_ns[i] for i in range(5)]


def test_what_is_in_the_store_is_not_measured_again() -> None:
    store = Store.in_memory()
    first = WrappedEngine("a")
    before = profiler(store, first)
    table = before.table(before.platform.units)
    again = WrappedEngine("a")
    after = profiler(store, again)
    assert after.table(after.platform.units) == table
    assert first.compiled
    assert not again.compiled


def test_an_interrupted_profile_goes_on_where_it_stopped() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    store = Store.in_memory()
    a, b = WrappedEngine("a"), WrappedEngine("b", before=interrupt)
    meter = profiler(store, a, b)
    with pytest.raises(KeyboardInterrupt):
        meter.table(meter.platform.units)
    b.before = lambda: None
    a.compiled.clear()
    meter.table(meter.platform.units)
    assert not a.compiled
    assert b.compiled


def test_refused_layers_split_the_range_and_keep_their_reason() -> None:
    engine = WrappedEngine("a", refuse=lambda x: "no thirds" if x.name == "conv2" else None)
    meter = profiler(Store.in_memory(), engine)
    (unit,) = meter.platform.units
    profile = meter.unit_profile(unit)
    assert profile.ranges == ((0, 2), (3, 5))
    assert profile.refusals == {2: "no thirds"}
    table = meter.table([unit])
    assert table.layer_ns[2] == (None,)
    assert table.refusals == {(2, 0): "no thirds"}


def test_a_layer_that_does_not_compile_is_found_and_refused_alone() -> None:
    meter = profiler(Store.in_memory(), WrappedEngine("a", breaks_on="conv3"))
    (unit,) = meter.platform.units
    profile = meter.unit_profile(unit)
    assert set(profile.refusals) == {3}
    assert "chokes on conv3" in profile.refusals[3]
    assert set(profile.layer_ns) == {0, 1, 2, 4}


def test_cuts_lie_where_least_and_most_bytes_cross() -> None:
    network = small_network()
    sizes = [crossing_bytes(network, (0, 5), cut) for cut in range(1, 5)]
    tensor = CHANNELS * EDGE * EDGE * 4
    assert sizes == [tensor, tensor, 2 * tensor, tensor]  # relu1 is kept for the residual
    assert _cuts(network, (0, 5)) == [1, 3]
    assert _cuts(network, (0, 1)) == []


def test_a_line_through_two_cuts_gives_entry_and_rate() -> None:
    assert _line([(100, 30), (300, 70)]) == pytest.approx((10.0, 0.2))
    assert _line([(100, 30)]) == (30.0, 0.0)
    assert _line([(100, 90), (300, 70)]) == (90.0, 0.0)  # noise: more bytes never cost less
    assert _line([(100, -5), (300, -9)]) == (0.0, 0.0)


def test_time_is_spread_as_the_engine_says() -> None:
    assert _spread(range(2, 5), 90, {2: 10, 4: 20}) == {2: 30, 3: 0, 4: 60}
    assert _spread(range(2), 90, {}) == {0: 45, 1: 45}
    assert _spread(range(2), -7, {0: 1}) == {0: 0, 1: 0}


def test_runs_are_the_longest_without_refusals() -> None:
    assert _runs(6, {0: "", 3: ""}) == [(1, 3), (4, 6)]
    assert _runs(2, {}) == [(0, 2)]
    assert _runs(1, {0: ""}) == []


def test_segments_of_equal_content_are_one_subject() -> None:
    one, other = small_network("one", seed=1), small_network("other", seed=2)
    assert one.content_hash != other.content_hash
    assert subject_of(one.whole()) == subject_of(other.whole())
    assert subject_of(one.subnetwork([0])) == subject_of(one.subnetwork([1]))
    assert subject_of(one.subnetwork([0, 1])) != subject_of(one.subnetwork([0]))
    assert subject_of(one.subnetwork([2])) != subject_of(one.subnetwork([3]))  # the residual
