"""Networks as they are written: BatchNorm kept, and nothing fused by the engine."""

from __future__ import annotations

from dataclasses import replace

from counterpoint.platform.model import ComputeUnit, DeviceKind, Platform

UNFUSED = ("optimization", "off")
"""Setting of ONNX Runtime's units: each node as the network has it, nothing folded or fused."""

BATCHNORM_KEPT = "BatchNorm kept"
"""Variant of a network whose BatchNorm is not folded into its convolutions."""


def unfused_units(platform: Platform) -> tuple[ComputeUnit, ...]:
    """ONNX Runtime's CPU units once more, told to leave networks as they are."""
    return tuple(
        replace(unit, settings=tuple(sorted((*unit.settings, UNFUSED))))
        for unit in platform.units
        if unit.engine == "onnxruntime"
        and unit.devices[0].kind is DeviceKind.CPU
        and unit.setting("provider") is None
        and unit.setting(UNFUSED[0]) is None
    )


def fused(unit: ComputeUnit) -> ComputeUnit:
    """The unit as it usually is: its arithmetic is the same."""
    return replace(unit, settings=tuple(pair for pair in unit.settings if pair != UNFUSED))
