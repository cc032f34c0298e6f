"""The seam behind which functional processors compute: layers in, bits out."""

from __future__ import annotations

from typing import Protocol

from counterpoint.costs.models.protocol import LayerModel
from counterpoint.engines.protocol import CompiledSegment
from counterpoint.network.graph import Layer, Subnetwork
from counterpoint.network.precision.scheme import Scheme
from counterpoint.platform.model import ComputeUnit


class Arithmetic(Protocol):
    """How one kind of processor computes, bit by bit.

    Attributes:
        scheme: How a network has to be quantised for it; ``None``: it runs float layers.
    """

    @property
    def scheme(self) -> Scheme | None:  # noqa: D102 - see the class
        ...

    def version(self) -> str:
        """Of what computes."""
        ...

    def unsupported_reason(self, layer: Layer) -> str | None:
        """Why it cannot compute a layer; ``None`` where it can, as far as a layer tells."""
        ...

    def compile(self, segment: Subnetwork, unit: ComputeUnit) -> CompiledSegment:
        """Makes a segment ready.

        Raises:
            EngineError: It cannot compute it; the message says why and what would help.
        """
        ...


def arithmetic_of(model: LayerModel) -> Arithmetic | None:
    """The arithmetic of the processor that a cost model is of; ``None``: it has none of its own."""
    from counterpoint.costs.models.nvdla import Nvdla
    from counterpoint.costs.models.vta import Vta

    if isinstance(model, Vta):
        from counterpoint.engines.npu.vta import VtaArithmetic

        return VtaArithmetic(model)
    if isinstance(model, Nvdla):
        from counterpoint.engines.npu.nvdla import NvdlaArithmetic

        return NvdlaArithmetic(model)
    return None
