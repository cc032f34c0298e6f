"""Whole networks on NVDLA and VTA: what their makers published, by our models of them."""

from __future__ import annotations

from collections.abc import Mapping

from counterpoint.costs.modelled import unit_model
from counterpoint.costs.models.protocol import layer_costs
from counterpoint.costs.models.vta import Vta
from counterpoint.network.graph import Network
from counterpoint.network.loading import ZOO_PREFIX, load
from counterpoint.platform.platform_file import load_platform
from counterpoint.reproduce.figure import Figure, Reproduction, within

NAME = "npu-latencies"

NVDLA_TOLERANCE = 0.05
VTA_TOLERANCE = 0.10
WHOLE_TOLERANCE = 0.05

NVDLA = "nvdla_sheet"
"""The platform with the spreadsheet's settings of each network: 2048 MACs, 1 GHz, 10 GB/s."""

NVDLA_MS: Mapping[str, float] = {"alexnet": 0.895, "googlenet": 1.222, "resnet50": 7.114}
"""By the published spreadsheet."""

VTA_CONVOLUTIONS_MS = 73.0
"""Of ResNet-18 on the PYNQ-Z1's VTA, all but the first one."""

RESNET18_CPU_MS = 273.0 + 148.0
"""What the Cortex-A9 did meanwhile: other layers, and the first convolution."""

RESNET18_MS = 494.0


def nvdla_ms(network: Network) -> float:
    """Sum over what it runs; what it refuses is not in the spreadsheet either."""
    platform = load_platform(NVDLA)
    costs = layer_costs(unit_model(platform, platform.units[0], network.name), network)
    return sum(cost.time_ns for cost in costs if not isinstance(cost, str)) / 1e6


def vta_convolutions_ms(network: Network, model: Vta) -> float:
    """Sum over the convolutions whose channels fill the GEMM core; residuals are the CPU's."""
    cycles = [
        model.cycles(layer.loops) or 0
        for layer in network.layers
        if layer.loops is not None
        and layer.kind == "Conv"
        and not layer.loops.in_channels % model.block
        and not layer.loops.out_channels % model.block
    ]
    return sum(cycles) / model.clock_mhz / 1e3


def npu_latencies() -> Reproduction:
    """Three networks on NVDLA, and the part of ResNet-18 that VTA runs."""
    convolutions_ms = vta_convolutions_ms(load(f"{ZOO_PREFIX}resnet18"), Vta())
    whole_ms = convolutions_ms + RESNET18_CPU_MS
    return Reproduction(
        name=NAME,
        title="Whole networks on NVDLA and VTA",
        sources=(
            "nvdla/hw, perf/NVDLA_OpenSource_Performance.xlsx",
            "Moreau et al., ReQuEST 2018; apache/tvm-vta, config/pynq_sample.json",
            "ETRI, The Harmony of Heterogeneous Computing Units in CNN Inference: VTA and "
            "Cortex-A9, int8, 0.50 s; NVDLA and Volta GPU, 0.048 s for a network it does not name",
        ),
        figures=(
            *(
                Figure(
                    what=f"{name} on NVDLA, 2048 MACs, int8",
                    unit="ms",
                    published=published_ms,
                    model=nvdla_ms(load(f"{ZOO_PREFIX}{name}")),
                    bar=within(published_ms, NVDLA_TOLERANCE),
                )
                for name, published_ms in NVDLA_MS.items()
            ),
            Figure(
                what="ResNet-18's convolutions but the first on VTA, 100 MHz",
                unit="ms",
                published=VTA_CONVOLUTIONS_MS,
                model=convolutions_ms,
                bar=within(VTA_CONVOLUTIONS_MS, VTA_TOLERANCE),
            ),
            Figure(
                what="ResNet-18 on VTA and Cortex-A9",
                unit="ms",
                published=RESNET18_MS,
                model=whole_ms,
                bar=within(RESNET18_MS, WHOLE_TOLERANCE),
                note=f"{RESNET18_CPU_MS:g} ms on the CPU are the published ones: "
                f"{100 * RESNET18_CPU_MS / whole_ms:.0f} % of the whole",
            ),
        ),
        notes=(
            f"NVDLA is set as the spreadsheet is for each network (platform {NVDLA}); nvdla_full "
            "has one group of settings for all networks, and other figures.",
            "0.048 s on NVDLA and Volta GPU is told, and not judged: neither the ResNet nor the "
            "batch is named.",
        ),
    )
