"""Which layers a unit's precision lets it run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from counterpoint.engines.precisions import precision_refusal
from counterpoint.network.graph import Layer
from counterpoint.platform.model import ComputeUnit, Device, DeviceKind
from tests.random_networks import network_of

FLOAT = replace(network_of([["in"]], [["out"]], outputs=["out"]).layers[0], macs=100)
INT8 = replace(FLOAT, computes_int8=True)
POOL = replace(FLOAT, macs=0)


@pytest.mark.parametrize(
    ("precision", "kind", "layer", "reason"),
    [
        ("fp32", DeviceKind.CPU, FLOAT, None),
        ("fp32", DeviceKind.CPU, INT8, "quantised to int8; this unit computes in fp32"),
        ("int8", DeviceKind.CPU, INT8, None),
        ("int8", DeviceKind.CPU, FLOAT, None),
        ("int8", DeviceKind.GPU, FLOAT, None),
        ("bf16", DeviceKind.CPU, INT8, None),
        ("bf16", DeviceKind.CPU, FLOAT, None),
        ("int8", DeviceKind.NPU, INT8, None),
        ("int8", DeviceKind.NPU, FLOAT, "the layer is not quantised"),
        ("int8", DeviceKind.NPU, POOL, None),
        ("fp16", DeviceKind.NPU, FLOAT, None),
    ],
)
def test_int8_is_the_networks_word_and_the_rest_the_units(
    precision: str, kind: DeviceKind, layer: Layer, reason: str | None
) -> None:
    found = precision_refusal(layer, ComputeUnit("e", (Device("d", kind),), precision))
    assert (found is None) if reason is None else reason in str(found)
