"""Sentences computed from records."""

from __future__ import annotations

import pytest

from counterpoint.bench.insights.computed import FINDINGS, insights
from counterpoint.bench.insights.machine import layers_that_lose, what_to_change
from counterpoint.bench.insights.networks import (
    batching,
    more_operations_less_time,
    plain_name,
    published_orders,
)
from counterpoint.bench.insights.overhead import batchnorm_share, overhead_by_threads
from counterpoint.bench.insights.prediction import prediction_error
from counterpoint.bench.result import Basis, Bound, Function, Metric
from tests.bench.records import breakdown, point, result, row

MS = 1_000_000


def test_nothing_measured_says_nothing() -> None:
    assert insights(result()) == ()
    assert all(finding(result()) == () for finding in FINDINGS)


def test_a_network_that_computes_more_in_less_time_is_found() -> None:
    points = [point("large", "a", 1, operations=200), point("small", "a", 1, operations=100)]
    rows = [row("large", [5 * MS] * 4), row("small", [9 * MS] * 4)]
    found, published = more_operations_less_time(result(rows, points=points))
    assert found.text == (
        "large computes 2.00 times as much as small (0.00 GOP against 0.00 GOP) and is faster on "
        "e:CPU@fp32: 5.00 ms against 9.00 ms on e:CPU@fp32"
    )
    assert found.rows == ("large / e:CPU@fp32 / latency", "small / e:CPU@fp32 / latency")
    assert published.holds is True


def test_where_time_follows_operations_the_published_order_does_not_hold() -> None:
    points = [point("large", "a", 1, operations=200), point("small", "a", 1, operations=100)]
    rows = [row("large", [9 * MS] * 4), row("small", [5 * MS] * 4)]
    (published,) = more_operations_less_time(result(rows, points=points))
    assert published.holds is False


def test_samples_that_overlap_decide_nothing() -> None:
    points = [point("large", "a", 1, operations=200), point("small", "a", 1, operations=100)]
    rows = [row("large", [1, 5, 9, 13]), row("small", [2, 6, 10, 14])]
    (published,) = more_operations_less_time(result(rows, points=points))
    assert published.holds is False


def test_rows_of_unlike_contenders_are_not_compared() -> None:
    points = [point("large", "a", 1, operations=200), point("small", "a", 1, operations=100)]
    rows = [row("large", [5] * 4, "one"), row("small", [9] * 4, "two")]
    assert more_operations_less_time(result(rows, points=points)) == ()


@pytest.mark.parametrize(
    ("alexnet", "mobilenet", "holds", "word"),
    [(5, 9, True, "it is so on e:CPU@fp32"), (9, 5, False, "not so on"), (5, 5, False, "told")],
)
def test_published_orders_are_looked_for(
    alexnet: int, mobilenet: int, holds: bool, word: str
) -> None:
    rows = [row("zoo:alexnet", [alexnet * MS] * 4), row("mobilenet_v1.onnx", [mobilenet * MS] * 4)]
    (found,) = published_orders(result(rows))
    assert found.name == "published: alexnet before mobilenet_v1"
    assert found.holds is holds
    assert word in found.text


@pytest.mark.parametrize("name", ["zoo:alexnet", "models/alexnet.onnx", "AlexNet"])
def test_networks_go_by_their_plain_name(name: str) -> None:
    assert plain_name(name) == "alexnet"


def test_batches_are_compared_with_one_at_a_time() -> None:
    rows = [
        row("n", [10 * MS]),
        row("n", [40 * MS], metric=Metric.THROUGHPUT, images=8),
        row("m", [10 * MS]),
        row("m", [42 * MS], metric=Metric.THROUGHPUT, images=4),
    ]
    (found,) = batching(result(rows))
    assert "in 1 of 2 cases" in found.text
    assert "from 0.95 times (m on e:CPU@fp32, batch 4) to 2.00 times (n on" in found.text


def test_batchnorm_is_out_of_proportion_or_not() -> None:
    kept = breakdown(
        "n",
        [(Function.COMPUTE, 8 * MS, "Conv"), (Function.COMPUTE, 2 * MS, "BatchNorm")],
        name="e:CPU@fp32[optimization=off]",
        variant="BatchNorm kept",
    )
    folded = breakdown("n", [(Function.COMPUTE, 7 * MS, "Conv")])
    other_threads = breakdown("n", [(Function.COMPUTE, 1 * MS, "Conv")], threads=1)
    unit = kept.contender.name
    for operations, holds in ((1, True), (50, False)):
        points = [
            point("n", "a", 1, operations=99, unit=unit),
            point("n", "a", 1, operations=operations, unit=unit, kind="BatchNorm"),
        ]
        (found,) = batchnorm_share(result(breakdowns=[other_threads, folded, kept], points=points))
        assert found.holds is holds
        assert "takes 20 % of n" in found.text
        assert f"with {100 * operations / (99 + operations):.{1 if holds else 0}f} %" in found.text
        assert "the network 7.00 ms on e:CPU@fp32" in found.text
    (unknown,) = batchnorm_share(result(breakdowns=[kept]))
    assert unknown.holds is None
    assert batchnorm_share(result(breakdowns=[folded])) == ()


def test_overhead_is_told_by_threads() -> None:
    one = breakdown(
        "n",
        [(Function.COMPUTE, 9 * MS, "Conv"), (Function.FRAMEWORK, 1 * MS, "")],
        name="e:CPU@fp32[threads=1]",
        threads=1,
    )
    two = breakdown(
        "n",
        [
            (Function.COMPUTE, 4 * MS, "Conv"),
            (Function.WAITING, 1 * MS, "Conv"),
            (Function.PYTHON, 1 * MS, ""),
        ],
    )
    (found,) = overhead_by_threads(result(breakdowns=[two, one]))
    assert "1.00 ms of 10.0 ms (10 %) with 1 thread, 1.00 ms of 6.00 ms (17 %) with 2" in found.text
    assert found.holds is True
    assert overhead_by_threads(result(breakdowns=[two])) == ()
    elsewhere = breakdown("m", [(Function.COMPUTE, 1, "Conv")], threads=1)
    assert overhead_by_threads(result(breakdowns=[two, elsewhere])) == ()


def test_the_layers_furthest_above_their_roof_are_named_on_the_fastest_unit() -> None:
    slow = [point("n", "a", 90 * MS, operations=1, unit="slow")]
    fast = [
        point("n", "a", 5 * MS, operations=1 * MS),
        point("n", "b", 9 * MS, operations=2 * MS),
        point("n", "c", 1 * MS, operations=2 * MS),  # out of the caches: above its roof
    ]
    (found,) = layers_that_lose(result(points=[*slow, *fast]))
    assert found.text.startswith("n on e:CPU@fp32 loses 11.0 ms of 15.0 ms against the roofline")
    assert found.rows[:2] == ("n / e:CPU@fp32 / b", "n / e:CPU@fp32 / a")


def test_a_unit_s_part_of_a_plan_is_not_taken_for_the_fastest_unit() -> None:
    alone = [point("n", "a", 8 * MS, operations=1), point("n", "b", 2 * MS, operations=1)]
    mixed = [
        point("n", "a", 7 * MS, operations=1, unit="other", contender="plan"),
        point("n", "b", 4 * MS, operations=1, contender="plan"),
    ]
    (found,) = layers_that_lose(result(points=[*alone, *mixed]))
    assert found.text.startswith("n on e:CPU@fp32 loses 10.0 ms of 10.0 ms")
    (found,) = layers_that_lose(result(points=mixed))
    assert found.text.startswith("n on plan loses 11.0 ms of 11.0 ms")


def test_what_to_change_in_the_network_and_in_the_machine() -> None:
    points = [
        point("n", "a", 4 * MS, operations=2 * MS),  # compute: twice the rate saves a half
        point("n", "b", 4 * MS, moved_bytes=4 * MS, operations=1 * MS, kind="depthwise"),
        point("n", "c", 2 * MS, operations=1000, kind="softmax", bound=Bound.OVERHEAD),
    ]
    told = breakdown("n", [(Function.COMPUTE, 9 * MS, "Conv"), (Function.WAITING, 1 * MS, "")])
    network, machine = what_to_change(result(breakdowns=[told], points=points))
    assert network.name == "change-network"
    assert "Conv layers take 40 % of the time for 67 % of the operations" in network.text
    assert "reach 50 % of their roof" in network.text
    assert machine.name == "change-machine"
    assert "compute-bound 40 %, memory-bound 40 %, overhead-bound 20 %" in machine.text
    assert "bandwidth would save 20 % of it, twice the arithmetic 20 %" in machine.text
    assert "overhead at all would save 10 % of the whole" in machine.text


def test_prediction_errors_are_over_everything_measured() -> None:
    rows = [
        row("a", [100 * MS], predicted_ns=95 * MS),
        row("b", [100 * MS], predicted_ns=80 * MS),
        row("c", [100 * MS], predicted_ns=99 * MS),
        row("d", [100 * MS]),
        row("e", [100 * MS], predicted_ns=1, basis=Basis.MODELLED),
    ]
    (found,) = prediction_error(result(rows))
    assert "off by 5.0 % in the median over 3 rows (2 within 10 %" in found.text
    assert "5.0 % too low" in found.text
    assert "worst: b on e:CPU@fp32, 80.0 ms against 100 ms" in found.text
    assert len(found.rows) == 3
