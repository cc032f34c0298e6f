"""The roofline with an efficiency for each type of layer.

Williams, Waterman, Patterson, "Roofline", CACM 52(4), 2009: attainable rate = min(peak, bandwidth x
intensity); so a layer takes

    time = max(macs / (peak * efficiency[type]), bytes / bandwidth) + overhead

with the efficiency by type as in layer-wise predictors (Paleo, ICLR 2017: "platform percent of
peak").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from counterpoint.costs.models.protocol import Bound, Cost, energy_pj, item_scale
from counterpoint.network.graph import Layer


@dataclass(frozen=True, slots=True, kw_only=True)
class Roofline:
    """A processor in a few numbers.

    Attributes:
        peak_macs_per_s: Multiply-adds in the unit's precision, all cores; above 0.
        bandwidth_bytes_per_s: Of its memory, sustained; above 0.
        item_bytes: Of one item of a tensor there: 4 fp32, 2 fp16, 1 int8.
        quantised_item_bytes: The same for layers that the network quantises; ``None``: as large as
            the network has them. ``item_bytes`` where the rate is one of items, because software
            handles a small one no faster.
        efficiency: Share of the peak by type of layer, above 0 and at most 1. The most specific
            name holds: ``Conv3x3`` (kind and kernel, height first), then ``Conv``.
        default_efficiency: Of types that are not named.
        overhead_ns: Of each call of an operator: dispatch, kernel launch, waking threads.
        fused: One call does all operators of a layer. Otherwise each operator behind the first
            reads and writes the layer's output once more, and is a call of its own.
        power_mw: Drawn above idle while it works; ``None`` where nobody knows.

    Raises:
        ValueError: A number outside its range.
    """

    peak_macs_per_s: float
    bandwidth_bytes_per_s: float
    item_bytes: int = 4
    quantised_item_bytes: int | None = None
    efficiency: Mapping[str, float] = field(default_factory=dict)
    default_efficiency: float = 1.0
    overhead_ns: int = 0
    fused: bool = True
    power_mw: int | None = None

    def __post_init__(self) -> None:
        if not (0 < self.peak_macs_per_s < float("inf")):
            raise ValueError("peak_macs_per_s must be above 0 and finite")
        if not (0 < self.bandwidth_bytes_per_s < float("inf")):
            raise ValueError("bandwidth_bytes_per_s must be above 0 and finite")
        if self.item_bytes < 1 or self.overhead_ns < 0 or (self.power_mw or 0) < 0:
            raise ValueError("item_bytes must be at least 1, overhead_ns and power_mw at least 0")
        if self.quantised_item_bytes is not None and self.quantised_item_bytes < 1:
            raise ValueError("quantised_item_bytes must be at least 1")
        shares = {**self.efficiency, "default_efficiency": self.default_efficiency}
        for name, share in shares.items():
            if not 0 < share <= 1:
                raise ValueError(f"efficiency of {name} must be above 0 and at most 1")

    def cost(self, layer: Layer) -> Cost | str:
        """See :meth:`LayerModel.cost`; refuses only layers whose shapes are not known."""
        moved = self.moved_bytes(layer)
        if moved is None:
            return f"the shapes of layer {layer.name} are not known, so nor are its bytes"
        compute_ns = layer.macs * 1e9 / (self.peak_macs_per_s * self.efficiency_of(layer))
        memory_ns = moved * 1e9 / self.bandwidth_bytes_per_s
        overhead_ns = self.overhead_ns * self.calls(layer)
        time_ns = round(max(compute_ns, memory_ns)) + overhead_ns
        bound = Bound.COMPUTE if compute_ns >= memory_ns else Bound.MEMORY
        if overhead_ns > max(compute_ns, memory_ns):
            bound = Bound.OVERHEAD
        return Cost(time_ns, energy_pj(time_ns, self.power_mw), bound)

    def calls(self, layer: Layer) -> int:
        """How many times the unit is called for the layer."""
        return 1 if self.fused else max(1, len(layer.operators))

    def efficiency_of(self, layer: Layer) -> float:
        """Share of the peak that the layer's type reaches."""
        for name in layer_types(layer):
            if name in self.efficiency:
                return self.efficiency[name]
        return self.default_efficiency

    def moved_bytes(self, layer: Layer) -> float | None:
        """Inputs, weights and outputs once, in the unit's precision; ``None`` when not known."""
        if layer.input_bytes is None or layer.output_bytes is None:
            return None
        if layer.quantised and self.quantised_item_bytes is not None:
            if layer.input_items is None or layer.output_items is None:
                return None
            again = 2 * (self.calls(layer) - 1) * layer.output_items
            items = layer.input_items + layer.output_items + again
            return items * self.quantised_item_bytes + layer.weight_bytes
        again = 2 * (self.calls(layer) - 1) * layer.output_bytes
        listed = layer.input_bytes + layer.weight_bytes + layer.output_bytes + again
        return listed * item_scale(layer, self.item_bytes)


def layer_types(layer: Layer) -> tuple[str, ...]:
    """Names of a layer's type, the most specific first: ``("Conv3x3", "Conv")``."""
    nest = layer.loops
    if nest is None or "Conv" not in layer.kind:
        return (layer.kind,)
    return (f"{layer.kind}{nest.kernel[0]}x{nest.kernel[1]}", layer.kind)
