"""VTA as what computes a unit's segments: its instructions, executed one by one.

A segment is a chain of convolutions in QDQ form. What passes between them stays packed in DRAM;
what enters and leaves is brought into VTA's layout and back by the CPU, as on the board.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from counterpoint.costs.models.vta import Vta
from counterpoint.engines.failures import compile_failure, run_failure
from counterpoint.engines.npu.nodes import handed_over, segment_nodes
from counterpoint.engines.npu.vta_arithmetic import Int8
from counterpoint.engines.npu.vta_convolution import VtaConvolution, packed, unpacked
from counterpoint.engines.npu.vta_layers import VtaLayer, vta_layers
from counterpoint.engines.npu.vta_machine import NOTHING, Counts, VtaMachine
from counterpoint.engines.protocol import NodeProfile, Tensor
from counterpoint.network.graph import Layer, Subnetwork
from counterpoint.network.precision.scheme import Scheme
from counterpoint.platform.model import ComputeUnit

NOT_QUANTISED = (
    "the layer is not quantised, and the unit computes in int8: make the plan with "
    "`counterpoint plan -p`, which quantises what it gives to such units"
)


class VtaArithmetic:
    """A VTA of some size.

    Args:
        hardware: Sizes and rates; what it refuses is not computed either.
    """

    scheme = Scheme(activations="signed", power_of_two=True)

    def __init__(self, hardware: Vta) -> None:
        self._hardware = hardware

    def version(self) -> str:
        """See :class:`counterpoint.engines.npu.arithmetic.Arithmetic`."""
        return "functional VTA 1"

    def unsupported_reason(self, layer: Layer) -> str | None:
        """See :class:`counterpoint.engines.npu.arithmetic.Arithmetic`."""
        cost = self._hardware.cost(layer)
        if isinstance(cost, str):
            return cost
        return None if layer.computes_int8 else NOT_QUANTISED

    def compile(self, segment: Subnetwork, unit: ComputeUnit) -> VtaSegment:
        """See :class:`counterpoint.engines.npu.arithmetic.Arithmetic`."""
        for layer in segment.layers:
            reason = self.unsupported_reason(layer)
            if reason is not None:
                raise compile_failure(segment, unit, f"{layer.name}: {reason}")
        try:
            layers = list(vta_layers(segment, segment_nodes(segment)))
            made = {layer.result for layer in layers}
            for spec in segment.outputs:
                if spec.name not in made:
                    raise ValueError(f"tensor {spec.name!r} is no result of VTA")
            return VtaSegment(segment, unit, self._hardware, layers)
        except ValueError as error:
            raise compile_failure(segment, unit, error) from error


class VtaSegment:
    """Convolutions whose programs are written.

    Attributes:
        counts: What the last run did, layer by layer: instructions, bytes, cycles.
    """

    def __init__(
        self, segment: Subnetwork, unit: ComputeUnit, hardware: Vta, layers: Sequence[VtaLayer]
    ) -> None:
        self._segment = segment
        self._unit = unit
        self._hardware = hardware
        self._layers = [(layer, VtaConvolution(layer.arithmetic, hardware)) for layer in layers]
        self.counts: dict[str, Counts] = {}

    @property
    def total(self) -> Counts:
        """Of the last run, all layers one after the other."""
        total = NOTHING
        for counts in self.counts.values():
            total += counts
        return total

    def run(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor] | None = None
    ) -> Sequence[Tensor]:
        """See :class:`counterpoint.engines.protocol.CompiledSegment`."""
        if len(inputs) != len(self._segment.inputs) or not self._layers:
            raise run_failure(
                self._segment, self._unit, f"{len(inputs)} inputs, or the segment is closed"
            )
        block = self._hardware.block
        held: dict[str, Int8] = {
            spec.name: packed(np.asarray(array, np.int8), block)
            for spec, array in zip(self._segment.inputs, inputs, strict=True)
        }
        machine = VtaMachine(self._hardware)
        counts: dict[str, Counts] = {}
        for layer, ready in self._layers:
            held[layer.result], counts[layer.result] = ready.run(held[layer.source], machine)
        self.counts = counts
        made = [unpacked(held[spec.name]) for spec in self._segment.outputs]
        return handed_over(made, outputs)

    def profile(self) -> NodeProfile | None:
        """The host's times say nothing of VTA."""
        return None

    def close(self) -> None:
        """See :class:`counterpoint.engines.protocol.CompiledSegment`."""
        self._layers = []
