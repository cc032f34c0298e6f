"""A fake network with costs that tell every cell apart."""

from __future__ import annotations

from counterpoint.costs.table import CostTable, LinearCost, UnitCosts
from counterpoint.network.graph import Network
from counterpoint.platform.model import ComputeUnit, Device, DeviceKind
from counterpoint.schedule.plan import Lane, Measurement, Plan, Prediction, Segment
from tests.fake_engine import fake_network

A = ComputeUnit("a", (Device("NPU.0", DeviceKind.NPU),), "fp32")
B = ComputeUnit("b", (Device("NPU.1", DeviceKind.NPU),), "fp32")


def chain(name: str = "fake") -> Network:
    """Four layers in a row; each tensor has 16 bytes."""
    return fake_network([["x"], ["t0"], ["t1"], ["t2"]], name=name)


def costs(network: Network) -> CostTable:
    """``a`` is good at the first two layers, ``b`` at the others; ``b`` refuses layer 0."""
    return CostTable(
        network_hash=network.content_hash,
        platform_fingerprint="fake-fingerprint",
        layer_names=tuple(layer.name for layer in network.layers),
        units=(
            UnitCosts(A, 1000, read=LinearCost(100, 1), write=LinearCost(10, 0)),
            UnitCosts(B, 2000, read=LinearCost(200, 2), write=LinearCost(20, 0)),
        ),
        layer_ns=((5000, None), (6000, 90_000), (70_000, 700), (80_000, None)),
        refusals={(0, 1): "no such operator"},
    )


def plan(network: Network, segments: tuple[Segment, ...], **changes: object) -> Plan:
    values: dict[str, object] = {
        "network_name": network.name,
        "network_hash": network.content_hash,
        "platform_name": "fake machine",
        "platform_fingerprint": "fake-fingerprint",
        "objective": "latency",
        "lanes": (Lane(segments),),
        "frames_in_flight": 1,
        "layer_names": tuple(layer.name for layer in network.layers),
        "engines": {"a": "1.0"},
        "prediction": Prediction(100_000, None, 90_000),
        "measured_latency": Measurement(110_000, 105_000, 120_000, 50),
    }
    return Plan(**{**values, **changes})  # type: ignore[arg-type]
