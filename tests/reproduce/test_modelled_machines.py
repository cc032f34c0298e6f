from __future__ import annotations

from dataclasses import replace

import pytest

from counterpoint.costs.models.roofline import Roofline
from counterpoint.costs.models.vta import Vta
from counterpoint.network.loading import load
from counterpoint.reproduce.npu_latencies import NVDLA_MS, nvdla_ms, vta_convolutions_ms
from counterpoint.reproduce.six_processors import (
    MOBILENET_MS,
    calls,
    latency_ns,
    roofline,
    six_processors,
)


@pytest.mark.parametrize("name", ["googlenet", "resnet50"])
def test_nvdla_is_within_the_bar(name: str) -> None:
    assert nvdla_ms(load(f"zoo:{name}")) == pytest.approx(NVDLA_MS[name], rel=0.05)


def test_vta_is_within_the_bar_and_follows_its_clock() -> None:
    network = load("zoo:resnet18")
    assert vta_convolutions_ms(network, Vta()) == pytest.approx(73.0, rel=0.1)
    twice_as_quick = Vta(clock_mhz=200.0)
    assert vta_convolutions_ms(network, twice_as_quick) == pytest.approx(
        vta_convolutions_ms(network, Vta()) / 2
    )


def test_the_published_overhead_comes_back() -> None:
    network = load("zoo:mobilenet_v1", keep_batchnorm=True)
    for processor, (_, overhead_ms) in MOBILENET_MS.items():
        model = roofline(processor)
        plain_ns = latency_ns(network, replace(model, overhead_ns=0))
        assert latency_ns(network, model) - plain_ns == pytest.approx(1e6 * overhead_ms, rel=1e-4)
        assert calls(network, model) == 84  # 27 convolutions, their norms and activations ...
    assert roofline("Tesla P100").overhead_ns == 0


def test_a_processor_without_limits_takes_no_time() -> None:
    quick = Roofline(peak_macs_per_s=1e30, bandwidth_bytes_per_s=1e30)
    assert latency_ns(load("zoo:mobilenet_v1"), quick) == 0


@pytest.mark.slow  # builds four networks, the largest of half a gigabyte
def test_which_findings_the_roofline_explains() -> None:
    made = six_processors()
    holds = {figure.what: figure.holds for figure in made.figures}
    assert list(holds.values()) == [False, False, True, False, False, False]
    assert made.notes[0].startswith("1 of the 4 orderings")
    assert [what for what, held in holds.items() if held] == [
        "Xeon E5-2680 v4: alexnet over mobilenet_v1; alexnet is quicker"
    ]
