"""Which layers a unit's precision lets it run: int8 is the network's own word, the rest a unit's.

See ``docs/decisions/0008-precision-is-a-rewrite.md``.
"""

from __future__ import annotations

from counterpoint.network.graph import Layer
from counterpoint.platform.model import ComputeUnit, DeviceKind


def precision_refusal(layer: Layer, unit: ComputeUnit) -> str | None:
    """Why a unit's precision is none for a layer; ``None`` where it is.

    Layers that the network quantises run in int8 on units of every precision but fp32. Its other
    layers run in the unit's precision, and on an int8 unit in fp32, unless that is an NPU.
    """
    if layer.computes_int8:
        if unit.precision != "fp32":
            return None
        return "the layer is quantised to int8; this unit computes in fp32"
    if unit.precision == "int8" and layer.macs and unit.devices[0].kind is DeviceKind.NPU:
        return "the layer is not quantised; the network gives no int8 form of it"
    return None
